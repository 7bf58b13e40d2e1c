// The keys that a page may hold, by the branch above it: from `lower` on, up to `upper` without it. Where the bounds
// lie in the bytes of branch pages is told, without an object for each: a walk sets one range a million times.

import type { BranchPage } from './page.ts';

/** Keys from `lower` on, up to `upper` without it; undefined is no bound. */
export interface KeyBounds {
  readonly lower: Uint8Array | undefined;
  readonly upper: Uint8Array | undefined;
}

const NO_BYTES = new Uint8Array(0);

/** Keys are never empty, so a bound without bytes is none. */
export class KeyRange {
  lower: Uint8Array = NO_BYTES;
  lowerStart = 0;
  lowerEnd = 0;
  upper: Uint8Array = NO_BYTES;
  upperStart = 0;
  upperEnd = 0;

  get hasLower(): boolean {
    return this.lowerEnd > this.lowerStart;
  }

  get hasUpper(): boolean {
    return this.upperEnd > this.upperStart;
  }

  /** Every key. */
  clear(): void {
    this.lower = NO_BYTES;
    this.lowerStart = 0;
    this.lowerEnd = 0;
    this.#setUpper(NO_BYTES, 0, 0);
  }

  /**
   * The keys of a branch page's child.
   * @param upper bound of the branch page itself, which is that of its last child
   */
  setToChild(branch: BranchPage, index: number, upper: Uint8Array): void {
    this.lower = branch.bytes;
    this.lowerStart = branch.keyStart(index);
    this.lowerEnd = branch.keyEnd(index);
    const next = index + 1;
    if (next === branch.count) this.#setUpper(upper, 0, upper.length);
    else this.#setUpper(branch.bytes, branch.keyStart(next), branch.keyEnd(next));
  }

  #setUpper(bytes: Uint8Array, start: number, end: number): void {
    this.upper = bytes;
    this.upperStart = start;
    this.upperEnd = end;
  }

  /** The upper bound as bytes that stay as they are while its page does; empty if there is none. */
  upperKey(): Uint8Array {
    return this.upper.subarray(this.upperStart, this.upperEnd);
  }
}
