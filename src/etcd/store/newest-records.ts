// Which record of each key is its newest, in some 30 bytes a key whatever its length: keys are told apart by
// 64 bits of a hash that is seeded anew in each process. That two of a million keys share one by chance is
// less likely than one in ten million.

import { randomBytes } from 'node:crypto';

/** Multipliers of MurmurHash3's finalizer, and of xxHash32. */
const MULTIPLIERS = [0x85ebca6b, 0x9e3779b1] as const;

/** Twice the slots are made when this much of them is taken. */
const LOAD_MAX = 0.6;

export class NewestRecords {
  readonly #seeds = new Uint32Array(2);
  #slots = 1024;
  #taken = 0;
  #live = 0;
  // By slot: the two halves of the hash, and the number of the record times 2, plus 1 for a tombstone.
  #hashes = new Uint32Array(2 * this.#slots);
  #records = new Float64Array(this.#slots);
  // Hash of the key that was looked for last.
  #first = 0;
  #second = 0;

  constructor() {
    randomBytes(8).copy(new Uint8Array(this.#seeds.buffer));
  }

  /** Keys whose newest record is no tombstone. */
  get live(): number {
    return this.#live;
  }

  /** Takes the next record. @param number counted from 1, in the order of revisions */
  add(
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    number: number,
    isTombstone: boolean,
  ): void {
    if (this.#taken >= this.#slots * LOAD_MAX) this.#grow();
    const slot = this.#find(bytes, keyStart, keyEnd);
    const before = this.#records[slot]!;
    if (before === 0) this.#taken += 1;
    else if (before % 2 === 0) this.#live -= 1;
    if (!isTombstone) this.#live += 1;
    this.#hashes[2 * slot] = this.#first;
    this.#hashes[2 * slot + 1] = this.#second;
    this.#records[slot] = 2 * number + (isTombstone ? 1 : 0);
  }

  /** Whether a record is its key's newest, and no tombstone. */
  isLive(bytes: Uint8Array, keyStart: number, keyEnd: number, number: number): boolean {
    return this.#records[this.#find(bytes, keyStart, keyEnd)] === 2 * number;
  }

  /** The slot of a key, or the free one that it would get. */
  #find(bytes: Uint8Array, keyStart: number, keyEnd: number): number {
    let [first, second] = this.#seeds as unknown as [number, number];
    for (let at = keyStart; at < keyEnd; at += 1) {
      const byte = bytes[at]!;
      first = Math.imul(first ^ byte, MULTIPLIERS[0]);
      first ^= first >>> 15;
      second = Math.imul(second + byte, MULTIPLIERS[1]);
      second ^= second >>> 13;
    }
    this.#first = first >>> 0;
    this.#second = second >>> 0;
    return this.#slotOf(this.#first, this.#second);
  }

  #slotOf(first: number, second: number): number {
    const mask = this.#slots - 1;
    for (let slot = first & mask; ; slot = (slot + 1) & mask) {
      if (this.#records[slot] === 0) return slot;
      if (this.#hashes[2 * slot] === first && this.#hashes[2 * slot + 1] === second) return slot;
    }
  }

  #grow(): void {
    const [slots, hashes, records] = [this.#slots, this.#hashes, this.#records];
    this.#slots = 2 * slots;
    this.#hashes = new Uint32Array(2 * this.#slots);
    this.#records = new Float64Array(this.#slots);
    for (let old = 0; old < slots; old += 1) {
      if (records[old] === 0) continue;
      const slot = this.#slotOf(hashes[2 * old]!, hashes[2 * old + 1]!);
      this.#hashes[2 * slot] = hashes[2 * old]!;
      this.#hashes[2 * slot + 1] = hashes[2 * old + 1]!;
      this.#records[slot] = records[old]!;
    }
  }
}
