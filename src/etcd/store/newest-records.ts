// Which record of each key is its newest.

import { KeyTable } from './key-table.ts';

export class NewestRecords {
  /** The number of the record times 2, plus 1 for a tombstone. */
  readonly #table = new KeyTable(1);
  #live = 0;

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
    const place = this.#table.place(bytes, keyStart, keyEnd);
    const before = this.#table.get(place, 0);
    if (before !== 0 && before % 2 === 0) this.#live -= 1;
    if (!isTombstone) this.#live += 1;
    this.#table.set(place, 2 * number + (isTombstone ? 1 : 0));
  }

  /** Whether a record is its key's newest, and no tombstone. */
  isLive(bytes: Uint8Array, keyStart: number, keyEnd: number, number: number): boolean {
    return this.#table.get(this.#table.place(bytes, keyStart, keyEnd), 0) === 2 * number;
  }
}
