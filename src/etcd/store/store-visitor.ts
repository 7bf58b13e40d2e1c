// What is made of a database's leaves, in the order in which the walk reaches them: its status, and, where records
// are remembered, the history of each key and HashKV.

import type { Crc32c } from '../../base/crc32c.ts';
import { combineCrc32c } from '../../base/crc32c-combine.ts';
import type { KeyRange } from '../../bbolt/key-range.ts';
import type { LeafPage } from '../../bbolt/page.ts';
import type { ScannedPages, TreeVisitor } from '../../bbolt/tree-visitor.ts';
import { isPlausible } from './check-history.ts';
import type { DatabaseStatus } from './database-status.ts';
import { type LiveKeyCounter, liveKeyCounter } from './live-keys.ts';
import type { PageSummaries } from './page-summaries.ts';
import type { RecordColumns } from './record-columns.ts';
import type { RecordFollower } from './record-follower.ts';
import { KEY_BUCKET, RecordReader } from './records.ts';
import { mainRevision, revisionDefect, subNumber } from './revision-key.ts';
import type { StoreContents } from './store-contents.ts';
import type { StoreFacts } from './store-facts.ts';
import type { LostRange, StoreFinding, StoreRule } from './store-finding.ts';
import { SubOrder } from './sub-order.ts';

type Totals = Pick<
  DatabaseStatus,
  'hash' | 'revision' | 'currentRevision' | 'entries' | 'liveKeys'
>;

export interface VisitorOptions {
  readonly facts: Pick<StoreFacts, 'finishedCompactRevision' | 'scheduledCompactRevision'>;
  /** What a scan has learned. */
  readonly summaries?: PageSummaries | undefined;
  /** Without it no hash is computed. */
  readonly crc32c?: Crc32c | undefined;
  /** Where records are remembered, and who follows them. */
  readonly records?:
    | { readonly columns: RecordColumns; readonly follower: RecordFollower }
    | undefined;
  /** Whether nothing is asked for but that the walk reaches the leaves. */
  readonly isStructureOnly?: boolean;
  /** Collects what is in the other buckets. */
  readonly contents?: StoreContents | undefined;
  /** Told of what is wrong in the records; without it the first that is none is an error. */
  readonly found?: ((finding: StoreFinding) => void) | undefined;
  /** Told of what cannot be read. */
  readonly lost?: ((range: LostRange) => void) | undefined;
}

/**
 * The hash covers the buckets of the root and not what is in buckets below them, as etcdutl's
 * does: of those the name is hashed and counted like a key. etcd makes none.
 */
export class StoreVisitor implements TreeVisitor, ScannedPages {
  readonly #options: VisitorOptions;
  readonly #isStructureOnly: boolean;
  readonly #liveKeys: LiveKeyCounter | undefined;
  readonly #record = new RecordReader();
  readonly #subOrder: SubOrder;
  #bucket = '';
  #isKeyBucket = false;
  #hash = 0;
  #entries = 0;
  #revision = 0n;

