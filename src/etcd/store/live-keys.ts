// How many keys are alive at the last revision of a database, as etcdutl 3.6 and later count them
// for totalKey (etcdutl/snapshot, Status): a set of keys, to which each record adds its key, and
// from which each tombstone takes it.

import type { LeafSummary } from './page-summaries.ts';

/** A record of bucket `key`. */
export interface StoredRecord {
  readonly main: bigint;
  readonly isTombstone: boolean;
  /** The user's key; empty in the marker that a restore with a revision bump leaves. */
  readonly key: Uint8Array;
  readonly version: number;
}

/** Counts live keys from all records of bucket `key`, in order. */
export interface LiveKeyCounter {
  add(record: StoredRecord): void;
  /** Whether `addSummary` can take a leaf whose main revisions are those. */
  takesSummary(firstMain: number, lastMain: number): boolean;
  addSummary(summary: LeafSummary): void;
  readonly count: number;
}

/**
 * @param finished revision of the last finished compaction, if there was one
 * @param scheduled revision of the last compaction that was begun, if there was one
 */
export function liveKeyCounter(
  finished: bigint | undefined,
  scheduled: bigint | undefined,
): LiveKeyCounter {
  const compacted = finished ?? -1n;
  return scheduled !== undefined && scheduled > compacted
    ? new LiveKeySet()
    : new LiveKeySum(compacted);
}

/**
 * Counts without remembering a key. A finished compaction leaves at most one record of a key at or
 * below its revision, that of the key alive there (or a tombstone of exactly that revision, which
 * stands for no key). Beyond it, a key comes to life with a record of version 1, and ends with a
 * tombstone. This holds for what etcd writes: a database that lost records, and is sound
 * nevertheless, may be counted wrongly.
 */
class LiveKeySum implements LiveKeyCounter {
  readonly #compacted: bigint;
  readonly #compactedNumber: number;
  #sum = 0;
  /** The markers of all bumps have the empty key, which counts once. */
  #hasMarker = false;

  constructor(compacted: bigint) {
    this.#compacted = compacted;
    // Summaries are of revisions below 2^53: rounding a larger one changes no comparison.
    this.#compactedNumber = Number(compacted);
  }

  add({ main, isTombstone, key, version }: StoredRecord): void {
    const isCompacted = main <= this.#compacted;
    if (isTombstone) this.#sum -= isCompacted ? 0 : 1;
    else if (key.length === 0) this.#hasMarker = true;
    else if (isCompacted || version === 1) this.#sum += 1;
  }

  takesSummary(firstMain: number, lastMain: number): boolean {
    return firstMain > this.#compactedNumber || lastMain <= this.#compactedNumber;
  }

  addSummary({ firstMain, entries, creations, tombstones }: LeafSummary): void {
    this.#sum += firstMain > this.#compactedNumber ? creations - tombstones : entries - tombstones;
  }

  get count(): number {
    return this.#sum + (this.#hasMarker ? 1 : 0);
  }
}

/**
 * Counts by remembering every live key. While a compaction is under way it has removed some of the
 * records below its revision and not others, so nothing less will do; the memory that this takes
 * grows with the keys.
 */
class LiveKeySet implements LiveKeyCounter {
  readonly #keys = new Set<string>();

  add({ isTombstone, key }: StoredRecord): void {
    const text = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
    if (isTombstone) this.#keys.delete(text);
    else this.#keys.add(text);
  }

  takesSummary(): boolean {
    return false;
  }

  addSummary(): void {
    throw new Error('a summary names no keys');
  }

  get count(): number {
    return this.#keys.size;
  }
}
