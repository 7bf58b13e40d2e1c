// The keys of a database as they were at a revision, as etcd's own index would answer a range request for it.
// Source: etcd, server/storage/mvcc/kvstore_txn.go (rangeKeys), kvstore.go (restore), key_index.go.

import { databaseDamaged } from '../../bbolt/damage.ts';
import type { KeyBounds } from '../../bbolt/key-range.ts';
import { readMeta } from '../../bbolt/meta.ts';
import type { LeafPage } from '../../bbolt/page.ts';
import type { PageSource } from '../../bbolt/page-source.ts';
import type { TreeVisitor } from '../../bbolt/tree-visitor.ts';
import { walkTree } from '../../bbolt/walk.ts';
import { IndexedKey, KeyRows } from './key-rows.ts';
import { KEY_BUCKET, RecordReader } from './records.ts';
import { compactRevisionOf, demandNotCompacted, demandNotFuture } from './revision-bounds.ts';
import { readStoreFacts } from './store-facts.ts';

export interface KeyIndexOptions {
  /** 0 for the newest. */
  readonly revision?: bigint;
  /** Keys to take, all of them by default; the memory that the index takes is for these alone. */
  readonly keys?: KeyBounds;
}

/**
 * Indexes the keys alive at a revision. A compaction that is under way counts as done, as for `hashKV`. The marker
 * of a revision bump is no key.
 * @throws EtcdkeepError `revision-compacted`, `revision-future`, `database-damaged`, `file-failed`
 */
export async function readKeyIndex(
  source: PageSource,
  { revision = 0n, keys = withPrefix('') }: KeyIndexOptions = {},
): Promise<KeyIndex> {
  const meta = await readMeta(source);
  const compactRevision = compactRevisionOf(await readStoreFacts(source, meta));
  demandNotCompacted(revision, compactRevision);
  const visitor = new IndexVisitor(revision, keys);
  await walkTree(source, meta, visitor);
  const currentRevision = max(max(visitor.last, 1n), compactRevision);
  demandNotFuture(revision, currentRevision);
  const at = revision > 0n ? revision : currentRevision;
  return new KeyIndex(visitor.rows, at, currentRevision, compactRevision);
}

/** The range of all keys that begin with a prefix; of all keys for the empty one. */
export function withPrefix(prefix: string | Uint8Array): KeyBounds {
  const lower = Buffer.from(prefix);
  let length = lower.length;
  while (length > 0 && lower[length - 1] === 0xff) length -= 1;
  if (length === 0) return { lower: lower.length === 0 ? undefined : lower, upper: undefined };
  const upper = Buffer.from(lower.subarray(0, length));
  upper[length - 1]! += 1;
  return { lower, upper };
}

/** The range of one key. */
export function justKey(key: string | Uint8Array): KeyBounds {
  const lower = Buffer.from(key);
  return { lower, upper: Buffer.concat([lower, Buffer.from([0])]) };
}

/** Reads the value of a key. @throws EtcdkeepError `file-failed` */
export async function readValue(
  source: PageSource,
  { valueOffset, valueLength }: Pick<IndexedKey, 'valueOffset' | 'valueLength'>,
): Promise<Uint8Array> {
  const value = new Uint8Array(valueLength);
  await source.read(value, valueOffset);
  return value;
}

export class KeyIndex {
  /** Of which the keys are. */
  readonly revision: bigint;
  /** The newest, at which a member would start. */
  readonly currentRevision: bigint;
  /** Up to which the past is gone; -1 if none of it is. */
  readonly compactRevision: bigint;
  readonly #rows: KeyRows;
  /** Rows of live keys. */
  readonly #live: Uint32Array;
  #isInKeyOrder = false;

  constructor(rows: KeyRows, revision: bigint, currentRevision: bigint, compactRevision: bigint) {
    this.#rows = rows;
    this.revision = revision;
    this.currentRevision = currentRevision;
    this.compactRevision = compactRevision;
    const live = new Uint32Array(rows.count);
    let size = 0;
    for (let row = 0; row < rows.count; row += 1) {
      if (rows.isDeleted(row)) continue;
      live[size] = row;
      size += 1;
    }
    this.#live = live.subarray(0, size);
  }

  /** Keys alive. */
  get size(): number {
    return this.#live.length;
  }

