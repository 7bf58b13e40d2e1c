// What is kept of the pages that a scan saw: the branch pages, and of each leaf full of revisions
// the 30 bytes that the status needs. Whether a page counts, the walk decides.

import type { Crc32c } from '../../base/crc32c.ts';
import { ELEMENT_SIZE, HEADER_SIZE, type LeafPage } from '../../bbolt/page.ts';
import type { PageSink } from '../../bbolt/page-scan.ts';
import type { KeyRange } from '../../bbolt/walk.ts';
import { KeyValueReader } from './key-value.ts';
import { isTombstone, REVISION_SIZE, revisionDefect } from './revision-key.ts';

/** 16 GiB of the usual pages. Leaves beyond it are read by the walk. */
const SUMMARISED_PAGES_MAX = 4 * 1024 * 1024;

/** About what the branch pages of 2.5 GB take. Those that do not fit are read by the walk. */
const BRANCH_BYTES_MAX = 16 * 1024 * 1024;

/** Half of 16 bits: the other bit of a sub revision's column says whether it is a tombstone. */
const SUB_MAX = 0x7fff;

/** What a leaf full of revisions adds up to. All main revisions are below 2^53. */
export interface LeafSummary {
  readonly crc: number;
  /** Bytes of its keys and values, which `crc` is of. */
  readonly dataLength: number;
  readonly entries: number;
  readonly tombstones: number;
  /** Records that create a key: not tombstones, and of version 1. */
  readonly creations: number;
  readonly firstMain: number;
  readonly lastMain: number;
}

export class PageSummaries implements PageSink {
  readonly #crc32c: Crc32c;
  readonly #pageSize: number;
  readonly #branches = new Map<number, Uint8Array>();
  readonly #keyValue = new KeyValueReader();
  #branchBytes = 0;

  // One column for each fact, by page id. A page that no leaf starts on is never written to, and
  // a stretch of such pages takes no memory.
  readonly #crcs: Uint32Array;
  readonly #dataLengths: Uint32Array;
  /** 0 where there is no summary. */
  readonly #entries: Uint16Array;
  readonly #tombstones: Uint16Array;
  readonly #creations: Uint16Array;
  readonly #firstMains: Float64Array;
  /** Last main revision less the first. */
  readonly #mainSpans: Uint32Array;
  /** Sub revision times 2, plus 1 for a tombstone. */
  readonly #firstSubs: Uint16Array;
  readonly #lastSubs: Uint16Array;

  constructor(crc32c: Crc32c, pageSize: number, pages: number) {
    const length = Math.min(pages, SUMMARISED_PAGES_MAX);
    this.#crc32c = crc32c;
    this.#pageSize = pageSize;
    this.#crcs = new Uint32Array(length);
    this.#dataLengths = new Uint32Array(length);
    this.#entries = new Uint16Array(length);
    this.#tombstones = new Uint16Array(length);
    this.#creations = new Uint16Array(length);
    this.#firstMains = new Float64Array(length);
    this.#mainSpans = new Uint32Array(length);
    this.#firstSubs = new Uint16Array(length);
    this.#lastSubs = new Uint16Array(length);
  }

