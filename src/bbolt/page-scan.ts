// Looks at every page of a database as its bytes pass by in file order, and offers those that look
// like sound leaf and branch pages. None of them is trusted: a free page keeps the content that it
// had, so which pages count is known only when the tree is walked at the end. What was learned
// here saves the walk from reading them again.

import type { AlignedMemory } from '../base/aligned-memory.ts';
import { BranchPage, HEADER_SIZE, LeafPage, PAGE_FLAGS, readPageHeader } from './page.ts';
import type { PageSet } from './page-set.ts';

/** What is done with the pages that the scan finds. A page may be offered more than once. */
export interface PageSink {
  /** A sound leaf page. The object is reused: keep nothing of it. */
  leaf(id: number, overflow: number, leaf: LeafPage): void;
  /** A sound branch page, with its run. The bytes are reused: copy what is kept. */
  branch(id: number, run: Uint8Array): void;
}

/**
 * Runs that cross from one chunk into the next are put together if they are no longer than this.
 * Longer ones are left to the walk.
 */
const JOIN_SIZE = 256 * 1024;

export interface ScanOptions {
  /** Pages that are looked at, where it is known which. */
  readonly wanted?: PageSet;
  /** Bytes of the longest run that is put together, if not JOIN_SIZE. */
  readonly joinSize?: number;
}

/**
 * Bytes looked into for each byte of a chunk. Stale pages may claim overflow that covers other
 * pages; this is what bounds the work where many do.
 */
const WORK_FACTOR = 4;

export class PageScan {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #pageSize: number;
  readonly #pages: number;
  readonly #sink: PageSink;
  readonly #wanted: PageSet | undefined;
  readonly #leaf = new LeafPage();
  readonly #branch = new BranchPage();
  /** Where the next chunk lies in the file. */
  #position = 0;
  #workLeft = 0;
  /** The end of the last chunk from the first run on that goes beyond it, copied to #join. */
  readonly #join: number;
  #joinLength = 0;
  /** How long the longest of those runs is, from the start of #join. */
  #joinWanted = 0;
  /** The pages in #join that those runs begin with. */
  #joinPages: number[] = [];
  #joinPosition = 0;
  readonly #joinSize: number;

  constructor(
    memory: AlignedMemory,
    pageSize: number,
    pages: number,
    sink: PageSink,
    { wanted, joinSize = JOIN_SIZE }: ScanOptions = {},
  ) {
    // Not the Buffer itself: code that sees one kind of array only is faster.
    this.#bytes = new Uint8Array(memory.bytes.buffer);
    this.#view = new DataView(memory.bytes.buffer);
    this.#pageSize = pageSize;
    this.#pages = pages;
    this.#sink = sink;
    this.#wanted = wanted;
    this.#joinSize = joinSize;
    this.#join = memory.reserve(joinSize);
  }

  /**
   * Takes the next chunk of the file; any cut of the file into chunks will do.
   * @param offset of the chunk in the memory; it is free again when this returns
   */
  push(offset: number, length: number): void {
    const end = this.#position + length;
    this.#workLeft = WORK_FACTOR * length;
    if (this.#joinPages.length > 0) this.#finishJoin(offset, length);
    for (let id = Math.ceil(this.#position / this.#pageSize); id < this.#pages; id += 1) {
      const page = id * this.#pageSize;
      if (page >= end) break;
      const runLength = this.#look(id, offset + page - this.#position, end - page);
      if (runLength > end - page) this.#beginJoin(id, runLength);
    }
    if (this.#joinPages.length > 0) {
      this.#joinLength = end - this.#joinPosition;
      const from = offset + this.#joinPosition - this.#position;
      this.#bytes.copyWithin(this.#join, from, from + this.#joinLength);
    }
    this.#position = end;
  }

  /** Passes over the next bytes of the file, in which no page that is looked at begins or goes on. */
  skip(length: number): void {
    this.#joinPages = [];
    this.#joinWanted = 0;
    this.#position += length;
  }

  /** Remembers a run that goes beyond the chunk. */
  #beginJoin(id: number, runLength: number): void {
    const page = id * this.#pageSize;
    const start = this.#joinPages.length > 0 ? this.#joinPosition : page;
    const wanted = page - start + runLength;
    if (wanted > this.#joinSize) return;
    this.#joinPosition = start;
    this.#joinWanted = Math.max(this.#joinWanted, wanted);
    this.#joinPages.push(id);
  }

  /** Completes the runs that went beyond the last chunk, if this one brings enough of them. */
  #finishJoin(offset: number, length: number): void {
    const taken = Math.min(this.#joinWanted - this.#joinLength, length);
    this.#bytes.copyWithin(this.#join + this.#joinLength, offset, offset + taken);
    const end = this.#joinPosition + this.#joinLength + taken;
    for (const id of this.#joinPages) {
      const page = id * this.#pageSize;
      this.#look(id, this.#join + page - this.#joinPosition, end - page);
    }
    this.#joinPages = [];
    this.#joinWanted = 0;
  }

  /**
   * Looks at the page at an offset of the memory, and offers it if it is sound.
   * @param available bytes that are there from the start of the page on
   * @returns the length of its run; less than `available` where it does not look like a page
   */
  #look(id: number, offset: number, available: number): number {
    if (this.#wanted?.has(id) === false) return 0;
    if (available < HEADER_SIZE) return this.#pageSize;
    const view = this.#view;
    // Most pages continue another one; they have no header, and this is all that is done with them.
    if (view.getUint32(offset, true) !== id || view.getUint32(offset + 4, true) !== 0) return 0;
    const { flags, count, overflow } = readPageHeader(view, offset);
    if (flags !== PAGE_FLAGS.leaf && flags !== PAGE_FLAGS.branch) return 0;
    if (count === 0 || overflow >= this.#pages - id) return 0;
    const length = (overflow + 1) * this.#pageSize;
    if (length > available || length > this.#workLeft) return length;
    this.#workLeft -= length;
    const page = flags === PAGE_FLAGS.leaf ? this.#leaf : this.#branch;
    if (page.open(this.#bytes, view, offset, length) !== undefined) return length;
    if (page === this.#leaf) this.#sink.leaf(id, overflow, page);
    else this.#sink.branch(id, this.#bytes.subarray(offset, offset + length));
    return length;
  }
}
