// What is remembered of each record of bucket `key`: some 45 bytes, whatever the size of its key and value. Keys
// are told apart by 64 bits of a hash that is seeded anew in each process: that two of a million keys share
// one by chance is less likely than one in ten million.

import { randomBytes } from 'node:crypto';
import type { Crc32c } from '../../base/crc32c.ts';
import { combineCrc32c } from '../../base/crc32c-combine.ts';
import type { LeafPage } from '../../bbolt/page.ts';
import type { RecordReader } from './records.ts';

const TOMBSTONE = 1;
/** Without a key: the marker of a revision bump. */
const MARKER = 2;
/** A later record of its key has been seen. */
const SUPERSEDED = 4;
/** The checksum is that of its whole leaf, whose first record it is. */
const OF_LEAF = 8;
const COMPACTED = 16;
const AT_COMPACTION = 32;
/** Of a later revision than the one that is looked at. */
const LATER = 64;

/** Records of a block: memory grows by one, and is never copied. */
const BLOCK_BITS = 14;
const BLOCK_LENGTH = 1 << BLOCK_BITS;
const BLOCK_MASK = BLOCK_LENGTH - 1;

/** Multipliers of MurmurHash3's finalizer, and of xxHash32. */
const MULTIPLIERS = [0x85ebca6b, 0x9e3779b1] as const;

const SEEDS = new Uint32Array(2);
randomBytes(8).copy(new Uint8Array(SEEDS.buffer));

const ALL_KEYS = { partition: 0, partitions: 1 };

class Block {
  readonly flags = new Uint8Array(BLOCK_LENGTH);
  readonly firstHashes = new Uint32Array(BLOCK_LENGTH);
  readonly secondHashes = new Uint32Array(BLOCK_LENGTH);
  readonly mains = new Float64Array(BLOCK_LENGTH);
  readonly creations = new Float64Array(BLOCK_LENGTH);
  readonly versions = new Float64Array(BLOCK_LENGTH);
  readonly checksums = new Uint32Array(BLOCK_LENGTH);
  readonly lengths = new Uint32Array(BLOCK_LENGTH);
  /** Made for the first of its records that has a lease. */
  leases: BigUint64Array | undefined;
}

export class RecordColumns {
  length = 0;
  /** Up to it the past is compacted, or would be once a member starts; -1 if never. */
  readonly compactRevision: bigint;
  readonly #revision: bigint;
  readonly #blocks: Block[] = [];
  readonly #partition: number;
  readonly #partitions: number;

  /**
   * @param revision that is looked at; 0 for the newest
   * @param part of the keys whose records are remembered, if not all of them
   */
  constructor(
    compactRevision: bigint,
    revision = 0n,
    part: { readonly partition: number; readonly partitions: number } = ALL_KEYS,
  ) {
    this.#partition = part.partition;
    this.#partitions = part.partitions;
    this.compactRevision = compactRevision;
    this.#revision = revision;
  }

