// Leaf pages that are written one after the other, from elements in the order of their keys.

import { LeafBuilder } from './leaf-builder.ts';
import { compareRanges, ELEMENT_SIZE, HEADER_SIZE, PAGE_FLAGS } from './page.ts';
import type { PageAllocator } from './page-allocator.ts';
import { type Child, viewOf, writeLeafElement, writePageHeader } from './page-image.ts';

export class LeafWriter {
  /** The page in the making. */
  readonly leaf: LeafBuilder;
  readonly #pages: PageAllocator;
  readonly #written: (page: Child) => Promise<void> | undefined;
  /** The last key of the page before. */
  #lastKey: Uint8Array | undefined;

  /** @param written is given each page when it is written */
  constructor(
    pages: PageAllocator,
    fillPercent: number,
    written: (page: Child) => Promise<void> | undefined,
  ) {
    this.leaf = new LeafBuilder(pages.pageSize, fillPercent);
    this.#pages = pages;
    this.#written = written;
  }

  /** Order of a key and the last one that was added; positive if there is none. */
  compareWithLast(bytes: Uint8Array, start: number, end: number): number {
    if (this.leaf.count > 0) return this.leaf.compareWithLast(bytes, start, end);
    const last = this.#lastKey;
    return last === undefined ? 1 : compareRanges(bytes, start, end, last, 0, last.length);
  }

  /** Adds an element whose key and, behind it, value are in the bytes, which are not kept. */
  add(
    bytes: Uint8Array,
    keyStart: number,
    valueStart: number,
    valueEnd: number,
    isBucket: boolean,
  ): Promise<void> | undefined {
    if (!this.leaf.takes(valueEnd - keyStart)) {
      return this.#addToNext(bytes, keyStart, valueStart, valueEnd, isBucket);
    }
    this.leaf.add(bytes, keyStart, valueStart, valueEnd, isBucket);
    return undefined;
  }

  /** Writes the page in the making, if it has an element. */
  async end(): Promise<void> {
    if (this.leaf.count === 0) return;
    const { firstKey: key, lastKey } = this.leaf;
    const page = await this.#writeLeaf();
    this.leaf.clear();
    this.#lastKey = lastKey;
    await this.#written({ key, page });
  }

  /**
   * Writes a page without elements.
   * @returns its page id
   */
  async writeEmpty(): Promise<number> {
    if (this.leaf.count > 0) throw new Error('the leaf page has elements');
    return await this.#writeLeaf();
  }

  async #writeLeaf(): Promise<number> {
    const page = this.#pages.allocate(this.leaf.size);
    await this.#pages.write(page, this.leaf.image(page));
    return page;
  }

  async #addToNext(
    bytes: Uint8Array,
    keyStart: number,
    valueStart: number,
    valueEnd: number,
    isBucket: boolean,
  ): Promise<void> {
    await this.end();
    if (!this.leaf.isLarge(valueEnd - keyStart)) {
      this.leaf.add(bytes, keyStart, valueStart, valueEnd, isBucket);
      return;
    }
    const key = bytes.slice(keyStart, valueStart);
    const page = await this.#writeLarge(bytes.subarray(keyStart, valueEnd), key.length);
    this.#lastKey = key;
    await this.#written({ key, page });
  }

  /** Writes a page of one entry, which is no bucket, from where its key and value lie. */
  async #writeLarge(entry: Uint8Array, keySize: number): Promise<number> {
    const pages = this.#pages;
    const size = HEADER_SIZE + ELEMENT_SIZE + entry.length;
    const overflow = Math.ceil(size / pages.pageSize) - 1;
    const page = pages.allocate(size);
    const head = new Uint8Array(HEADER_SIZE + ELEMENT_SIZE);
    const view = viewOf(head);
    writePageHeader(view, { id: page, flags: PAGE_FLAGS.leaf, count: 1, overflow });
    writeLeafElement(view, HEADER_SIZE, head.length, keySize, entry.length - keySize, false);
    await pages.write(page, head, entry);
    return page;
  }
}
