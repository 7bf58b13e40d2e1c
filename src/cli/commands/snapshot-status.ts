// etcdkeep snapshot status FILE: the flags and the output of `etcdutl snapshot status`.

import { buildCommand } from '@stricli/core';
import type { DatabaseStatus } from '../../etcd/store/database-status.ts';
import type { CommandContext } from '../context.ts';
import {
  humanizedBytes,
  type OutputValue,
  WRITE_OUT_FLAG,
  type WriteOutFormat,
  writeOut,
} from '../write-out.ts';

interface Flags {
  readonly writeOut: WriteOutFormat;
  readonly totalKeys: 'live' | 'all';
}

async function run(this: CommandContext, flags: Flags, path: string): Promise<void> {
  // Loaded here, so that no other command, and not --help, waits for it.
  const { statusOfFile } = await import('../../backup/snapshot-file.ts');
  const status = await statusOfFile(path);
  this.process.stdout.write(`${writeOut(valuesOf(status, flags.totalKeys), flags.writeOut)}\n`);
}

/** etcd, etcdutl/snapshot/v3_snapshot.go: Status. */
function valuesOf(status: DatabaseStatus, totalKeys: Flags['totalKeys']): readonly OutputValue[] {
  const { hash, revision, liveKeys, entries, totalSize, storageVersion = '' } = status;
  const keys = totalKeys === 'live' ? liveKeys : entries;
  return [
    { name: 'hash', field: 'Hash', heading: 'HASH', value: hash, shown: hash.toString(16) },
    { name: 'revision', field: 'Revision', heading: 'REVISION', value: revision },
    { name: 'totalKey', field: 'Keys', heading: 'TOTAL KEYS', value: keys },
    {
      name: 'totalSize',
      field: 'Size',
      heading: 'TOTAL SIZE',
      value: totalSize,
      shown: humanizedBytes(totalSize),
    },
    { name: 'version', field: 'Version', heading: 'VERSION', value: storageVersion },
  ];
}

export const snapshotStatus = buildCommand({
  func: run,
  parameters: {
    flags: {
      writeOut: WRITE_OUT_FLAG,
      totalKeys: {
        kind: 'enum',
        values: ['live', 'all'],
        default: 'live',
        brief: 'all: count every key of every bucket, as etcdutl did before 3.6',
      },
    },
    aliases: { w: 'writeOut' },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'FILE', brief: 'the snapshot' }],
    },
  },
  docs: {
    brief: 'Print the hash, revision, keys and size of a snapshot',
    fullDescription: [
      'Reads a snapshot, or a copy of a member/snap/db, from end to end: every page of its tree has to be',
      'sound. The hash and the counts are those of `etcdutl snapshot status`. The file is never changed, and',
      'its digest is not looked at.',
      '',
      'Exit status: 0 sound, 4 damaged, 1 it cannot be read, 2 usage.',
    ].join('\n'),
  },
});
