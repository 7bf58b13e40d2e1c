// Holds a restored database against its snapshot without an etcd: what can be said of it where there is none.

import { join } from 'node:path';
import { type FileSource, openFileSource } from '../../bbolt/file-source.ts';
import { readStore } from '../../etcd/store/read-store.ts';
import { interruptible } from '../interruptible.ts';
import type { SnapshotProof } from '../verify-snapshot.ts';
import { Shortfall } from './shortfall.ts';

/** Of a data directory, the database. */
export function databaseIn(dataDirectory: string): string {
  return join(dataDirectory, 'member/snap/db');
}

/**
 * Compares revision, keys and HashKV.
 * @throws Shortfall if any differs; EtcdkeepError `file-failed`, `database-damaged`; the signal's reason
 */
export async function compareRestored(
  dataDirectory: string,
  { status: before, hashKV }: SnapshotProof,
  signal: AbortSignal,
): Promise<void> {
  const source: FileSource = openFileSource(databaseIn(dataDirectory));
  try {
    const after = await readStore(interruptible(source, signal), { hash: true, records: 0n });
    const pairs = [
      ['revision', before?.currentRevision, after.status?.currentRevision],
      ['keys', before?.liveKeys, after.status?.liveKeys],
      ['HashKV', hashKV, after.hashKV],
    ] as const;
    for (const [what, expected, restored] of pairs) {
      if (expected === restored) continue;
      throw new Shortfall(
        'bad',
        `restored, its ${what} would be ${restored}, and not ${expected} as in the snapshot`,
      );
    }
  } finally {
    source.close();
  }
}
