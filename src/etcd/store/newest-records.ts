// Which record of each key is the newest, while records are followed in the order of their revisions.

import type { RecordColumns } from './record-columns.ts';

/** Twice the slots are made when this much of them is taken. */
const LOAD_MAX = 0.6;

export class NewestRecords {
  readonly #columns: RecordColumns;
  /** Index of a record plus 1; 0 where the slot is free. A slot for each key, found by its hash. */
  #slots = new Uint32Array(1024);
  #taken = 0;
  #live = 0;

  constructor(columns: RecordColumns) {
    this.#columns = columns;
  }

  /** Keys whose newest record is no tombstone. The marker of a revision bump counts as a key. */
  get live(): number {
    return this.#live;
  }

  /**
   * Follows the next record.
   * @returns the one of its key before it; -1 if there was none
   */
  follow(index: number): number {
    if (this.#taken >= this.#slots.length * LOAD_MAX) this.#grow();
    const slot = this.#slotOf(index);
    const previous = this.#slots[slot]! - 1;
    this.#slots[slot] = index + 1;
    if (previous < 0) {
      this.#taken += 1;
    } else {
      if (!this.#columns.isTombstone(previous)) this.#live -= 1;
      this.#columns.setSuperseded(previous);
    }
    if (!this.#columns.isTombstone(index)) this.#live += 1;
    return previous;
  }

  #slotOf(index: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = this.#columns.hash(index) & mask; ; slot = (slot + 1) & mask) {
      const taken = this.#slots[slot]!;
      if (taken === 0 || this.#columns.haveSameKey(taken - 1, index)) return slot;
    }
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(2 * before.length);
    for (const taken of before) {
      if (taken !== 0) this.#slots[this.#slotOf(taken - 1)] = taken;
    }
  }
}
