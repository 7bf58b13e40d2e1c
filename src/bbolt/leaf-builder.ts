// A leaf page in the making: elements are added in the order of their keys until it has as much as it should.

import { compareRanges, ELEMENT_SIZE, HEADER_SIZE, PAGE_FLAGS } from './page.ts';
import { viewOf, writeLeafElement, writePageHeader } from './page-image.ts';

/** A page's count has 16 bits, and bbolt panics where it is full (node.go, write). */
export const ELEMENTS_MAX = 0xfffe;

/** As bbolt has it: no more may be in a bucket that lies in the value of its element (bucket.go). */
const INLINE_SHARE = 1 / 4;

/** Elements that are larger than a page are put in pairs up to this size, where that saves a page. */
const PAIR_SIZE_MAX = 64 * 1024;

export class LeafBuilder {
  readonly #pageSize: number;
  readonly #fullSize: number;
  /** Keys and values, one behind the other. */
  readonly #data: Uint8Array;
  readonly #keySizes: number[] = [];
  readonly #valueSizes: number[] = [];
  readonly #bucketFlags: boolean[] = [];
  #dataSize = 0;
  #lastKeyStart = 0;
  #hasBuckets = false;
  /** The image of the page before, which is used again. */
  #image: Uint8Array;

  /** @param fillPercent share of a page that is filled where more elements follow, from 0 to 1 */
  constructor(pageSize: number, fillPercent: number) {
    this.#pageSize = pageSize;
    this.#fullSize = Math.floor(pageSize * fillPercent);
    this.#data = new Uint8Array(Math.max(pageSize, PAIR_SIZE_MAX));
    this.#image = new Uint8Array(pageSize);
  }

  get count(): number {
    return this.#keySizes.length;
  }

  /** Of the page, in bytes. */
  get size(): number {
    return HEADER_SIZE + this.count * ELEMENT_SIZE + this.#dataSize;
  }

  /** Whether bbolt would put a bucket that has these elements into the value of its element. */
  get isInlineable(): boolean {
    return !this.#hasBuckets && this.size <= this.#pageSize * INLINE_SHARE;
  }

  /** The keys that are there have to be read before the next one is added. */
  get firstKey(): Uint8Array {
    return this.#data.slice(0, this.#keySizes[0]);
  }

  get lastKey(): Uint8Array {
    return this.#data.slice(this.#lastKeyStart, this.#lastKeyStart + this.#keySizes.at(-1)!);
  }

  /** Order of a key and the last one that was added. */
  compareWithLast(bytes: Uint8Array, start: number, end: number): number {
    const last = this.#lastKeyStart;
    return compareRanges(bytes, start, end, this.#data, last, last + this.#keySizes.at(-1)!);
  }

  /** Whether an element is too large to be added to any leaf: it has to be written as a page of its own. */
  isLarge(dataSize: number): boolean {
    return HEADER_SIZE + ELEMENT_SIZE + dataSize > this.#data.length;
  }

  /** Whether an element belongs on this page; if not, the page is full. */
  takes(dataSize: number): boolean {
    const size = ELEMENT_SIZE + dataSize;
    if (this.isLarge(dataSize)) return false;
    if (this.count === 0) return true;
    if (this.count === ELEMENTS_MAX) return false;
    if (this.size + size <= this.#fullSize) return true;
    // Two values of 5 KiB need three pages of 4 KiB together, and four apart. bbolt's pages, too, hold two
    // elements at least (node.go, splitIndex).
    if (this.count > 1 || this.size + size > PAIR_SIZE_MAX) return false;
    const apart = this.#pagesOf(this.size) + this.#pagesOf(HEADER_SIZE + size);
    return this.#pagesOf(this.size + size) < apart;
  }

  /** Adds an element whose key and value are somewhere in the bytes; it has to be one that it takes. */
  add(
    bytes: Uint8Array,
    keyStart: number,
    valueStart: number,
    valueEnd: number,
    isBucket: boolean,
  ): void {
    this.#data.set(bytes.subarray(keyStart, valueEnd), this.#dataSize);
    this.#keySizes.push(valueStart - keyStart);
    this.#valueSizes.push(valueEnd - valueStart);
    this.#bucketFlags.push(isBucket);
    this.#hasBuckets ||= isBucket;
    this.#lastKeyStart = this.#dataSize;
    this.#dataSize += valueEnd - keyStart;
  }

  /**
   * The page, with the pages that continue it.
   * @param id of the page it is to be
   * @returns bytes that the next image uses again
   */
  image(id: number): Uint8Array {
    const length = this.#pagesOf(this.size) * this.#pageSize;
    if (length > this.#image.length) this.#image = new Uint8Array(length);
    const bytes = this.#image.subarray(0, length);
    this.#write(bytes, id, length / this.#pageSize - 1);
    bytes.fill(0, this.size);
    return bytes;
  }

  /** The page as an inline bucket has it. */
  inlineImage(): Uint8Array {
    const bytes = new Uint8Array(this.size);
    this.#write(bytes, 0, 0);
    return bytes;
  }

  /** Begins the next page. */
  clear(): void {
    this.#keySizes.length = 0;
    this.#valueSizes.length = 0;
    this.#bucketFlags.length = 0;
    this.#dataSize = 0;
    this.#hasBuckets = false;
  }

  #write(bytes: Uint8Array, id: number, overflow: number): void {
    const { count } = this;
    const view = viewOf(bytes);
    writePageHeader(view, { id, flags: PAGE_FLAGS.leaf, count, overflow });
    const dataStart = HEADER_SIZE + count * ELEMENT_SIZE;
    let key = dataStart;
    for (let index = 0; index < count; index += 1) {
      const keySize = this.#keySizes[index]!;
      const valueSize = this.#valueSizes[index]!;
      const element = HEADER_SIZE + index * ELEMENT_SIZE;
      writeLeafElement(view, element, key, keySize, valueSize, this.#bucketFlags[index]!);
      key += keySize + valueSize;
    }
    bytes.set(this.#data.subarray(0, this.#dataSize), dataStart);
  }

  #pagesOf(size: number): number {
    return Math.ceil(size / this.#pageSize);
  }
}
