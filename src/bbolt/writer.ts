// Writes a database from buckets whose entries come in the order of their keys. It streams: a leaf page, two
// branch pages of each level, and what a bucket's parent has begun are all that is kept.
//
//   const writer = new DatabaseWriter(target, { pageSize: 4096 });
//   const bucket = writer.bucket(name);
//   await bucket.put(key, value);
//   await bucket.end();
//   await writer.end();

import { BranchLevels } from './branch-levels.ts';
import { LeafBuilder } from './leaf-builder.ts';
import { checkPageSize, metaPages, type WrittenDatabase } from './meta-pages.ts';
import { compareRanges, ELEMENT_SIZE, HEADER_SIZE, PAGE_FLAGS } from './page.ts';
import { PageAllocator } from './page-allocator.ts';
import { bucketImage, viewOf, writeLeafElement, writePageHeader } from './page-image.ts';
import type { PageTarget } from './page-target.ts';

/** bbolt, bucket.go: MaxKeySize and MaxValueSize. */
export const KEY_SIZE_MAX = 32_768;
export const VALUE_SIZE_MAX = 2 ** 31 - 2;

/** What etcd's defrag fills pages to: room for what is written next (backend.go, defragdb). */
export const FILL_PERCENT = 0.9;
/** bbolt, bucket.go: minFillPercent. */
const FILL_PERCENT_MIN = 0.1;

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
  readonly #leaf: LeafBuilder;
  readonly #levels: BranchLevels;
  /** The last key of the page before the one in the making. */
  #lastKey: Uint8Array | undefined;
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
    if (!(fillPercent >= FILL_PERCENT_MIN && fillPercent <= 1)) {
      throw new RangeError(`pages cannot be filled to ${fillPercent}`);
    }
    this.#pages = pages;
    this.#fillPercent = fillPercent;
    this.#ended = ended;
    this.#sequence = sequence;
    this.#leaf = new LeafBuilder(pages.pageSize, fillPercent);
    this.#levels = new BranchLevels(pages, fillPercent);
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
    this.#state = 'bucket in it';
    const { fillPercent = this.#fillPercent, sequence } = options;
    const ended = (value: Uint8Array): Promise<void> | undefined => {
      this.#state = 'open';
      const bytes = Buffer.concat([key, value]);
      return this.#add(bytes, 0, key.length, bytes.length, true);
    };
    return new BucketWriter(this.#pages, fillPercent, ended, sequence);
  }

  /** Writes what is left of it, and adds it to the bucket that it is in. */
  async end(): Promise<void> {
    if (this.#ended === undefined) throw new Error('the root bucket ends with its database');
    const isInline = this.#levels.isEmpty && this.#leaf.isInlineable;
    const root = isInline ? this.#leaf.inlineImage() : await this.endPaged();
    this.#demandOpen();
    this.#state = 'ended';
    await this.#ended(bucketImage(root, this.#sequence));
  }

  /**
   * Writes what is left of it to pages, however little it is: the root bucket is never inline.
   * @returns the root's page id
   */
  async endPaged(): Promise<number> {
    this.#demandOpen();
    if (this.#leaf.count > 0) await this.#endLeaf();
    if (!this.#levels.isEmpty) return await this.#levels.finish();
    const page = this.#pages.allocate(this.#leaf.size);
    await this.#pages.write(page, this.#leaf.image(page));
    return page;
  }

  #demandOpen(): void {
    if (this.#state === 'ended') throw new Error('the bucket is ended');
    if (this.#state !== 'open') throw new Error('a bucket in this one is not ended');
  }

  #check(bytes: Uint8Array, keyStart: number, keyEnd: number): void {
    this.#demandOpen();
    if (keyEnd === keyStart) throw new RangeError('a key is empty');
    if (keyEnd - keyStart > KEY_SIZE_MAX) {
      throw new RangeError(`a key is ${keyEnd - keyStart} bytes long`);
    }
    const last = this.#lastKey;
    const order =
      this.#leaf.count > 0
        ? this.#leaf.compareWithLast(bytes, keyStart, keyEnd)
        : last === undefined
          ? 1
          : compareRanges(bytes, keyStart, keyEnd, last, 0, last.length);
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
    if (valueEnd - valueStart > VALUE_SIZE_MAX) {
      throw new RangeError(`a value is ${valueEnd - valueStart} bytes long`);
    }
    if (!this.#leaf.takes(valueEnd - keyStart)) {
      return this.#addToNext(bytes, keyStart, valueStart, valueEnd, isBucket);
    }
    this.#leaf.add(bytes, keyStart, valueStart, valueEnd, isBucket);
    return undefined;
  }

  async #addToNext(
    bytes: Uint8Array,
    keyStart: number,
    valueStart: number,
    valueEnd: number,
    isBucket: boolean,
  ): Promise<void> {
    if (this.#leaf.count > 0) await this.#endLeaf();
    if (!this.#leaf.isLarge(valueEnd - keyStart)) {
      this.#leaf.add(bytes, keyStart, valueStart, valueEnd, isBucket);
      return;
    }
    const key = bytes.slice(keyStart, valueStart);
    const entry = bytes.subarray(keyStart, valueEnd);
    await this.#levels.add({ key, page: await writeLargeLeaf(this.#pages, entry, key.length) });
    this.#lastKey = key;
  }

  async #endLeaf(): Promise<void> {
    const { firstKey: key, lastKey } = this.#leaf;
    const page = this.#pages.allocate(this.#leaf.size);
    await this.#pages.write(page, this.#leaf.image(page));
    this.#leaf.clear();
    this.#lastKey = lastKey;
    await this.#levels.add({ key, page });
  }
}

/**
 * Writes a leaf page of one entry from where that lies.
 * @param entry the key, and its value behind it
 * @returns its page id
 */
export async function writeLargeLeaf(
  pages: PageAllocator,
  entry: Uint8Array,
  keySize: number,
): Promise<number> {
  const size = HEADER_SIZE + ELEMENT_SIZE + entry.length;
  const overflow = Math.ceil(size / pages.pageSize) - 1;
  const page = pages.allocate(size);
  const head = new Uint8Array(HEADER_SIZE + ELEMENT_SIZE);
  writePageHeader(viewOf(head), { id: page, flags: PAGE_FLAGS.leaf, count: 1, overflow });
  const valueSize = entry.length - keySize;
  writeLeafElement(viewOf(head), HEADER_SIZE, head.length, keySize, valueSize, false);
  await pages.write(page, head, entry);
  return page;
}
