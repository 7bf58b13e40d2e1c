// Follows the records of bucket `key` in the order of their revisions, as the walk reaches their leaves: the history
// of each key, its newest record, and at the end HashKV.

import type { Crc32c } from '../../base/crc32c.ts';
import { combineCrc32c } from '../../base/crc32c-combine.ts';
import { HistoryCheck } from './check-history.ts';
import { NewestRecords } from './newest-records.ts';
import type { RecordColumns } from './record-columns.ts';

/** What HashKV begins with. */
export const HASH_KV_SEED = Buffer.from('key');

/** Pairs of numbers that the list of leaves grows by. */
const GROWTH = 2;

export class RecordFollower {
  readonly newest: NewestRecords;
  readonly #columns: RecordColumns;
  readonly #history: HistoryCheck;
  /** The first record of each leaf and their count, in the order of revisions. */
  #leaves = new Uint32Array(1024);
  #leafCount = 0;

  /** @param isCompacting whether a compaction has begun and is not over */
  constructor(columns: RecordColumns, isCompacting: boolean) {
    this.#columns = columns;
    this.newest = new NewestRecords(columns);
    this.#history = new HistoryCheck(columns, this.newest, isCompacting);
  }

  /**
   * Follows the records of the next leaf.
   * @param told of what does not fit to earlier records, with the revision
   */
  follow(first: number, count: number, told: (revision: number, sentence: string) => void): void {
    if (2 * this.#leafCount === this.#leaves.length) {
      const before = this.#leaves;
      this.#leaves = new Uint32Array(before.length * GROWTH);
      this.#leaves.set(before);
    }
    this.#leaves[2 * this.#leafCount] = first;
    this.#leaves[2 * this.#leafCount + 1] = count;
    this.#leafCount += 1;
    const columns = this.#columns;
    for (let index = first; index < first + count; index += 1) {
      if (columns.isLater(index)) continue;
      this.#history.follow(index, (sentence) => told(columns.main(index), sentence));
    }
  }

  /** To be told that records which should come next are lost. */
  noteGap(): void {
    this.#history.hasGaps = true;
  }

  /** The leases of live keys, each as often as a key names it. */
  *leases(): Generator<bigint> {
    const columns = this.#columns;
    for (let leaf = 0; leaf < this.#leafCount; leaf += 1) {
      const first = this.#leaves[2 * leaf]!;
      const end = first + this.#leaves[2 * leaf + 1]!;
      for (let index = first; index < end; index += 1) {
        const lease = columns.lease(index);
        if (lease !== 0n && columns.isLive(index)) yield lease;
      }
    }
  }

  /**
   * HashKV of what was followed (etcd, server/storage/mvcc/hash.go: unsafeHashByRev, kvHasher.WriteKeyValue).
   * @param crc32c the same that computed the checksums of the records
   */
  hashKV(crc32c: Crc32c): number {
    const columns = this.#columns;
    let hash = crc32c.update(0, HASH_KV_SEED);
    for (let leaf = 0; leaf < this.#leafCount; leaf += 1) {
      const first = this.#leaves[2 * leaf]!;
      const last = columns.hasLeafChecksum(first) ? first : first + this.#leaves[2 * leaf + 1]! - 1;
      for (let index = first; index <= last; index += 1) {
        if (!this.#isHashed(index)) continue;
        hash = combineCrc32c(hash, columns.checksum(index), columns.checksummedLength(index));
      }
    }
    return hash;
  }

  #isHashed(index: number): boolean {
    const columns = this.#columns;
    return isHashed({
      isLater: columns.isLater(index),
      isCompacted: columns.isCompacted(index),
      isAtCompaction: columns.isAtCompaction(index),
      isTombstone: columns.isTombstone(index),
      isLive: columns.isLive(index),
      live: this.newest.live,
    });
  }
}

/** What decides whether a record counts for HashKV. */
interface Standing {
  readonly isLater: boolean;
  readonly isCompacted: boolean;
  readonly isAtCompaction: boolean;
  readonly isTombstone: boolean;
  /** Whether it is the newest of a live key. */
  readonly isLive: boolean;
  /** How many keys are alive at the revision. */
  readonly live: number;
}

/** (etcd, server/storage/mvcc/hash.go, kvHasher.WriteKeyValue) */
export function isHashed(record: Standing): boolean {
  if (record.isLater) return false;
  if (!record.isCompacted) return true;
  // Since 3.4.34 and 3.5.16 a compaction leaves a tombstone of its revision, which must not make a difference.
  if (record.isAtCompaction && record.isTombstone) return false;
  // Of what is compacted, only what is still alive at the revision counts; all of it, where nothing is.
  return record.live === 0 || record.isLive;
}
