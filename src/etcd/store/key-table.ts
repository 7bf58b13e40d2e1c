// Numbers for each key of a store, a few bytes a key whatever its length: keys are told apart by 64 bits of a
// hash that is seeded anew in each process. That two of a million keys share one by chance is less likely
// than one in ten million.

import { randomBytes } from 'node:crypto';

/** Multipliers of MurmurHash3's finalizer, and of xxHash32. */
const MULTIPLIERS = [0x85ebca6b, 0x9e3779b1] as const;

/** Twice the slots are made when this much of them is taken. */
const LOAD_MAX = 0.6;

export class KeyTable {
  readonly #width: number;
  readonly #seeds = new Uint32Array(2);
  #slots = 1024;
  #taken = 0;
  #hashes: Uint32Array;
  /** The first of a slot is 0 where the slot is free. */
  #values: Float64Array;
  // Hash of the key that was looked for last.
  #first = 0;
  #second = 0;

  /** @param width numbers for each key; the first must not be 0 */
  constructor(width: number) {
    this.#width = width;
    this.#hashes = new Uint32Array(2 * this.#slots);
    this.#values = new Float64Array(width * this.#slots);
    randomBytes(8).copy(new Uint8Array(this.#seeds.buffer));
  }

  /** The place of a key, for `get` and `set`; good until the next call of `place`. */
  place(bytes: Uint8Array, keyStart: number, keyEnd: number): number {
    if (this.#taken >= this.#slots * LOAD_MAX) this.#grow();
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

  /** 0 where nothing was set. */
  get(place: number, column: number): number {
    return this.#values[place * this.#width + column]!;
  }

  /** Sets all numbers of the key whose place was asked for last. */
  set(place: number, ...values: readonly number[]): void {
    const at = place * this.#width;
    if (this.#values[at] === 0) this.#taken += 1;
    this.#hashes[2 * place] = this.#first;
    this.#hashes[2 * place + 1] = this.#second;
    for (let column = 0; column < this.#width; column += 1) {
      this.#values[at + column] = values[column]!;
    }
  }

  #slotOf(first: number, second: number): number {
    const mask = this.#slots - 1;
    for (let slot = first & mask; ; slot = (slot + 1) & mask) {
      if (this.#values[slot * this.#width] === 0) return slot;
      if (this.#hashes[2 * slot] === first && this.#hashes[2 * slot + 1] === second) return slot;
    }
  }

  #grow(): void {
    const [slots, width, hashes, values] = [this.#slots, this.#width, this.#hashes, this.#values];
    this.#slots = 2 * slots;
    this.#hashes = new Uint32Array(2 * this.#slots);
    this.#values = new Float64Array(width * this.#slots);
    for (let old = 0; old < slots; old += 1) {
      if (values[old * width] === 0) continue;
      const slot = this.#slotOf(hashes[2 * old]!, hashes[2 * old + 1]!);
      this.#hashes[2 * slot] = hashes[2 * old]!;
      this.#hashes[2 * slot + 1] = hashes[2 * old + 1]!;
      const row = values.subarray(old * width, (old + 1) * width);
      this.#values.set(row, slot * width);
    }
  }
}