  /** @returns the index of the record, counted from 0; -1 if its key is of another part */
  append(record: RecordReader): number {
    const { bytes, keyValue, main } = record;
    const { keyStart, keyEnd } = keyValue;
    let first = SEEDS[0]!;
    let second = SEEDS[1]!;
    for (let offset = keyStart; offset < keyEnd; offset += 1) {
      const byte = bytes[offset]!;
      first = Math.imul(first ^ byte, MULTIPLIERS[0]);
      first ^= first >>> 15;
      second = Math.imul(second + byte, MULTIPLIERS[1]);
      second ^= second >>> 13;
    }
    if ((second >>> 0) % this.#partitions !== this.#partition) return -1;
    const index = this.length;
    if (index >>> BLOCK_BITS === this.#blocks.length) this.#blocks.push(new Block());
    const block = this.#blockOf(index);
    const at = index & BLOCK_MASK;
    block.firstHashes[at] = first;
    block.secondHashes[at] = second;
    const kind = (record.isTombstone ? TOMBSTONE : 0) | (keyStart === keyEnd ? MARKER : 0);
    block.flags[at] = kind | this.#relations(record);
    block.mains[at] = main;
    block.creations[at] = keyValue.createRevision;
    block.versions[at] = keyValue.version;
    if (keyValue.hasLease) {
      block.leases ??= new BigUint64Array(BLOCK_LENGTH);
      block.leases[at] = keyValue.lease;
    } else if (block.leases !== undefined) {
      block.leases[at] = 0n;
    }
    this.length = index + 1;
    return index;
  }

  /** How it lies to the two revisions; exact where the number is not. */
  #relations(record: RecordReader): number {
    const main = record.main < 2 ** 53 ? record.main : record.exactMain;
    const isLater = this.#revision !== 0n && main > this.#revision ? LATER : 0;
    if (main > this.compactRevision) return isLater;
    return isLater | COMPACTED | (main < this.compactRevision ? 0 : AT_COMPACTION);
  }

  /** Forgets the records from an index on. */
  truncate(length: number): void {
    this.length = length;
  }

  /**
   * Computes the checksums of a leaf's records, all of which have just been remembered: one for all of them,
   * unless some count for HashKV and others may not.
   * @param first index of the leaf's first record
   * @returns CRC-32C over all keys and values of the leaf
   */
  checksumLeaf(crc32c: Crc32c, leaf: LeafPage, first: number): number {
    let isWhole = leaf.isContiguous;
    for (let index = first; index < this.length; index += 1) {
      if (this.#hasFlag(index, COMPACTED | LATER)) isWhole = false;
    }
    if (isWhole) {
      const crc = crc32c.updateAt(0, leaf.keyStart(0), leaf.dataLength);
      this.#setChecksum(first, crc, leaf.dataLength);
      this.#setFlag(first, OF_LEAF);
      return crc;
    }
    let all = 0;
    for (let index = 0; index < leaf.count; index += 1) {
      const start = leaf.keyStart(index);
      const length = leaf.valueEnd(index) - start;
      const crc = crc32c.updateAt(0, start, length);
      this.#setChecksum(first + index, crc, length);
      all = combineCrc32c(all, crc, length);
    }
    return all;
  }

  /** @param bytes of the record, its revision and its value */
  setChecksum(index: number, crc32c: Crc32c, bytes: Uint8Array): void {
    this.#setChecksum(index, crc32c.update(0, bytes), bytes.length);
  }

  #setChecksum(index: number, checksum: number, length: number): void {
    const block = this.#blockOf(index);
    block.checksums[index & BLOCK_MASK] = checksum;
    block.lengths[index & BLOCK_MASK] = length;
  }

  setSuperseded(index: number): void {
    this.#setFlag(index, SUPERSEDED);
  }

  isTombstone(index: number): boolean {
    return this.#hasFlag(index, TOMBSTONE);
  }

  isMarker(index: number): boolean {
    return this.#hasFlag(index, MARKER);
  }

  /** Whether it is the newest of its key that was followed, and no tombstone. */
  isLive(index: number): boolean {
    return !this.#hasFlag(index, SUPERSEDED | TOMBSTONE);
  }

  isCompacted(index: number): boolean {
    return this.#hasFlag(index, COMPACTED);
  }

  /** Whether it is of the very revision that the past is compacted up to. */
  isAtCompaction(index: number): boolean {
    return this.#hasFlag(index, AT_COMPACTION);
  }

  isLater(index: number): boolean {
    return this.#hasFlag(index, LATER);
  }

  hasLeafChecksum(index: number): boolean {
    return this.#hasFlag(index, OF_LEAF);
  }

  /** Main revision, exact up to 2^53, as the two numbers below are. */
  main(index: number): number {
    return this.#blockOf(index).mains[index & BLOCK_MASK]!;
  }

  createRevision(index: number): number {
    return this.#blockOf(index).creations[index & BLOCK_MASK]!;
  }

  version(index: number): number {
    return this.#blockOf(index).versions[index & BLOCK_MASK]!;
  }

  /** CRC-32C over its revision and value; over all records of its leaf, where it `hasLeafChecksum`. */
  checksum(index: number): number {
    return this.#blockOf(index).checksums[index & BLOCK_MASK]!;
  }

  checksummedLength(index: number): number {
    return this.#blockOf(index).lengths[index & BLOCK_MASK]!;
  }

  /** 0 if it has none. */
  lease(index: number): bigint {
    return this.#blockOf(index).leases?.[index & BLOCK_MASK] ?? 0n;
  }

  hash(index: number): number {
    return this.#blockOf(index).firstHashes[index & BLOCK_MASK]!;
  }

  haveSameKey(left: number, right: number): boolean {
    return (
      this.hash(left) === this.hash(right) &&
      this.#blockOf(left).secondHashes[left & BLOCK_MASK] ===
        this.#blockOf(right).secondHashes[right & BLOCK_MASK]
    );
  }

  #blockOf(index: number): Block {
    return this.#blocks[index >>> BLOCK_BITS]!;
  }

  #hasFlag(index: number, flags: number): boolean {
    return (this.#blockOf(index).flags[index & BLOCK_MASK]! & flags) !== 0;
  }

  #setFlag(index: number, flag: number): void {
    this.#blockOf(index).flags[index & BLOCK_MASK]! |= flag;
  }
}