  constructor(options: VisitorOptions) {
    this.#options = options;
    this.#subOrder = new SubOrder(options.records?.columns.compactRevision ?? 0n);
    const { finishedCompactRevision, scheduledCompactRevision } = options.facts;
    this.#isStructureOnly = options.isStructureOnly === true;
    // Who follows the records knows which of them are alive.
    if (options.records !== undefined || this.#isStructureOnly) return;
    this.#liveKeys = liveKeyCounter(finishedCompactRevision, scheduledCompactRevision);
  }

  enterBucket(name: Uint8Array, depth: number): boolean {
    if (depth === 1) {
      this.#hash = this.#options.crc32c?.update(this.#hash, name) ?? 0;
      this.#bucket = Buffer.from(name).toString('latin1');
      this.#isKeyBucket = KEY_BUCKET.equals(name);
    }
    this.#options.contents?.enterBucket(name, depth);
    return true;
  }

  branch(page: number): Uint8Array | undefined {
    return this.#options.summaries?.branchRun(page);
  }

  leafOverflow(page: number, range: KeyRange, depth: number): number {
    const { summaries } = this.#options;
    if (summaries === undefined || depth !== 1 || !this.#isKeyBucket) return -1;
    const overflow = summaries.overflowWithin(page, range);
    if (overflow < 0 || this.#liveKeys === undefined) return overflow;
    const [first, last] = [summaries.firstMain(page), summaries.lastMain(page)];
    return this.#liveKeys.takesSummary(first, last) ? overflow : -1;
  }

  scannedLeaf(page: number): void {
    const { summaries, records } = this.#options;
    const summary = summaries!.summary(page);
    this.#hash = combineCrc32c(this.#hash, summary.crc, summary.dataLength);
    this.#entries += summary.entries;
    this.#liveKeys?.addSummary(summary);
    // The walk goes up: the last leaf's is the last of all.
    this.#revision = BigInt(summary.lastMain);
    if (records === undefined) return;
    const tell = (revision: number, sentence: string): void => {
      const offset = summaries!.offset(page);
      this.#tell('history', `revision ${revision} ${sentence} (page ${page})`, { page, offset });
    };
    const { firstMain } = summary;
    if (!this.#subOrder.follows(firstMain, summaries!.firstSub(page))) {
      tell(firstMain, this.#subOrder.gap);
    }
    this.#subOrder.set(summary.lastMain, summaries!.lastSub(page));
    records.follower.follow(summaries!.firstRecord(page), summary.entries, tell);
  }

  leaf(leaf: LeafPage, page: number, depth: number, offset: number): void {
    if (depth !== 1 || this.#isStructureOnly) return;
    this.#entries += leaf.count;
    this.#hashLeaf(leaf);
    if (!this.#isKeyBucket) {
      this.#options.contents?.leaf(leaf, page, depth, offset);
      return;
    }
    for (let index = 0; index < leaf.count; index += 1) {
      if (this.#readRecord(leaf, index, page, offset)) this.#takeRecord(page, offset);
    }
  }

  lost(page: number, depth: number, range: KeyRange, leaf: LeafPage | undefined): void {
    if (this.#isStructureOnly) return;
    const isKeys = this.#isKeyBucket && depth === 1;
    const bucket = depth === 0 ? '' : this.#bucket;
    const { lower, lowerStart, lowerEnd, upper, upperStart, upperEnd } = range;
    const from = isKeys ? revisionAt(lower, lowerStart, lowerEnd) : undefined;
    const to = isKeys ? revisionBefore(upper, upperStart, upperEnd) : undefined;
    const whole = { page, bucket, from, to, records: undefined };
    if (isKeys) this.#options.records?.follower.noteGap();
    if (isKeys) this.#subOrder.forget();
    if (isKeys && leaf !== undefined) this.#salvage(leaf, whole);
    else this.#options.lost?.(whole);
  }

  /** Takes the records of a damaged leaf that lie where they should, and tells of what is lost between them. */
  #salvage(leaf: LeafPage, whole: LostRange): void {
    const { page } = whole;
    const offset = this.#options.summaries?.offset(page) ?? 0;
    // What overlaps could make a small page cost much to read.
    let bytesLeft = leaf.end - leaf.start;
    let from = whole.from;
    let records = 0;
    for (let index = 0; index < leaf.count; index += 1) {
      const isThere = bytesLeft > 0 && leaf.elementDefect(index) === undefined;
      if (isThere) bytesLeft -= leaf.valueEnd(index) - leaf.keyStart(index);
      if (!isThere || this.#record.read(leaf, index, page) !== undefined) {
        records += 1;
        this.#subOrder.forget();
        continue;
      }
      const to = this.#record.exactMain;
      if (records > 0) this.#options.lost?.({ ...whole, from, to, records });
      this.#takeRecord(page, offset);
      from = to;
      records = 0;
    }
    if (records > 0) this.#options.lost?.({ ...whole, from, records });
  }

  #hashLeaf(leaf: LeafPage): void {
    const { crc32c } = this.#options;
    if (crc32c === undefined) return;
    for (let index = 0; index < leaf.count; index += 1) {
      this.#hash = crc32c.update(this.#hash, leaf.key(index));
      if (leaf.isBucket(index)) continue;
      this.#hash = crc32c.update(this.#hash, leaf.value(index));
    }
  }

  /** @returns whether the element is a record */
  #readRecord(leaf: LeafPage, index: number, page: number, offset: number): boolean {
    if (this.#options.found === undefined) {
      this.#record.demand(leaf, index, page);
      return true;
    }
    const defect = this.#record.read(leaf, index, page);
    if (defect === undefined) return true;
    this.#tell('record', defect, { page, offset });
    this.#subOrder.forget();
    return false;
  }

  #takeRecord(page: number, offset: number): void {
    const { records, crc32c } = this.#options;
    const record = this.#record;
    const { bytes, start, valueEnd, isTombstone, exactMain } = record;
    const { keyStart, keyEnd, version } = record.keyValue;
    this.#revision = exactMain;
    const key = bytes.subarray(keyStart, keyEnd);
    this.#liveKeys?.add({ main: exactMain, isTombstone, key, version });
    if (records === undefined) return;
    const tell = (sentence: string): void => {
      const message = `revision ${exactMain} ${sentence} (page ${page})`;
      this.#tell('history', message, { page, offset });
    };
    isPlausible(record, tell);
    if (!this.#subOrder.isNext(record)) tell(this.#subOrder.gap);
    const index = records.columns.append(record);
    if (crc32c !== undefined) {
      records.columns.setChecksum(index, crc32c, bytes.subarray(start, valueEnd));
    }
    records.follower.follow(index, 1, (_, sentence) => tell(sentence));
  }

  #tell(rule: StoreRule, message: string, where: { page: number; offset: number }): void {
    this.#options.found?.({ rule, message, ...where });
  }

  /** To be asked when the walk is over. */
  totals(): Totals {
    const { facts, records } = this.#options;
    const { finishedCompactRevision = 0n, scheduledCompactRevision = 0n } = facts;
    const revisions = [1n, this.#revision, finishedCompactRevision, scheduledCompactRevision];
    return {
      hash: this.#hash,
      revision: this.#revision,
      currentRevision: revisions.reduce((left, right) => (left > right ? left : right)),
      entries: this.#entries,
      liveKeys: records?.follower.newest.live ?? this.#liveKeys?.count ?? 0,
    };
  }
}

/** Main revision of a bound; undefined if it is none. */
function revisionAt(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  if (revisionDefect(bytes, start, end) !== undefined) return undefined;
  return mainRevision(new DataView(bytes.buffer, bytes.byteOffset), start);
}

/** The last main revision below a bound. */
function revisionBefore(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  const main = revisionAt(bytes, start, end);
  return main !== undefined && subNumber(bytes, start) === 0 ? main - 1n : main;
}
