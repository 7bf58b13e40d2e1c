// Pages of the tree: the header, and leaf and branch pages with their elements. Nothing here trusts
// a byte; what the check of a page has passed can be read without looking again.
//
// A page, with the pages that continue it (its overflow), is a run. Numbers are little-endian.
//   header           id u64, flags u16, count u16, overflow u32
//   leaf element     flags u32, position u32, key size u32, value size u32; the value follows the key
//   branch element   position u32, key size u32, page id u64
// A position counts from the start of its own element.

/** Size of the header, and of an element of either kind. */
export const HEADER_SIZE = 16;
export const ELEMENT_SIZE = 16;

/** Exactly one of them is set on a page. */
export const PAGE_FLAGS = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;

/** Leaf element: the value is a bucket. */
export const BUCKET_FLAG = 0x01;
/** A bucket's value begins with its root page id and its sequence number. */
export const BUCKET_HEADER_SIZE = 16;

export interface PageHeader {
  readonly id: number;
  readonly flags: number;
  readonly count: number;
  /** Pages after this one that belong to it. */
  readonly overflow: number;
}

/** Reads the header at an offset; an id of 2^53 or more becomes a number that no page has. */
export function readPageHeader(view: DataView, offset: number): PageHeader {
  return {
    id: readPageId(view, offset),
    flags: view.getUint16(offset + 8, true),
    count: view.getUint16(offset + 10, true),
    overflow: view.getUint32(offset + 12, true),
  };
}

function readPageId(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 2 ** 32;
}

/** Order of two keys, as bytes: negative, 0 or positive. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  return compareRanges(left, 0, left.length, right, 0, right.length);
}

/** The same without an object for each key. */
export function compareRanges(
  left: Uint8Array,
  leftStart: number,
  leftEnd: number,
  right: Uint8Array,
  rightStart: number,
  rightEnd: number,
): number {
  const common = Math.min(leftEnd - leftStart, rightEnd - rightStart);
  for (let index = 0; index < common; index += 1) {
    const difference = left[leftStart + index]! - right[rightStart + index]!;
    if (difference !== 0) return difference;
  }
  return leftEnd - leftStart - (rightEnd - rightStart);
}

const TOO_MANY_ELEMENTS = 'has more elements than room for them';
const outOfBounds = (index: number): string => `has an element ${index} out of its bounds`;
const emptyKey = (index: number): string => `has an empty key in element ${index}`;
const outOfOrder = (index: number): string => `has keys out of order at element ${index}`;
const noBucket = (index: number): string => `has no bucket in element ${index}`;

/** The elements of a leaf or branch page, somewhere in larger bytes. One object reads many pages. */
abstract class ElementPage {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  /** Of the page, and of the end of its run. */
  start = 0;
  end = 0;
  count = 0;

  /**
   * Looks at the page at an offset and checks it.
   * @param length of the run; it lies within the bytes
   * @returns what is wrong with it, as a sentence without a subject, or undefined
   */
  open(bytes: Uint8Array, view: DataView, start: number, length: number): string | undefined {
    this.bytes = bytes;
    this.view = view;
    this.start = start;
    this.end = start + length;
    this.count = view.getUint16(start + 10, true);
    return this.check();
  }

  protected abstract check(): string | undefined;
  /** What keeps an element from being read, as a sentence without a subject, or undefined. */
  abstract elementDefect(index: number): string | undefined;
  abstract keyStart(index: number): number;
  abstract keyEnd(index: number): number;

  /** Whether the headers of all elements are on the page. */
  get hasRoom(): boolean {
    return this.element(this.count) <= this.end;
  }

  /** Everything that is wrong with a page that did not pass its check, each as a sentence without a subject. */
  *defects(): Generator<string> {
    if (!this.hasRoom) {
      yield TOO_MANY_ELEMENTS;
      return;
    }
    let seen = 0;
    let previous: Uint8Array | undefined;
    for (let index = 0; index < this.count; index += 1) {
      const defect = this.elementDefect(index) ?? this.#orderDefect(index, previous);
      if (defect !== undefined) yield defect;
      if (defect !== undefined) seen += 1;
      previous = this.elementDefect(index) === undefined ? this.key(index) : undefined;
    }
    // What is left is about the page as a whole.
    const defect = seen === 0 ? this.check() : undefined;
    if (defect !== undefined) yield defect;
  }

  #orderDefect(index: number, previous: Uint8Array | undefined): string | undefined {
    if (previous === undefined) return undefined;
    if (this.compareKey(index, previous, 0, previous.length) > 0) return undefined;
    return outOfOrder(index);
  }

  key(index: number): Uint8Array {
    return this.bytes.subarray(this.keyStart(index), this.keyEnd(index));
  }

  /** Order of an element's key and a key in any bytes: negative, 0 or positive. */
  compareKey(index: number, key: Uint8Array, start: number, end: number): number {
    return compareRanges(this.bytes, this.keyStart(index), this.keyEnd(index), key, start, end);
  }

  /** Where the header of an element is. */
  protected element(index: number): number {
    return this.start + HEADER_SIZE + index * ELEMENT_SIZE;
  }
}

