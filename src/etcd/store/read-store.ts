// Reads a database in a file once, from its beginning to its end, and makes of it all that is asked for: the branch
// pages are read ahead, the leaves are looked into as they pass by, and the walk of the tree then decides what counts.

import { ALIGNMENT, AlignedMemory } from '../../base/aligned-memory.ts';
import { Crc32c } from '../../base/crc32c.ts';
import { EtcdkeepError } from '../../base/errors.ts';
import { checkFreelist } from '../../bbolt/freelist.ts';
import { inspectMetas, type Meta, pagesInFile, readMeta } from '../../bbolt/meta.ts';
import { PageScan } from '../../bbolt/page-scan.ts';
import type { PageSet } from '../../bbolt/page-set.ts';
import type { PageSource } from '../../bbolt/page-source.ts';
import { estimateElements, planScan } from '../../bbolt/scan-plan.ts';
import { walkTree } from '../../bbolt/walk.ts';
import { checkContents, LeaseReferences } from './check-contents.ts';
import { Chunks } from './chunks.ts';
import type { DatabaseStatus } from './database-status.ts';
import { PageSummaries } from './page-summaries.ts';
import { followPartitioned } from './partitioned-records.ts';
import { RecordColumns } from './record-columns.ts';
import { RecordFollower } from './record-follower.ts';
import { compactRevisionOf } from './revision-bounds.ts';
import { StoreContents } from './store-contents.ts';
import { readStoreFacts, type StoreFacts } from './store-facts.ts';
import { isError, isStoreRule, type LostRange, type StoreFinding } from './store-finding.ts';
import { StoreVisitor } from './store-visitor.ts';

/** What is to be made of a database; its structure alone if nothing is asked for. */
export interface StoreWish {
  /** The hashes of it: of all buckets, and of the records where they are followed. */
  readonly hash?: boolean;
  /** Whether records are followed, and up to which revision; 0 for all. */
  readonly records?: bigint;
  /** The revision and the counts, where neither hashes nor the history of records are asked for. */
  readonly counts?: boolean;
  /** How many records are remembered at once, if not RECORDS_AT_ONCE; of more, the keys are parted. */
  readonly recordsAtOnce?: number;
  /** Told of all that is wrong. Without it the first that is wrong is an error. */
  readonly found?: (finding: StoreFinding) => void;
  /** Told of what cannot be read. */
  readonly lost?: (range: LostRange) => void;
  /**
   * Shown all bytes of the source, in order, for who computes a digest of them; what goes beyond the database, too.
   * The bytes are free again when it is done; until then others may be shown.
   */
  readonly seen?: (bytes: Uint8Array) => Promise<void> | undefined;
}

export interface ReadStore {
  /** Undefined if neither meta page can be used: then nothing else was looked at. */
  readonly meta: Meta | undefined;
  readonly pagesReachable: number;
  /** Undefined where `meta` is, where what etcd notes cannot be read, and where the structure alone is asked for. */
  readonly status: DatabaseStatus | undefined;
  /** Keys whose newest readable record is no deletion. */
  readonly liveKeys: number;
  /** HashKV at the revision up to which records were followed. */
  readonly hashKV: number | undefined;
  /** How many findings there were, of either kind. */
  readonly errors: number;
  readonly warnings: number;
}

const UNREAD = { pagesReachable: 0, status: undefined, liveKeys: 0, hashKV: undefined };

const CHUNK_SIZE = 1024 * 1024;
/** Where leaves are long, chunks are too: most of them lie in one, and the others are put together from two. */
const LONG_CHUNK_SIZE = 4 * CHUNK_SIZE;
/** Pages of the database for each leaf, from which on leaves are long. */
const PAGES_OF_LONG_LEAF = 16;
/** Two long chunks, what the scan puts together, and the tables of CRC-32C. */
const MEMORY_SIZE = 3 * LONG_CHUNK_SIZE + ALIGNMENT;
/** Some 250 MB. */
const RECORDS_AT_ONCE = 4 * 1024 * 1024;
/** Leaves by which the number of records is estimated. */
const SAMPLED_LEAVES = 64;

const LAST_REVISION = 2n ** 63n - 1n;

/** What is gone on with where it is not known what was compacted: a missing record says nothing then. */
const UNKNOWN_COMPACTION = {
  finishedCompactRevision: -1n,
  scheduledCompactRevision: LAST_REVISION,
};

/**
 * Reads a database. With `found` it goes on to the end whatever is wrong, and what it answers is of what could be read.
 * @throws EtcdkeepError `database-damaged` unless `found` is given; `file-failed`
 */
