// A row of 64 bytes for each key, found by the key: what an index of a store is made of. Keys are kept as they
// are, one after the other in blocks; no key and no row is an object.

import { randomBytes } from 'node:crypto';

/*
 * A row, in a DataView, big-endian:
 *    0 block of the key u32     4 its start there u32     8 its length u32    12 sub revision u32
 *   16 main revision u64       24 create revision u64    32 version f64       40 lease u64
 *   48 offset of the value f64 56 page of the record u32, 0 if the key is deleted
 *   60 length of the value u32
 */
const ROW_SIZE = 64;
const ROWS_OF_CHUNK = 4096;
/** Bytes of keys; a longer key has a block of its own. */
const BLOCK_SIZE = 256 * 1024;
/** Twice the slots are made when this much of them is taken. */
const LOAD_MAX = 0.6;
/** Multiplier of MurmurHash3's finalizer. */
const MULTIPLIER = 0x85ebca6b;

/** What is known of one key; the object is used again for the next one, so keep nothing of it. */
export class IndexedKey {
  /** Lies in the index, and is not to be changed. */
  key: Uint8Array = new Uint8Array(0);
  createRevision = 0n;
  modRevision = 0n;
  /** Place of the change in its transaction, from 0. */
  subRevision = 0;
  /** Changes since the key was created. */
  version = 0;
  /** 0 if there is none. */
  lease = 0n;
  /** Page of the record. */
  page = 0;
  /** Of the value in the file, in bytes. */
  valueOffset = 0;
  valueLength = 0;
}

export class KeyRows {
  readonly #seed = randomBytes(4).readUInt32LE();
  readonly #blocks: Uint8Array[] = [];
  /** Bytes taken of the last block. */
  #taken = 0;
  readonly #chunks: DataView[] = [];
  #count = 0;
  /** Number of a row plus 1, by the hash of its key. */
  #slots = new Uint32Array(1024);

  /** Rows; those of deleted keys count. */
  get count(): number {
    return this.#count;
  }

  /** @returns the row of a key, or -1 */
  find(bytes: Uint8Array, start: number, end: number): number {
    return this.#slots[this.#slotOf(bytes, start, end)]! - 1;
  }

