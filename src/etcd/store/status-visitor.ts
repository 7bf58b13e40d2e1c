// Makes the status of a database out of its leaves, in the order in which the walk reaches them.

import type { Crc32c } from '../../base/crc32c.ts';
import { combineCrc32c } from '../../base/crc32c-combine.ts';
import type { LeafPage } from '../../bbolt/page.ts';
import type { KeyRange, ScannedPages, TreeVisitor } from '../../bbolt/walk.ts';
import type { DatabaseStatus } from './database-status.ts';
import { type LiveKeyCounter, liveKeyCounter } from './live-keys.ts';
import type { PageSummaries } from './page-summaries.ts';
import { KEY_BUCKET, RecordReader } from './records.ts';
import type { StoreFacts } from './store-facts.ts';

type Result = Pick<
  DatabaseStatus,
  'hash' | 'revision' | 'currentRevision' | 'entries' | 'liveKeys'
>;

/**
 * The hash covers the buckets of the root and not what is in buckets below them, as etcdutl's
 * does: of those the name is hashed and counted like a key. etcd makes none.
 */
export class StatusVisitor implements TreeVisitor, ScannedPages {
  readonly #crc32c: Crc32c;
  readonly #facts: StoreFacts;
  readonly #summaries: PageSummaries | undefined;
  readonly #liveKeys: LiveKeyCounter;
  readonly #record = new RecordReader();
  #isKeyBucket = false;
  #hash = 0;
  #entries = 0;
  #revision = 0n;

  constructor(crc32c: Crc32c, facts: StoreFacts, summaries: PageSummaries | undefined) {
    this.#crc32c = crc32c;
    this.#facts = facts;
    this.#summaries = summaries;
    const { finishedCompactRevision, scheduledCompactRevision } = facts;
    this.#liveKeys = liveKeyCounter(finishedCompactRevision, scheduledCompactRevision);
  }

  enterBucket(name: Uint8Array, depth: number): boolean {
    if (depth === 1) {
      this.#hash = this.#crc32c.update(this.#hash, name);
      this.#isKeyBucket = Buffer.from(name).equals(KEY_BUCKET);
    }
    return true;
  }

  branch(page: number): Uint8Array | undefined {
    return this.#summaries?.branchRun(page);
  }

  leafOverflow(page: number, range: KeyRange, depth: number): number {
    const summaries = this.#summaries;
    if (summaries === undefined || depth !== 1) return -1;
    const overflow = summaries.overflowWithin(page, range);
    if (overflow < 0 || !this.#isKeyBucket) return overflow;
    const isTaken = this.#liveKeys.takesSummary(
      summaries.firstMain(page),
      summaries.lastMain(page),
    );
    return isTaken ? overflow : -1;
  }

  scannedLeaf(page: number): void {
    const summary = this.#summaries!.summary(page);
    this.#hash = combineCrc32c(this.#hash, summary.crc, summary.dataLength);
    this.#entries += summary.entries;
    if (!this.#isKeyBucket) return;
    this.#liveKeys.addSummary(summary);
    // The walk goes up: the last leaf's is the last of all.
    this.#revision = BigInt(summary.lastMain);
  }

  leaf(leaf: LeafPage, page: number, depth: number): void {
    if (depth !== 1) return;
    this.#entries += leaf.count;
    for (let index = 0; index < leaf.count; index += 1) {
      this.#hash = this.#crc32c.update(this.#hash, leaf.key(index));
      if (leaf.isBucket(index)) continue;
      this.#hash = this.#crc32c.update(this.#hash, leaf.value(index));
    }
    if (!this.#isKeyBucket) return;
    for (let index = 0; index < leaf.count; index += 1) {
      this.#record.demand(leaf, index, page);
      this.#count(this.#record);
    }
  }

  #count(record: RecordReader): void {
    const { bytes, main, isTombstone } = record;
    const { keyStart, keyEnd, version } = record.keyValue;
    this.#revision = main;
    this.#liveKeys.add({ main, isTombstone, key: bytes.subarray(keyStart, keyEnd), version });
  }

  /** To be asked when the walk is over. */
  result(): Result {
    const { finishedCompactRevision = 0n, scheduledCompactRevision = 0n } = this.#facts;
    const revisions = [1n, this.#revision, finishedCompactRevision, scheduledCompactRevision];
    return {
      hash: this.#hash,
      revision: this.#revision,
      currentRevision: revisions.reduce((left, right) => (left > right ? left : right)),
      entries: this.#entries,
      liveKeys: this.#liveKeys.count,
    };
  }
}