  branch(id: number, run: Uint8Array): void {
    if (this.#branches.has(id) || this.#branchBytes + run.length > BRANCH_BYTES_MAX) return;
    this.#branchBytes += run.length;
    this.#branches.set(id, new Uint8Array(run));
  }

  branchRun(page: number): Uint8Array | undefined {
    return this.#branches.get(page);
  }

  leaf(id: number, overflow: number, leaf: LeafPage): void {
    if (id >= this.#entries.length || leaf.hasBuckets || !leaf.isContiguous) return;
    // bbolt gives a leaf just the pages that it needs, so the summary need not tell how many.
    if (overflow !== this.#overflowOf(leaf.count, leaf.dataLength)) return;
    const last = leaf.count - 1;
    const firstMain = readMain(leaf, 0);
    const firstSub = readSub(leaf, 0);
    const lastSub = readSub(leaf, last);
    const span = readMain(leaf, last) - firstMain;
    // A span that is not a number fails this, too.
    if (!(span >= 0 && span < 2 ** 32) || firstSub < 0 || lastSub < 0) return;
    if (!this.#countRecords(id, leaf)) return;
    this.#crcs[id] = this.#crc32c.updateAt(0, leaf.keyStart(0), leaf.dataLength);
    this.#dataLengths[id] = leaf.dataLength;
    this.#entries[id] = leaf.count;
    this.#firstMains[id] = firstMain;
    this.#mainSpans[id] = span;
    this.#firstSubs[id] = firstSub;
    this.#lastSubs[id] = lastSub;
  }

  /** @returns whether all records are sound, and none of them is the marker of a revision bump */
  #countRecords(id: number, leaf: LeafPage): boolean {
    let tombstones = 0;
    let creations = 0;
    for (let index = 0; index < leaf.count; index += 1) {
      const keyStart = leaf.keyStart(index);
      const keyEnd = leaf.keyEnd(index);
      if (revisionDefect(leaf.bytes, keyStart, keyEnd) !== undefined) return false;
      if (!this.#keyValue.read(leaf.bytes, keyEnd, leaf.valueEnd(index))) return false;
      if (this.#keyValue.keyStart === this.#keyValue.keyEnd) return false;
      if (isTombstone(leaf.bytes, keyStart, keyEnd)) tombstones += 1;
      else if (this.#keyValue.version === 1) creations += 1;
    }
    this.#tombstones[id] = tombstones;
    this.#creations[id] = creations;
    return true;
  }

  /** Overflow of a leaf that has a summary, and whose keys are all in the range; else -1. */
  overflowWithin(page: number, { lower, upper }: KeyRange): number {
    const entries = this.#entries[page] ?? 0;
    if (entries === 0) return -1;
    const first = this.firstMain(page);
    const last = this.lastMain(page);
    if (lower !== undefined && !(compareRevision(first, this.#firstSubs[page]!, lower) >= 0)) {
      return -1;
    }
    if (upper !== undefined && !(compareRevision(last, this.#lastSubs[page]!, upper) < 0)) {
      return -1;
    }
    return this.#overflowOf(entries, this.#dataLengths[page]!);
  }

  // These three are of pages for which overflowWithin did not answer -1.

  firstMain(page: number): number {
    return this.#firstMains[page]!;
  }

  lastMain(page: number): number {
    return this.#firstMains[page]! + this.#mainSpans[page]!;
  }

  summary(page: number): LeafSummary {
    return {
      crc: this.#crcs[page]!,
      dataLength: this.#dataLengths[page]!,
      entries: this.#entries[page]!,
      tombstones: this.#tombstones[page]!,
      creations: this.#creations[page]!,
      firstMain: this.firstMain(page),
      lastMain: this.lastMain(page),
    };
  }

  #overflowOf(entries: number, dataLength: number): number {
    const length = HEADER_SIZE + entries * ELEMENT_SIZE + dataLength;
    return Math.ceil(length / this.#pageSize) - 1;
  }
}

/** Main revision of a leaf's key; NaN if it is not exact as a number, or the key is no revision. */
function readMain(leaf: LeafPage, index: number): number {
  return mainOf(leaf.bytes, leaf.keyStart(index), leaf.keyEnd(index));
}

/** Sub revision of a leaf's key as its column holds it; -1 if it does not fit. */
function readSub(leaf: LeafPage, index: number): number {
  return subOf(leaf.bytes, leaf.keyStart(index), leaf.keyEnd(index));
}

/** Order of a revision, in the form of the columns, and a key; NaN if it cannot be told. */
function compareRevision(main: number, sub: number, key: Uint8Array): number {
  const keySub = subOf(key, 0, key.length);
  if (keySub < 0) return Number.NaN;
  return main - mainOf(key, 0, key.length) || sub - keySub;
}

function mainOf(bytes: Uint8Array, start: number, end: number): number {
  if (revisionDefect(bytes, start, end) !== undefined) return Number.NaN;
  const main = readUint32(bytes, start) * 2 ** 32 + readUint32(bytes, start + 4);
  return main < 2 ** 53 ? main : Number.NaN;
}

function subOf(bytes: Uint8Array, start: number, end: number): number {
  if (revisionDefect(bytes, start, end) !== undefined) return -1;
  const sub = readUint32(bytes, start + 9) * 2 ** 32 + readUint32(bytes, start + 13);
  if (sub > SUB_MAX) return -1;
  if (end - start === REVISION_SIZE) return sub * 2;
  // A mark that is no tombstone's would be a third kind, for which the column has no room.
  return isTombstone(bytes, start, end) ? sub * 2 + 1 : -1;
}

function readUint32(bytes: Uint8Array, offset: number): number {
  const high = (bytes[offset]! << 8) | bytes[offset + 1]!;
  return high * 65_536 + ((bytes[offset + 2]! << 8) | bytes[offset + 3]!);
}
