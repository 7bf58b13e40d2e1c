// What is kept of the pages that a scan saw: the branch pages, and of each leaf full of revisions
// the 30 bytes that the status needs, and where its records are remembered. Whether a page counts, the walk decides.

import type { Crc32c } from '../../base/crc32c.ts';
import type { KeyRange } from '../../bbolt/key-range.ts';
import { ELEMENT_SIZE, HEADER_SIZE, type LeafPage } from '../../bbolt/page.ts';
import type { PageSink } from '../../bbolt/page-scan.ts';
import { isPlausible } from './check-history.ts';
import type { RecordColumns } from './record-columns.ts';
import { RecordReader } from './records.ts';
import {
  isTombstone,
  mainNumber,
  REVISION_SIZE,
  revisionDefect,
  subNumber,
} from './revision-key.ts';
import { SubOrder } from './sub-order.ts';

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

export interface SummaryOptions {
  /** Without it there are no checksums. */
  readonly crc32c?: Crc32c | undefined;
  /** Where each record is remembered. */
  readonly columns?: RecordColumns | undefined;
  /** Not to look into records, but for the revisions that a leaf begins and ends with. */
  readonly isStructureOnly?: boolean;
}

export class PageSummaries implements PageSink {
  readonly #crc32c: Crc32c | undefined;
  #columns: RecordColumns | undefined;
  readonly #isStructureOnly: boolean;
  readonly #pageSize: number;
  readonly #branches = new Map<number, Uint8Array>();
  readonly #record = new RecordReader();
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
  readonly #firstRecords: Uint32Array;

  constructor(pageSize: number, pages: number, options: SummaryOptions) {
    const { crc32c, columns, isStructureOnly = false } = options;
    this.#isStructureOnly = isStructureOnly;
    const length = Math.min(pages, SUMMARISED_PAGES_MAX);
    this.#crc32c = crc32c;
    this.#columns = columns;
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
    this.#firstRecords = new Uint32Array(columns === undefined ? 0 : length);
  }

  /** Remembers no records, before any leaf is looked into. */
  leaveRecords(): void {
    this.#columns = undefined;
  }

  branch(id: number, run: Uint8Array): void {
    this.keepBranch(id, run, true);
  }