export class BranchPage extends ElementPage {
  protected check(): string | undefined {
    const dataStart = this.element(this.count);
    if (this.count === 0) return 'has no children';
    if (dataStart > this.end) return TOO_MANY_ELEMENTS;
    for (let index = 0; index < this.count; index += 1) {
      const start = this.keyStart(index);
      const end = this.keyEnd(index);
      if (start < dataStart || end > this.end) return outOfBounds(index);
      if (start === end) return emptyKey(index);
      if (index > 0 && this.#compareWithPrevious(index) <= 0) return outOfOrder(index);
    }
    return undefined;
  }

  keyStart(index: number): number {
    const element = this.element(index);
    return element + this.view.getUint32(element, true);
  }

  keyEnd(index: number): number {
    return this.keyStart(index) + this.view.getUint32(this.element(index) + 4, true);
  }

  elementDefect(index: number): string | undefined {
    const start = this.keyStart(index);
    const end = this.keyEnd(index);
    if (start < this.element(this.count) || end > this.end) return outOfBounds(index);
    return start === end ? emptyKey(index) : undefined;
  }

  child(index: number): number {
    return readPageId(this.view, this.element(index) + 8);
  }

  #compareWithPrevious(index: number): number {
    const previous = index - 1;
    return this.compareKey(index, this.bytes, this.keyStart(previous), this.keyEnd(previous));
  }
}

export class LeafPage extends ElementPage {
  /** Bytes of all keys and values. */
  dataLength = 0;
  /** Whether the keys and values lie in a row without a gap, as bbolt writes them. */
  isContiguous = true;
  bucketCount = 0;
  /** Whether all flags of all elements are known. */
  hasKnownFlags = true;

  get hasBuckets(): boolean {
    return this.bucketCount > 0;
  }

  get hasOnlyBuckets(): boolean {
    return this.bucketCount === this.count;
  }

  protected check(): string | undefined {
    const { bytes, view, end, count } = this;
    const dataStart = this.element(count);
    if (dataStart > end) return TOO_MANY_ELEMENTS;
    this.dataLength = 0;
    this.isContiguous = true;
    this.bucketCount = 0;
    this.hasKnownFlags = true;
    let previousStart = dataStart;
    let previousKeyEnd = dataStart;
    let previousEnd = dataStart;
    for (let index = 0; index < count; index += 1) {
      const element = this.element(index);
      const keyStart = element + view.getUint32(element + 4, true);
      const keyEnd = keyStart + view.getUint32(element + 8, true);
      const valueEnd = keyEnd + view.getUint32(element + 12, true);
      if (keyStart < dataStart || valueEnd > end) return outOfBounds(index);
      if (keyStart === keyEnd) return emptyKey(index);
      if (
        index > 0 &&
        compareRanges(bytes, keyStart, keyEnd, bytes, previousStart, previousKeyEnd) <= 0
      ) {
        return outOfOrder(index);
      }
      if (keyStart !== previousEnd) this.isContiguous = false;
      const flags = view.getUint32(element, true);
      if (flags > BUCKET_FLAG) this.hasKnownFlags = false;
      if ((flags & BUCKET_FLAG) !== 0) {
        this.bucketCount += 1;
        if (valueEnd - keyEnd < BUCKET_HEADER_SIZE) return noBucket(index);
      }
      this.dataLength += valueEnd - keyStart;
      previousStart = keyStart;
      previousKeyEnd = keyEnd;
      previousEnd = valueEnd;
    }
    // Elements may leave gaps, but what overlaps could make a small page cost much to read.
    return this.dataLength > end - dataStart ? 'has elements that overlap' : undefined;
  }

  /** What no bbolt writes and every bbolt lets pass, each as a sentence without a subject. */
  *oddities(): Generator<string> {
    if (!this.hasKnownFlags) yield 'has an element with flags that are none';
    if (!this.isContiguous) yield 'has room between its elements, where others may have been';
  }

  elementDefect(index: number): string | undefined {
    const start = this.keyStart(index);
    const end = this.keyEnd(index);
    if (start < this.element(this.count) || this.valueEnd(index) > this.end) {
      return outOfBounds(index);
    }
    if (start === end) return emptyKey(index);
    const isShort = this.valueEnd(index) - end < BUCKET_HEADER_SIZE;
    return this.isBucket(index) && isShort ? noBucket(index) : undefined;
  }

  isBucket(index: number): boolean {
    return (this.view.getUint32(this.element(index), true) & BUCKET_FLAG) !== 0;
  }

  keyStart(index: number): number {
    const element = this.element(index);
    return element + this.view.getUint32(element + 4, true);
  }

  /** Where the key ends, and the value starts. */
  keyEnd(index: number): number {
    return this.keyStart(index) + this.view.getUint32(this.element(index) + 8, true);
  }

  valueEnd(index: number): number {
    return this.keyEnd(index) + this.view.getUint32(this.element(index) + 12, true);
  }

  value(index: number): Uint8Array {
    return this.bytes.subarray(this.keyEnd(index), this.valueEnd(index));
  }

  /** Root page id of a bucket element; 0 where the bucket is inline. */
  bucketRoot(index: number): number {
    return readPageId(this.view, this.keyEnd(index));
  }
}