export async function readStore(source: PageSource, wish: StoreWish): Promise<ReadStore> {
  const counts = { errors: 0, warnings: 0 };
  let ofStructure = 0;
  const found =
    wish.found &&
    ((finding: StoreFinding): void => {
      counts[isError(finding) ? 'errors' : 'warnings'] += 1;
      if (!isStoreRule(finding.rule)) ofStructure += 1;
      wish.found!(finding);
    });
  const meta = await (found === undefined ? readMeta(source) : inspectMetas(source, found));
  if (meta === undefined) {
    await showAll(source, wish);
    return { meta, ...UNREAD, ...counts };
  }
  const { facts, defect } = isStructureOnly(wish) ? NOTHING : await factsOrDefect(source, meta);
  if (defect !== undefined && found === undefined) throw defect;
  const reading = new StoreReading(source, meta, wish, facts, found);
  await reading.scan();
  const { pagesReachable, totals, hashKV } = await reading.walk();
  // Of a tree that is not sound, what could not be read would seem to be missing.
  if (ofStructure === 0) reading.checkContents(totals.revision);
  const { pageSize, pages, txid } = meta;
  const totalSize = pages * pageSize;
  const status = facts && { ...facts, ...totals, pageSize, pages, pagesReachable, totalSize, txid };
  return { meta, pagesReachable, status, liveKeys: totals.liveKeys, hashKV, ...counts };
}

function isStructureOnly({ hash, records, counts }: StoreWish): boolean {
  return hash !== true && records === undefined && counts !== true;
}

interface Facts {
  readonly facts?: StoreFacts;
  readonly defect?: EtcdkeepError;
}

const NOTHING: Facts = {};

async function factsOrDefect(source: PageSource, meta: Meta): Promise<Facts> {
  try {
    return { facts: await readStoreFacts(source, meta) };
  } catch (reason) {
    if (!(reason instanceof EtcdkeepError) || reason.code !== 'database-damaged') throw reason;
    return { defect: reason };
  }
}

class StoreReading {
  readonly #source: PageSource;
  readonly #meta: Meta;
  readonly #wish: StoreWish;
  readonly #found: ((finding: StoreFinding) => void) | undefined;
  readonly #facts: Pick<StoreFacts, 'finishedCompactRevision' | 'scheduledCompactRevision'>;
  readonly #memory = new AlignedMemory(MEMORY_SIZE);
  readonly #crc32c: Crc32c | undefined;
  #columns: RecordColumns | undefined;
  #follower: RecordFollower | undefined;
  /** Parts of the keys that are followed one after the other; 1 if all are at once. */
  #partitions = 1;
  readonly #references = new LeaseReferences();
  /** Collected where all that is wrong is asked for. */
  readonly #contents: StoreContents | undefined;
  readonly #summaries: PageSummaries;
  readonly #isStructureOnly: boolean;

