// Pages that are handed out in a row from one number on, and written.

import { PAGES_MAX } from './meta.ts';
import type { PageTarget } from './page-target.ts';

export class PageAllocator {
  readonly pageSize: number;
  readonly #target: PageTarget;
  readonly #zeroes: Uint8Array;
  #end: number;

  /** @param first the number of the first page that may be written */
  constructor(target: PageTarget, pageSize: number, first: number) {
    this.pageSize = pageSize;
    this.#target = target;
    this.#zeroes = new Uint8Array(pageSize);
    this.#end = first;
  }

  /** The high water mark: ids of pages are below it. */
  get end(): number {
    return this.#end;
  }

  /**
   * Hands out the pages that so many bytes need.
   * @returns the id of the first one
   */
  allocate(length: number): number {
    const page = this.#end;
    this.#end += Math.ceil(length / this.pageSize);
    if (this.#end > PAGES_MAX) throw new RangeError(`no database has ${this.#end} pages`);
    return page;
  }

  /** Writes the run of a page: the pieces one behind the other, and zeroes up to its end. */
  async write(page: number, ...pieces: readonly Uint8Array[]): Promise<void> {
    let offset = page * this.pageSize;
    for (const piece of pieces) {
      await this.#target.write(piece, offset);
      offset += piece.length;
    }
    const rest = this.pageSize - (offset % this.pageSize);
    if (rest < this.pageSize) await this.#target.write(this.#zeroes.subarray(0, rest), offset);
  }
}
