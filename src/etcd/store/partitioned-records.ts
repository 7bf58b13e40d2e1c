// The history of keys and HashKV of a database with more records than are remembered at once: the keys are parted by a
// hash, and each part is followed in a walk of its own. What lasts from one to the next is a bit for each record.

import { ALIGNMENT, AlignedMemory } from '../../base/aligned-memory.ts';
import { Crc32c } from '../../base/crc32c.ts';
import type { Meta } from '../../bbolt/meta.ts';
import type { LeafPage } from '../../bbolt/page.ts';
import { PageSet } from '../../bbolt/page-set.ts';
import type { PageSource } from '../../bbolt/page-source.ts';
import type { TreeVisitor } from '../../bbolt/tree-visitor.ts';
import { walkTree } from '../../bbolt/walk.ts';
import { isPlausible } from './check-history.ts';
import { RecordColumns } from './record-columns.ts';
import { HASH_KV_SEED, isHashed, RecordFollower } from './record-follower.ts';
import { KEY_BUCKET, RecordReader } from './records.ts';
import { SubOrder } from './sub-order.ts';

export interface PartitionedWish {
  readonly compactRevision: bigint;
  readonly isCompacting: boolean;
  /** Up to which records are followed; 0 for all. */
  readonly revision: bigint;
  /** How many parts. */
  readonly partitions: number;
  /** How many records there are. */
  readonly records: number;
  readonly hash: boolean;
  /** Told of what is wrong in the history, with the page. */
  readonly told: (message: string, page: number, offset: number) => void;
  /** Told of the leases of live keys. */
  readonly lease: (id: bigint) => void;
}

/**
 * Follows all records, a part of the keys at a time. What is wrong with the structure is passed over: who walked it
 * before has told of it.
 * @returns how many keys are alive, and HashKV, if it was wished for
 * @throws EtcdkeepError `file-failed`
 */
export async function followPartitioned(
  source: PageSource,
  meta: Meta,
  wish: PartitionedWish,
): Promise<{ readonly live: number; readonly hashKV: number | undefined }> {
  const outlived = new PageSet(wish.records + 1);
  let live = 0;
  for (let partition = 0; partition < wish.partitions; partition += 1) {
    const part = new Part(wish, partition);
    await walk(source, meta, part);
    live += part.end(outlived);
  }
  if (!wish.hash) return { live, hashKV: undefined };
  const hasher = new Hasher(wish, outlived, live);
  await walk(source, meta, hasher);
  return { live, hashKV: hasher.hash };
}

async function walk(source: PageSource, meta: Meta, visitor: TreeVisitor): Promise<void> {
  await walkTree(source, meta, visitor, { found: () => undefined });
}

/** Shows the records one by one, those that can be read. */
abstract class Records implements TreeVisitor {
  protected readonly record = new RecordReader();
  /** Of the record that is shown, counted from 0. */
  protected number = -1;

  enterBucket(name: Uint8Array, depth: number): boolean {
    return depth === 1 && KEY_BUCKET.equals(name);
  }

  scannedLeaf(): void {
    throw new Error('no page was scanned');
  }

  leaf(leaf: LeafPage, page: number, depth: number, offset: number): void {
    if (depth !== 1) return;
    for (let index = 0; index < leaf.count; index += 1) {
      this.number += 1;
      if (this.record.read(leaf, index, page) === undefined) this.take(page, offset);
    }
  }

  protected abstract take(page: number, offset: number): void;
}

class Part extends Records {
  readonly #wish: PartitionedWish;
  readonly #isFirst: boolean;
  readonly #columns: RecordColumns;
  readonly #follower: RecordFollower;
  readonly #subOrder: SubOrder;
  /** Numbers of the records in the columns. */
  #numbers = new Float64Array(1024);

  constructor(wish: PartitionedWish, partition: number) {
    super();
    this.#wish = wish;
    this.#isFirst = partition === 0;
    const { compactRevision, revision, partitions, isCompacting } = wish;
    this.#columns = new RecordColumns(compactRevision, revision, { partition, partitions });
    this.#follower = new RecordFollower(this.#columns, isCompacting);
    this.#subOrder = new SubOrder(compactRevision);
  }

  lost(): void {
    this.#follower.noteGap();
    this.#subOrder.forget();
  }

  protected take(page: number, offset: number): void {
    const { record } = this;
    const tell = (sentence: string): void => {
      const message = `revision ${record.exactMain} ${sentence} (page ${page})`;
      this.#wish.told(message, page, offset);
    };
    // What a record says of itself is told of once.
    if (this.#isFirst) {
      isPlausible(record, tell);
      if (!this.#subOrder.isNext(record)) tell(this.#subOrder.gap);
    }
    const index = this.#columns.append(record);
    if (index < 0) return;
    if (index === this.#numbers.length) {
      const before = this.#numbers;
      this.#numbers = new Float64Array(2 * before.length);
      this.#numbers.set(before);
    }
    this.#numbers[index] = this.number;
    this.#follower.follow(index, 1, (_, sentence) => tell(sentence));
  }

  /** @param outlived given the number of each record that is no live key's newest. @returns how many live keys */
  end(outlived: PageSet): number {
    for (let index = 0; index < this.#columns.length; index += 1) {
      if (!this.#columns.isLive(index)) outlived.add(this.#numbers[index]!);
    }
    for (const lease of this.#follower.leases()) this.#wish.lease(lease);
    return this.#follower.newest.live;
  }
}

class Hasher extends Records {
  hash: number;
  readonly #crc32c = new Crc32c(new AlignedMemory(ALIGNMENT));
  readonly #wish: PartitionedWish;
  readonly #outlived: PageSet;
  readonly #live: number;

  constructor(wish: PartitionedWish, outlived: PageSet, live: number) {
    super();
    this.#wish = wish;
    this.#outlived = outlived;
    this.#live = live;
    this.hash = this.#crc32c.update(0, HASH_KV_SEED);
  }

  protected take(): void {
    const { bytes, start, valueEnd, exactMain, isTombstone } = this.record;
    const { revision, compactRevision } = this.#wish;
    const isIn = isHashed({
      isLater: revision !== 0n && exactMain > revision,
      isCompacted: exactMain <= compactRevision,
      isAtCompaction: exactMain === compactRevision,
      isTombstone,
      isLive: !this.#outlived.has(this.number),
      live: this.#live,
    });
    if (isIn) this.hash = this.#crc32c.update(this.hash, bytes.subarray(start, valueEnd));
  }
}
