// HashKV of a database in a file, as its member would give it: what members compare to know that they hold
// the same. Source: etcd, server/storage/mvcc/hash.go (unsafeHashByRev, kvHasher.WriteKeyValue).

import { AlignedMemory } from '../../base/aligned-memory.ts';
import { Crc32c } from '../../base/crc32c.ts';
import { EtcdkeepError } from '../../base/errors.ts';
import { readMeta } from '../../bbolt/meta.ts';
import type { PageSource } from '../../bbolt/page-source.ts';
import { walkTree } from '../../bbolt/walk.ts';
import { NewestRecords } from './newest-records.ts';
import { type RecordReader, RecordVisitor } from './records.ts';
import { readStoreFacts } from './store-facts.ts';

export interface HashKV {
  /** CRC-32C. */
  readonly hash: number;
  /** Revision that was hashed. */
  readonly hashRevision: bigint;
  /** Revision up to which the past is compacted, or would be once the member starts; -1 if never. */
  readonly compactRevision: bigint;
}

const SEED = Buffer.from('key');

/**
 * Computes HashKV at a revision. A compaction that is under way counts as done: a member that starts on the
 * database finishes it first. Hashes that a member has kept from before a compaction cannot be made anew.
 * @param revision 0 for the newest
 * @throws EtcdkeepError `revision-compacted`, `revision-future`, `database-damaged`, `file-failed`
 */
export async function hashKV(source: PageSource, revision = 0n): Promise<HashKV> {
  const meta = await readMeta(source);
  const { finishedCompactRevision = -1n, scheduledCompactRevision = -1n } = await readStoreFacts(
    source,
    meta,
  );
  const compactRevision = max(finishedCompactRevision, scheduledCompactRevision);
  if (revision > 0n && revision < compactRevision) {
    throw new EtcdkeepError(
      'revision-compacted',
      `revision ${revision} is gone: the database is compacted up to ${compactRevision}`,
      { revision },
    );
  }
  const newest = new NewestRecords();
  let last = 1n;
  await walkTree(
    source,
    meta,
    new RecordVisitor((record, number) => {
      last = record.main;
      if (revision !== 0n && record.main > revision) return;
      const { bytes, isTombstone } = record;
      const { keyStart, keyEnd } = record.keyValue;
      newest.add(bytes, keyStart, keyEnd, number, isTombstone);
    }),
  );
  const currentRevision = max(max(last, 1n), compactRevision);
  if (revision > currentRevision) {
    throw new EtcdkeepError(
      'revision-future',
      `revision ${revision} has not been yet: the newest is ${currentRevision}`,
      { revision },
    );
  }
  const hashRevision = revision === 0n ? currentRevision : revision;
  const hasher = new KvHasher(newest, hashRevision, compactRevision);
  await walkTree(source, meta, new RecordVisitor((record, number) => hasher.write(record, number)));
  return { hash: hasher.hash, hashRevision, compactRevision };
}

class KvHasher {
  hash: number;
  readonly #crc32c = new Crc32c(new AlignedMemory());
  readonly #newest: NewestRecords;
  readonly #revision: bigint;
  readonly #compactRevision: bigint;

  constructor(newest: NewestRecords, revision: bigint, compactRevision: bigint) {
    this.#newest = newest;
    this.#revision = revision;
    this.#compactRevision = compactRevision;
    this.hash = this.#crc32c.update(0, SEED);
  }

  write(record: RecordReader, number: number): void {
    const { bytes, start, valueEnd, main, isTombstone } = record;
    if (main > this.#revision || this.#isCompacted(record, number)) return;
    // Since 3.4.34 and 3.5.16 a compaction leaves such a tombstone, which must not make a difference.
    if (main === this.#compactRevision && isTombstone) return;
    this.hash = this.#crc32c.update(this.hash, bytes.subarray(start, valueEnd));
  }

  /** Of what is compacted, only what is still alive at the revision counts; all of it, where nothing is. */
  #isCompacted({ bytes, main, keyValue }: RecordReader, number: number): boolean {
    if (main > this.#compactRevision || this.#newest.live === 0) return false;
    const { keyStart, keyEnd } = keyValue;
    return !this.#newest.isLive(bytes, keyStart, keyEnd, number);
  }
}

function max(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