  /** @param isReused whether the bytes will be others: then they are copied */
  keepBranch(id: number, run: Uint8Array, isReused: boolean): void {
    if (this.#branches.has(id) || this.#branchBytes + run.length > BRANCH_BYTES_MAX) return;
    this.#branchBytes += run.length;
    this.#branches.set(id, isReused ? new Uint8Array(run) : run);
  }

  branchRun(page: number): Uint8Array | undefined {
    return this.#branches.get(page);
  }

  leaf(id: number, overflow: number, leaf: LeafPage): void {
    if (
      id >= this.#entries.length ||
      leaf.hasBuckets ||
      !leaf.isContiguous ||
      !leaf.hasKnownFlags
    ) {
      return;
    }
    // It was offered before.
    if (this.#entries[id] !== 0) return;
    // bbolt gives a leaf just the pages that it needs, so the summary need not tell how many.
    if (overflow !== this.#overflowOf(leaf.count, leaf.dataLength)) return;
    const last = leaf.count - 1;
    const firstMain = readMain(leaf, 0);
    const firstSub = readSub(leaf, 0);
    const lastSub = readSub(leaf, last);
    const span = readMain(leaf, last) - firstMain;
    // A span that is not a number fails this, too.
    if (!(span >= 0 && span < 2 ** 32) || firstSub < 0 || lastSub < 0) return;
    if (!this.#isStructureOnly && !this.#countRecords(id, leaf)) return;
    this.#crcs[id] = this.#checksum(id, leaf);
    this.#dataLengths[id] = leaf.dataLength;
    this.#entries[id] = leaf.count;
    this.#firstMains[id] = firstMain;
    this.#mainSpans[id] = span;
    this.#firstSubs[id] = firstSub;
    this.#lastSubs[id] = lastSub;
  }

  /** @returns whether all records are sound, and none of them is the marker of a revision bump */
  #countRecords(id: number, leaf: LeafPage): boolean {
    const record = this.#record;
    const columns = this.#columns;
    const firstRecord = columns?.length ?? 0;
    let tombstones = 0;
    let creations = 0;
    const order = columns && new SubOrder(columns.compactRevision);
    for (let index = 0; index < leaf.count; index += 1) {
      const isSound = record.read(leaf, index, id) === undefined && isPlausible(record);
      const isInOrder = index === 0 ? order?.begin(record) : order?.isNext(record);
      const hasKey = record.keyValue.keyStart !== record.keyValue.keyEnd;
      if (!isSound || isInOrder === false || !hasKey) {
        columns?.truncate(firstRecord);
        return false;
      }
      columns?.append(record);
      if (record.isTombstone) tombstones += 1;
      else if (record.keyValue.version === 1) creations += 1;
    }
    this.#tombstones[id] = tombstones;
    this.#creations[id] = creations;
    if (columns !== undefined) this.#firstRecords[id] = firstRecord;
    return true;
  }

  #checksum(id: number, leaf: LeafPage): number {
    const crc32c = this.#crc32c;
    if (crc32c === undefined) return 0;
    const first = this.#firstRecords[id];
    if (this.#columns === undefined || first === undefined) {
      return crc32c.updateAt(0, leaf.keyStart(0), leaf.dataLength);
    }
    return this.#columns.checksumLeaf(crc32c, leaf, first);
  }

  /** Overflow of a leaf that has a summary, and whose keys are all in the range; else -1. */
  overflowWithin(page: number, range: KeyRange): number {
    const entries = this.#entries[page] ?? 0;
    if (entries === 0) return -1;
    if (range.hasLower) {
      const { lower, lowerStart, lowerEnd } = range;
      const order = this.#compareFirst(page, lower, lowerStart, lowerEnd);
      if (!(order >= 0)) return -1;
    }
    if (range.hasUpper) {
      const { upper, upperStart, upperEnd } = range;
      const order = this.#compareLast(page, upper, upperStart, upperEnd);
      if (!(order < 0)) return -1;
    }
    return this.#overflowOf(entries, this.#dataLengths[page]!);
  }

  // Order of a leaf's first or last revision, and a key; NaN if it cannot be told.

  #compareFirst(page: number, key: Uint8Array, start: number, end: number): number {
    return compareRevision(this.firstMain(page), this.#firstSubs[page]!, key, start, end);
  }

  #compareLast(page: number, key: Uint8Array, start: number, end: number): number {
    return compareRevision(this.lastMain(page), this.#lastSubs[page]!, key, start, end);
  }

  /** Where a page is in the file, in bytes. */
  offset(page: number): number {
    return page * this.#pageSize;
  }

  // These are of pages for which overflowWithin did not answer -1.

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

  /** Its first and last sub revision. */
  firstSub(page: number): number {
    return this.#firstSubs[page]! >>> 1;
  }

  lastSub(page: number): number {
    return this.#lastSubs[page]! >>> 1;
  }

  /** Index of its first record, where records are remembered. */
  firstRecord(page: number): number {
    return this.#firstRecords[page]!;
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
function compareRevision(
  main: number,
  sub: number,
  key: Uint8Array,
  start: number,
  end: number,
): number {
  const keySub = subOf(key, start, end);
  if (keySub < 0) return Number.NaN;
  const difference = main - mainOf(key, start, end);
  // Also of what is not a number.
  return difference === 0 ? sub - keySub : difference;
}

function mainOf(bytes: Uint8Array, start: number, end: number): number {
  if (revisionDefect(bytes, start, end) !== undefined) return Number.NaN;
  const main = mainNumber(bytes, start);
  return main < 2 ** 53 ? main : Number.NaN;
}

function subOf(bytes: Uint8Array, start: number, end: number): number {
  if (revisionDefect(bytes, start, end) !== undefined) return -1;
  const sub = subNumber(bytes, start);
  if (sub > SUB_MAX) return -1;
  if (end - start === REVISION_SIZE) return sub * 2;
  // A mark that is no tombstone's would be a third kind, for which the column has no room.
  return isTombstone(bytes, start, end) ? sub * 2 + 1 : -1;
}
