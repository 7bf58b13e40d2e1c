// Writes a database from buckets whose entries come in the order of their keys. It streams: a leaf page, two
// branch pages of each level, and what a bucket's parent has begun are all that is kept.
//
//   const writer = new DatabaseWriter(target, { pageSize: 4096 });
//   const bucket = writer.bucket(name);
//   await bucket.put(key, value);
//   await bucket.end();
//   await writer.end();

import { BranchLevels } from './branch-levels.ts';
import { LeafWriter } from './leaf-writer.ts';
import { checkPageSize, metaPages, type WrittenDatabase } from './meta-pages.ts';
import { PageAllocator } from './page-allocator.ts';
import { bucketImage } from './page-image.ts';
import type { PageTarget } from './page-target.ts';
import { checkFillPercent, checkKey, checkValue, FILL_PERCENT } from './write-limits.ts';

/** bbolt's next transaction writes page 1, and page 0 holds the newest till then. */
const FIRST_TXID = 2n;

export interface WriterOptions {
  /** A power of two from 1 KiB to 16 MiB. */
  readonly pageSize: number;
  /** Share of a page that is filled, from 0.1 to 1; 0.9 if left out. */
  readonly fillPercent?: number;
}

export interface BucketOptions {
  /** Of its own pages; its database's if left out. */
  readonly fillPercent?: number;
  readonly sequence?: bigint;
}

export class DatabaseWriter {
  readonly #target: PageTarget;
  readonly #pages: PageAllocator;
  readonly #root: BucketWriter;

  /** @throws RangeError if there is no such page size or fill percent */
  constructor(target: PageTarget, { pageSize, fillPercent = FILL_PERCENT }: WriterOptions) {
    checkPageSize(pageSize);
    this.#target = target;
    this.#pages = new PageAllocator(target, pageSize, 2);
    this.#root = new BucketWriter(this.#pages, fillPercent);
  }

  /**
   * Begins a bucket; the one before has to be ended.
   * @throws RangeError if its name does not come after that of the bucket before
   */
  bucket(name: Uint8Array, options?: BucketOptions): BucketWriter {
    return this.#root.bucket(name, options);
  }

  /** Writes what is left, and the meta pages last. */
  async end(): Promise<WrittenDatabase> {
    const root = await this.#root.endPaged();
    const { pageSize, end: pages } = this.#pages;
    const written = { pageSize, pages, root, txid: FIRST_TXID };
    await this.#target.write(metaPages(written), 0);
    return { ...written, size: pages * pageSize };
  }
}

export class BucketWriter {
  readonly #pages: PageAllocator;
  readonly #fillPercent: number;
  readonly #ended: ((value: Uint8Array) => Promise<void> | undefined) | undefined;
  readonly #sequence: bigint;
  readonly #leaves: LeafWriter;
  readonly #levels: BranchLevels;
  #state: 'open' | 'bucket in it' | 'ended' = 'open';

  /**
   * Buckets are made by the one that they are in, or by the database.
   * @param ended is given its value; the root bucket has none
   */
  constructor(
    pages: PageAllocator,
    fillPercent: number,
    ended?: (value: Uint8Array) => Promise<void> | undefined,
    sequence = 0n,
  ) {
    checkFillPercent(fillPercent);
    this.#pages = pages;
    this.#fillPercent = fillPercent;
    this.#ended = ended;
    this.#sequence = sequence;
    this.#levels = new BranchLevels(pages, fillPercent);
    this.#leaves = new LeafWriter(pages, fillPercent, (page) => this.#levels.add(page));
  }

  /**
   * Adds an entry.
   * @throws RangeError if the key is empty, too long, or does not come after the one before; or if the value
   * is too long. EtcdkeepError of the target's own
   */
  put(key: Uint8Array, value: Uint8Array): Promise<void> | undefined {
    const bytes = new Uint8Array(key.length + value.length);
    bytes.set(key);
    bytes.set(value, key.length);
    return this.putFrom(bytes, 0, key.length, bytes.length);
  }

  /** The same for a key and, behind it, its value in larger bytes; they are not kept. */
  putFrom(
    bytes: Uint8Array,
    keyStart: number,
    valueStart: number,
    valueEnd: number,
  ): Promise<void> | undefined {
    if (this.#ended === undefined) throw new Error('the root bucket holds buckets only');
    this.#check(bytes, keyStart, valueStart);
    return this.#add(bytes, keyStart, valueStart, valueEnd, false);
  }

  /**
   * Begins a bucket in this one, which nothing can be added to until that is ended.
   * @throws RangeError as `put`
   */
  bucket(name: Uint8Array, options: BucketOptions = {}): BucketWriter {
    this.#check(name, 0, name.length);
    const key = name.slice();
    const { fillPercent = this.#fillPercent, sequence } = options;
    const ended = (value: Uint8Array): Promise<void> | undefined => {
      this.#state = 'open';
      const bytes = Buffer.concat([key, value]);
      return this.#add(bytes, 0, key.length, bytes.length, true);
    };
    const bucket = new BucketWriter(this.#pages, fillPercent, ended, sequence);
    this.#state = 'bucket in it';
    return bucket;
  }

  /** Writes what is left of it, and adds it to the bucket that it is in. */
  async end(): Promise<void> {
    if (this.#ended === undefined) throw new Error('the root bucket ends with its database');
    this.#demandOpen();
    const { leaf } = this.#leaves;
    const isInline = this.#levels.isEmpty && leaf.isInlineable;
    const root = isInline ? leaf.inlineImage() : await this.endPaged();
    this.#state = 'ended';
    await this.#ended(bucketImage(root, this.#sequence));
  }

  /**
   * Writes what is left of it to pages, however little it is: the root bucket is never inline.
   * @returns the root's page id
   */
  async endPaged(): Promise<number> {
    this.#demandOpen();
    this.#state = 'ended';
    await this.#leaves.end();
    return await (this.#levels.isEmpty ? this.#leaves.writeEmpty() : this.#levels.finish());
  }

  #demandOpen(): void {
    if (this.#state === 'ended') throw new Error('the bucket is ended');
    if (this.#state !== 'open') throw new Error('a bucket in this one is not ended');
  }

  #check(bytes: Uint8Array, keyStart: number, keyEnd: number): void {
    this.#demandOpen();
    checkKey(keyEnd - keyStart);
    const order = this.#leaves.compareWithLast(bytes, keyStart, keyEnd);
    if (order === 0) throw new RangeError('a key comes twice');
    if (order < 0) throw new RangeError('a key does not come after the one before it');
  }

  #add(
    bytes: Uint8Array,
    keyStart: number,
    valueStart: number,
    valueEnd: number,
    isBucket: boolean,
  ): Promise<void> | undefined {
    checkValue(valueEnd - valueStart);
    return this.#leaves.add(bytes, keyStart, valueStart, valueEnd, isBucket);
  }
}