  /** @returns what is known of a key that is alive */
  get(key: string | Uint8Array): IndexedKey | undefined {
    const bytes = Buffer.from(key);
    const row = this.#rows.find(bytes, 0, bytes.length);
    if (row < 0 || this.#rows.isDeleted(row)) return undefined;
    return this.#rows.read(row, new IndexedKey());
  }

  /** The keys in their order as bytes. The object is used again for the next key: keep nothing of it. */
  *inKeyOrder({ lower, upper }: KeyBounds = withPrefix('')): Generator<IndexedKey> {
    const rows = this.#rows;
    if (!this.#isInKeyOrder) this.#live.sort((left, right) => rows.compareKeys(left, right));
    this.#isInKeyOrder = true;
    const end = upper === undefined ? this.size : this.#firstFrom(upper);
    const key = new IndexedKey();
    for (let at = lower === undefined ? 0 : this.#firstFrom(lower); at < end; at += 1) {
      yield rows.read(this.#live[at]!, key);
    }
  }

  /** The keys in the order of their records, which is that of the file. The object is used again likewise. */
  *inRecordOrder(): Generator<IndexedKey> {
    const rows = this.#rows;
    const order = this.#live.slice().sort((left, right) => rows.compareRevisions(left, right));
    const key = new IndexedKey();
    for (const row of order) yield rows.read(row, key);
  }

  #firstFrom(bound: Uint8Array): number {
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#rows.compareKey(this.#live[middle]!, bound, 0, bound.length) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

class IndexVisitor implements TreeVisitor {
  readonly rows = new KeyRows();
  /** Main revision of the last record. */
  last = 0n;
  readonly #revision: bigint;
  readonly #keys: KeyBounds;
  readonly #record = new RecordReader();
  /** What is written to a row; one object for all of them. */
  readonly #values = new IndexedKey();

  constructor(revision: bigint, keys: KeyBounds) {
    this.#revision = revision;
    this.#keys = keys;
  }

  enterBucket(name: Uint8Array, depth: number): boolean {
    return depth === 1 && KEY_BUCKET.equals(name);
  }

  scannedLeaf(): void {
    throw new Error('no page was scanned');
  }

  /** @throws EtcdkeepError `database-damaged` */
  leaf(leaf: LeafPage, page: number, depth: number, offset: number): void {
    if (depth !== 1) return;
    const record = this.#record;
    for (let index = 0; index < leaf.count; index += 1) {
      record.demand(leaf, index, page);
      this.last = record.exactMain;
      if (this.#revision > 0n && this.last > this.#revision) continue;
      const { keyStart, keyEnd } = record.keyValue;
      if (keyStart === keyEnd || !this.#isWanted(record.bytes, keyStart, keyEnd)) continue;
      if (record.isTombstone) this.#delete(record);
      else this.#put(record, leaf.view, page, offset);
    }
  }

  #delete({ bytes, keyValue }: RecordReader): void {
    const row = this.rows.find(bytes, keyValue.keyStart, keyValue.keyEnd);
    if (row >= 0) this.rows.markDeleted(row);
  }

  #put(record: RecordReader, view: DataView, page: number, offset: number): void {
    const { bytes, exactMain: main, start, keyValue } = record;
    const { keyStart, keyEnd, userValueStart, userValueEnd } = keyValue;
    // 2^32 changes are in no transaction: etcd keeps all of one in memory.
    if (view.getUint32(start + 9) !== 0) {
      throw databaseDamaged(`revision ${main} has a sub revision that no transaction reaches`, {
        page,
        revision: main,
      });
    }
    const values = this.#values;
    values.subRevision = view.getUint32(start + 13);
    values.modRevision = main;
    values.createRevision = keyValue.exactCreateRevision;
    values.version = keyValue.version;
    values.lease = keyValue.lease;
    values.page = page;
    // The bytes of a page begin with the page.
    values.valueOffset = offset + userValueStart;
    values.valueLength = userValueEnd - userValueStart;
    this.rows.write(this.rows.findOrAdd(bytes, keyStart, keyEnd), values);
  }

  #isWanted(bytes: Uint8Array, start: number, end: number): boolean {
    const { lower, upper } = this.#keys;
    return (
      (lower === undefined || compare(bytes, start, end, lower) >= 0) &&
      (upper === undefined || compare(bytes, start, end, upper) < 0)
    );
  }
}

/** Order of a key in bytes and a bound. */
function compare(bytes: Uint8Array, start: number, end: number, bound: Uint8Array): number {
  const common = Math.min(end - start, bound.length);
  for (let index = 0; index < common; index += 1) {
    const difference = bytes[start + index]! - bound[index]!;
    if (difference !== 0) return difference;
  }
  return end - start - bound.length;
}

function max(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
