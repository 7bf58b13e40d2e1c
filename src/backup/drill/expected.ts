// What a member must say that was made of a snapshot: read from the snapshot itself, by readers that share nothing with
// etcd's.

import type { FileSource } from '../../bbolt/file-source.ts';
import { type KeyIndex, readKeyIndex } from '../../etcd/store/key-index.ts';
import { compactRevisionOf } from '../../etcd/store/revision-bounds.ts';
import { interruptible } from '../interruptible.ts';
import type { SnapshotProof } from '../verify-snapshot.ts';

export interface Expected {
  readonly revision: bigint;
  /** -1 if it was never compacted. */
  readonly compactRevision: bigint;
  /** At the revision. */
  readonly hashKV: number;
  /** All keys that are alive; some 64 bytes and the key itself for each that ever was. */
  readonly index: KeyIndex;
  /** Where their values are. */
  readonly source: FileSource;
  /** Leases run from the moment that a leader is there, and end with their keys: revisions go on by themselves. */
  readonly hasLeases: boolean;
}

/**
 * @param proof of the snapshot, which is sound
 * @throws EtcdkeepError `file-failed`, `database-damaged`; the signal's reason
 */
export async function readExpected(
  source: FileSource,
  proof: SnapshotProof,
  leases: number,
  signal: AbortSignal,
): Promise<Expected> {
  const status = proof.status!;
  return {
    revision: status.currentRevision,
    compactRevision: compactRevisionOf(status),
    hashKV: proof.hashKV!,
    index: await readKeyIndex(interruptible(source, signal)),
    source,
    hasLeases: leases > 0,
  };
}
