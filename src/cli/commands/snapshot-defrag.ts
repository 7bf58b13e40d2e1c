// etcdkeep snapshot defrag FILE --to FILE: a copy without what is free in it.

import { buildCommand } from '@stricli/core';
import { formatBytes, formatCount } from '../../base/units.ts';
import { OUTPUT_FLAGS, type OutputFlags } from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { withScreen } from '../screen.ts';

interface Flags extends OutputFlags {
  readonly to: string;
  readonly overwrite: boolean;
  readonly skipHashCheck: boolean;
}

async function run(this: CommandContext, flags: Flags, path: string): Promise<void> {
  await withScreen(this, flags, async (screen) => {
    const { to, overwrite, skipHashCheck } = flags;
    // Loaded here, so that no other command, and not --help, waits for it.
    const { defragSnapshot } = await import('../../backup/defrag.ts');
    const { bytesBefore, bytes, digestCompared, before, after, hashKV, sha256 } =
      await defragSnapshot({
        ...{ file: path, to, overwrite, skipHashCheck, signal: this.signal },
        report: (step) => screen.progress.start(step),
      });
    const sizes = `${formatBytes(bytesBefore)} before, ${formatBytes(bytes)} now`;
    const hash = `HashKV ${hashKV.hash} at revision ${hashKV.hashRevision} in both`;
    screen.answer(`Snapshot defragmented to ${to}: ${sizes}, ${hash}`);
    screen.tell('digest', digestCompared ? 'compared, and made anew' : 'not compared; made anew');
    screen.tell(
      'pages',
      `${formatCount(before.pagesReachable)} of ${formatCount(before.pages)} were in use, ` +
        `${formatCount(after.pages)} are left`,
    );
    screen.tell('proven', 'read back: every bucket, key and value is as it was');
    screen.document({
      file: path,
      to,
      bytesBefore,
      bytes,
      sha256,
      digestCompared,
      pagesBefore: before.pages,
      pagesReachable: before.pagesReachable,
      pages: after.pages,
      hash: after.hash,
      revision: after.revision.toString(),
      keys: after.liveKeys,
      hashKV: {
        hash: hashKV.hash,
        hashRevision: hashKV.hashRevision.toString(),
        compactRevision: hashKV.compactRevision.toString(),
      },
    });
  });
}

export const snapshotDefrag = buildCommand({
  func: run,
  parameters: {
    flags: {
      to: { kind: 'parsed', parse: String, placeholder: 'FILE', brief: 'the file to write' },
      overwrite: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'replace it if it exists',
      },
      skipHashCheck: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'do not compare the digest at the end of FILE',
      },
      ...OUTPUT_FLAGS,
    },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'FILE', brief: 'the snapshot' }],
    },
  },
  docs: {
    brief: 'Write a copy of a snapshot without what is free in it',
    fullDescription: [
      'Copies what the database of a snapshot holds, as a member does it that is defragmented, with a digest of',
      'its own behind it; a copy of the db file of a member will do as well. FILE is never changed. Its digest',
      'is compared first, its structure and its records are read, and the copy gets its name once it was read',
      'back and holds the same.',
      '',
      'Exit status: 0 done, 4 FILE is damaged, 1 failed, 2 usage, 3 the copy exists, 130 or 143 interrupted.',
    ].join('\n'),
  },
});
