// etcdkeep snapshot hashkv FILE: the flags and the output of `etcdutl hashkv`.

import { buildCommand } from '@stricli/core';
import type { CommandContext } from '../context.ts';
import { parseRevision } from '../parse.ts';
import { WRITE_OUT_FLAG, type WriteOutFormat, writeOut } from '../write-out.ts';

interface Flags {
  readonly rev: bigint;
  readonly writeOut: WriteOutFormat;
}

async function run(this: CommandContext, flags: Flags, path: string): Promise<void> {
  // Loaded here, so that no other command, and not --help, waits for it.
  const { hashKVOfFile } = await import('../../backup/snapshot-file.ts');
  const { hash, hashRevision, compactRevision } = await hashKVOfFile(path, flags.rev);
  // etcd, etcdutl/etcdutl/hashkv_command.go: HashKV.
  const values = [
    { name: 'hash', field: 'Hash', heading: 'HASH', value: hash },
    {
      name: 'hashRevision',
      field: 'Hash revision',
      heading: 'HASH REVISION',
      value: hashRevision,
    },
    {
      name: 'compactRevision',
      field: 'Compact revision',
      heading: 'COMPACT REVISION',
      value: compactRevision,
    },
  ];
  this.process.stdout.write(`${writeOut(values, flags.writeOut)}\n`);
}

export const snapshotHashkv = buildCommand({
  func: run,
  parameters: {
    flags: {
      rev: {
        kind: 'parsed',
        parse: parseRevision,
        default: '0',
        placeholder: 'revision',
        brief: 'the revision to hash at; 0 for the newest',
      },
      writeOut: WRITE_OUT_FLAG,
    },
    aliases: { w: 'writeOut' },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'FILE', brief: 'the snapshot' }],
    },
  },
  docs: {
    brief: "Print etcd's HashKV of a snapshot at a revision",
    fullDescription: [
      'Computes what members compare to know that they hold the same. The hash, the revision and the compact',
      'revision are those of `etcdutl hashkv`, which rewrites the file; this never changes it.',
      '',
      'Exit status: 0 done, 4 damaged, 1 no such revision or it cannot be read, 2 usage.',
    ].join('\n'),
  },
});
