// HashKV of a database in a file, as its member would give it: what members compare to know that they hold
// the same. Source: etcd, server/storage/mvcc/hash.go (unsafeHashByRev, kvHasher.WriteKeyValue).

import { readMeta } from '../../bbolt/meta.ts';
import type { PageSource } from '../../bbolt/page-source.ts';
import { readStore } from './read-store.ts';
import { compactRevisionOf, demandNotCompacted, demandNotFuture } from './revision-bounds.ts';
import { readStoreFacts } from './store-facts.ts';

export interface HashKV {
  /** CRC-32C. */
  readonly hash: number;
  /** Revision that was hashed. */
  readonly hashRevision: bigint;
  /** Revision up to which the past is compacted, or would be once the member starts; -1 if never. */
  readonly compactRevision: bigint;
}

/**
 * Computes HashKV at a revision. A compaction that is under way counts as done: a member that starts on the
 * database finishes it first. Hashes that a member has kept from before a compaction cannot be made anew.
 * @param revision 0 for the newest
 * @throws EtcdkeepError `revision-compacted`, `revision-future`, `database-damaged`, `file-failed`
 */
export async function hashKV(source: PageSource, revision = 0n): Promise<HashKV> {
  const meta = await readMeta(source);
  const compactRevision = compactRevisionOf(await readStoreFacts(source, meta));
  demandNotCompacted(revision, compactRevision);
  const { status, hashKV: hash } = await readStore(source, { hash: true, records: revision });
  const { currentRevision } = status!;
  demandNotFuture(revision, currentRevision);
  const hashRevision = revision === 0n ? currentRevision : revision;
  return { hash: hash!, hashRevision, compactRevision };
}
