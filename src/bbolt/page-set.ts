// A set of page ids: one bit a page.

export class PageSet {
  readonly #bits: Uint8Array;
  #size = 0;

  /** @param pages ids are below it */
  constructor(pages: number) {
    this.#bits = new Uint8Array(Math.ceil(pages / 8));
  }

  get size(): number {
    return this.#size;
  }

  has(page: number): boolean {
    return (this.#bits[Math.floor(page / 8)]! & (1 << (page % 8))) !== 0;
  }

  /** Whether it has any of these, or of the seven before and behind them. */
  hasNear(first: number, last: number): boolean {
    const end = Math.floor(last / 8) + 1;
    return this.#bits.subarray(Math.floor(first / 8), end).some((bits) => bits !== 0);
  }

  /** @returns whether it was not there before */
  add(page: number): boolean {
    const index = Math.floor(page / 8);
    const bit = 1 << (page % 8);
    if ((this.#bits[index]! & bit) !== 0) return false;
    this.#bits[index]! |= bit;
    this.#size += 1;
    return true;
  }
}