  constructor(
    source: PageSource,
    meta: Meta,
    wish: StoreWish,
    facts: StoreFacts | undefined,
    found: ((finding: StoreFinding) => void) | undefined,
  ) {
    this.#source = source;
    this.#meta = meta;
    this.#wish = wish;
    this.#found = found;
    this.#facts = facts ?? UNKNOWN_COMPACTION;
    this.#isStructureOnly = isStructureOnly(wish);
    this.#crc32c = wish.hash === true ? new Crc32c(this.#memory) : undefined;
    const { finishedCompactRevision: finished = -1n, scheduledCompactRevision: scheduled = -1n } =
      this.#facts;
    if (wish.records !== undefined) {
      this.#columns = new RecordColumns(compactRevisionOf(this.#facts), wish.records);
      this.#follower = new RecordFollower(this.#columns, scheduled > finished);
      if (found !== undefined) this.#contents = new StoreContents(found);
    }
    this.#summaries = new PageSummaries(meta.pageSize, pagesInFile(meta, source), {
      crc32c: this.#crc32c,
      columns: this.#columns,
      isStructureOnly: this.#isStructureOnly,
    });
  }

  /** Looks into the leaves in the order of the file. */
  async scan(): Promise<void> {
    const { pages, pageSize } = this.#meta;
    const summaries = this.#summaries;
    const leaves = await planScan(this.#source, this.#meta, (page, run) => {
      summaries.keepBranch(page, run, false);
    });
    await this.#partRecords(leaves);
    const isOfLongLeaves = leaves.size * PAGES_OF_LONG_LEAF < pages;
    // Of long leaves the walk reads the keys alone.
    if (isOfLongLeaves && this.#isStructureOnly && this.#wish.seen === undefined) return;
    const chunkSize = isOfLongLeaves ? LONG_CHUNK_SIZE : CHUNK_SIZE;
    const options = { wanted: leaves, ...(isOfLongLeaves ? { joinSize: chunkSize } : {}) };
    const scan = new PageScan(this.#memory, pageSize, pages, summaries, options);
    await using chunks = new Chunks(this.#memory, chunkSize, (2 * LONG_CHUNK_SIZE) / chunkSize);
    const { size } = this.#source;
    const end = this.#wish.seen === undefined ? Math.min(size, pages * pageSize) : size;
    let hadLeaves = false;
    for (let offset = 0; offset < end; offset += chunkSize) {
      const length = Math.min(chunkSize, end - offset);
      const hasLeaves = leaves.hasNear(offset / pageSize, (offset + length - 1) / pageSize);
      // Free pages are not read, be it a terabyte of them in a hole of the file; a leaf before may go on here.
      if (this.#wish.seen === undefined && !hasLeaves && !hadLeaves) {
        scan.skip(length);
        continue;
      }
      hadLeaves = hasLeaves;
      const chunk = chunks.free() ?? (await chunks.nextFree());
      const bytes = this.#memory.view(chunk, length);
      await this.#source.read(bytes, offset);
      const seen = this.#wish.seen?.(bytes);
      scan.push(chunk, length);
      chunks.release(chunk, seen);
    }
    await chunks.settle();
  }

  /** Where there are too many records to be remembered at once, they are followed after the walk. */
  async #partRecords(leaves: PageSet): Promise<void> {
    if (this.#columns === undefined) return;
    const { recordsAtOnce = RECORDS_AT_ONCE } = this.#wish;
    const records = await estimateElements(this.#source, this.#meta, leaves, SAMPLED_LEAVES);
    if (records <= recordsAtOnce) return;
    this.#partitions = Math.ceil(records / recordsAtOnce);
    this.#columns = undefined;
    this.#follower = undefined;
    this.#summaries.leaveRecords();
  }

  #followPartitioned(records: number) {
    const { finishedCompactRevision = -1n, scheduledCompactRevision = -1n } = this.#facts;
    return followPartitioned(this.#source, this.#meta, {
      compactRevision: compactRevisionOf(this.#facts),
      isCompacting: scheduledCompactRevision > finishedCompactRevision,
      revision: this.#wish.records!,
      partitions: this.#partitions,
      records,
      hash: this.#crc32c !== undefined,
      told: (message, page, offset) => this.#found?.({ rule: 'history', message, page, offset }),
      lease: (id) => this.#references.add(id),
    });
  }

  async walk() {
    const source = this.#source;
    const meta = this.#meta;
    const columns = this.#columns;
    const follower = this.#follower;
    const visitor = new StoreVisitor({
      facts: this.#facts,
      summaries: this.#summaries,
      crc32c: this.#crc32c,
      records: columns && follower && { columns, follower },
      isStructureOnly: this.#isStructureOnly,
      contents: this.#contents,
      found: this.#found,
      lost: this.#wish.lost,
    });
    const found = this.#found;
    const reached = await walkTree(source, meta, visitor, {
      scanned: visitor,
      keysOnly: this.#isStructureOnly,
      ...(found === undefined ? {} : { found }),
    });
    if (found !== undefined) await checkFreelist(source, meta, reached, found);
    const totals = visitor.totals();
    if (this.#partitions > 1) {
      const { live, hashKV } = await this.#followPartitioned(totals.entries);
      return { pagesReachable: reached.size, totals: { ...totals, liveKeys: live }, hashKV };
    }
    for (const lease of follower?.leases() ?? []) this.#references.add(lease);
    const hashKV = this.#crc32c && follower?.hashKV(this.#crc32c);
    return { pagesReachable: reached.size, totals, hashKV };
  }

  /** Holds what was collected against each other. @param revision of the last record */
  checkContents(revision: bigint): void {
    const contents = this.#contents;
    if (contents === undefined) return;
    for (const finding of checkContents(contents, revision)) this.#found!(finding);
    for (const finding of this.#references.check(contents)) this.#found!(finding);
  }
}

async function showAll(source: PageSource, { seen }: StoreWish): Promise<void> {
  if (seen === undefined) return;
  for (let offset = 0; offset < source.size; offset += CHUNK_SIZE) {
    const bytes = new Uint8Array(Math.min(CHUNK_SIZE, source.size - offset));
    await source.read(bytes, offset);
    await seen(bytes);
  }
}