  /** The same; a key that is new gets a row. */
  findOrAdd(bytes: Uint8Array, start: number, end: number): number {
    const slot = this.#slotOf(bytes, start, end);
    if (this.#slots[slot] !== 0) return this.#slots[slot]! - 1;
    const row = this.#count;
    if (row % ROWS_OF_CHUNK === 0) {
      this.#chunks.push(new DataView(new ArrayBuffer(ROW_SIZE * ROWS_OF_CHUNK)));
    }
    this.#count += 1;
    this.#keep(row, bytes, start, end);
    this.#slots[slot] = row + 1;
    if (this.#count >= this.#slots.length * LOAD_MAX) this.#grow();
    return row;
  }

  /** Writes all of a row but its key. */
  write(row: number, values: Omit<IndexedKey, 'key'>): void {
    const view = this.#chunkOf(row);
    const at = atOf(row);
    view.setUint32(at + 12, values.subRevision);
    view.setBigUint64(at + 16, values.modRevision);
    view.setBigUint64(at + 24, values.createRevision);
    view.setFloat64(at + 32, values.version);
    view.setBigUint64(at + 40, values.lease);
    view.setFloat64(at + 48, values.valueOffset);
    view.setUint32(at + 56, values.page);
    view.setUint32(at + 60, values.valueLength);
  }

  read(row: number, into: IndexedKey): IndexedKey {
    const view = this.#chunkOf(row);
    const at = atOf(row);
    const start = view.getUint32(at + 4);
    into.key = this.#blockOf(row).subarray(start, start + view.getUint32(at + 8));
    into.subRevision = view.getUint32(at + 12);
    into.modRevision = view.getBigUint64(at + 16);
    into.createRevision = view.getBigUint64(at + 24);
    into.version = view.getFloat64(at + 32);
    into.lease = view.getBigUint64(at + 40);
    into.valueOffset = view.getFloat64(at + 48);
    into.page = view.getUint32(at + 56);
    into.valueLength = view.getUint32(at + 60);
    return into;
  }

  /** Takes a key for deleted, until its row is written again. */
  markDeleted(row: number): void {
    this.#chunkOf(row).setUint32(atOf(row) + 56, 0);
  }

  isDeleted(row: number): boolean {
    return this.#chunkOf(row).getUint32(atOf(row) + 56) === 0;
  }

  /** Order of two rows by their keys, as bytes: negative, 0 or positive. */
  compareKeys(left: number, right: number): number {
    const view = this.#chunkOf(right);
    const start = view.getUint32(atOf(right) + 4);
    const end = start + view.getUint32(atOf(right) + 8);
    return this.compareKey(left, this.#blockOf(right), start, end);
  }

  /** Order of a row and a key by their keys. */
  compareKey(row: number, bytes: Uint8Array, start: number, end: number): number {
    const view = this.#chunkOf(row);
    const own = this.#blockOf(row);
    const ownStart = view.getUint32(atOf(row) + 4);
    const length = view.getUint32(atOf(row) + 8);
    const common = Math.min(length, end - start);
    for (let index = 0; index < common; index += 1) {
      const difference = own[ownStart + index]! - bytes[start + index]!;
      if (difference !== 0) return difference;
    }
    return length - (end - start);
  }

  /** Order of two rows by their revisions. */
  compareRevisions(left: number, right: number): number {
    const [one, two] = [this.#chunkOf(left), this.#chunkOf(right)];
    const [at, to] = [atOf(left), atOf(right)];
    return (
      one.getUint32(at + 16) - two.getUint32(to + 16) ||
      one.getUint32(at + 20) - two.getUint32(to + 20) ||
      one.getUint32(at + 12) - two.getUint32(to + 12)
    );
  }

  #chunkOf(row: number): DataView {
    return this.#chunks[Math.floor(row / ROWS_OF_CHUNK)]!;
  }

  #blockOf(row: number): Uint8Array {
    return this.#blocks[this.#chunkOf(row).getUint32(atOf(row))]!;
  }

  #keep(row: number, bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const last = this.#blocks.at(-1);
    if (last === undefined || this.#taken + length > last.length) {
      this.#blocks.push(new Uint8Array(Math.max(length, BLOCK_SIZE)));
      this.#taken = 0;
    }
    this.#blocks.at(-1)!.set(bytes.subarray(start, end), this.#taken);
    const view = this.#chunkOf(row);
    view.setUint32(atOf(row), this.#blocks.length - 1);
    view.setUint32(atOf(row) + 4, this.#taken);
    view.setUint32(atOf(row) + 8, length);
    this.#taken += length;
  }

  /** The slot of a key, or the free one where it belongs. */
  #slotOf(bytes: Uint8Array, start: number, end: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = this.#hash(bytes, start, end) & mask; ; slot = (slot + 1) & mask) {
      const row = this.#slots[slot]! - 1;
      if (row < 0 || this.compareKey(row, bytes, start, end) === 0) return slot;
    }
  }

  #hash(bytes: Uint8Array, start: number, end: number): number {
    let hash = this.#seed;
    for (let at = start; at < end; at += 1) {
      hash = Math.imul(hash ^ bytes[at]!, MULTIPLIER);
      hash ^= hash >>> 15;
    }
    return hash >>> 0;
  }

  #grow(): void {
    const slots = new Uint32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let row = 0; row < this.#count; row += 1) {
      const view = this.#chunkOf(row);
      const start = view.getUint32(atOf(row) + 4);
      const end = start + view.getUint32(atOf(row) + 8);
      let slot = this.#hash(this.#blockOf(row), start, end) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = row + 1;
    }
    this.#slots = slots;
  }
}

function atOf(row: number): number {
  return (row % ROWS_OF_CHUNK) * ROW_SIZE;
}
