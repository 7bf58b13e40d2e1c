// Goes through one bucket in the order of its keys, from any key on, and reads only the pages on the way. An
// entry is shown as offsets in the bytes of its page.
//
//   const cursor = await openBucket(source, [name]);
//   for (let there = await cursor.seek(key); there; there = await cursor.next()) cursor.key;
//
// `next` and `prev` give a promise only where they come to another page; whoever reads many entries awaits
// only then.

import type { KeyBounds } from './key-range.ts';
import { type Meta, readMeta } from './meta.ts';
import { type BranchPage, BUCKET_HEADER_SIZE, compareBytes, LeafPage } from './page.ts';
import { DEPTH_MAX, PageReader } from './page-reader.ts';
import type { PageSource } from './page-source.ts';

/** Bytes of the branch pages that are kept on the way to a leaf. */
const KEPT_SIZE_MAX = 64 * 1024 * 1024;

const EVERY_KEY: KeyBounds = { lower: undefined, upper: undefined };

/** A branch page on the way to the leaf. */
interface Frame {
  readonly page: number;
  readonly branch: BranchPage;
  readonly range: KeyBounds;
  index: number;
}

/** Where a bucket begins: a page, or an inline leaf. */
interface BucketRoot {
  /** The page that refers to it, or that it lies in. */
  readonly parent: number;
  readonly root: number | LeafPage;
  /** Pages above it. */
  readonly depth: number;
  readonly sequence: bigint;
}

export class Cursor {
  readonly #reader: PageReader;
  readonly #root: BucketRoot;
  readonly #frames: Frame[] = [];
  readonly #own = new LeafPage();
  /** Where it is: a page and an element; on no entry where `#leaf` is undefined. */
  #leaf: LeafPage | undefined;
  #leafRange: KeyBounds = EVERY_KEY;
  #page = 0;
  #index = 0;

  /** Made by `openBucket`. */
  constructor(reader: PageReader, root: BucketRoot) {
    this.#reader = reader;
    this.#root = root;
  }

  /** Sequence number of the bucket, which etcd does not use. */
  get sequence(): bigint {
    return this.#root.sequence;
  }

  /** Goes to the first entry. @returns whether there is one */
  async first(): Promise<boolean> {
    this.#frames.length = 0;
    await this.#descend(1);
    return this.#settle(1);
  }

  /** Goes to the last entry. @returns whether there is one */
  async last(): Promise<boolean> {
    this.#frames.length = 0;
    await this.#descend(-1);
    return this.#settle(-1);
  }

  /** Goes to the first entry whose key is not below this one. @returns whether there is one */
  async seek(key: Uint8Array): Promise<boolean> {
    await this.#descendTo(key);
    this.#index = lowerBound(this.#leaf!, key);
    return this.#settle(1);
  }

  /** Goes on; from no entry to none. @returns whether there is an entry */
  next(): boolean | Promise<boolean> {
    if (this.#leaf === undefined) return false;
    this.#index += 1;
    return this.#index < this.#leaf.count || this.#settle(1);
  }

  /** Goes back. @returns whether there is an entry */
  prev(): boolean | Promise<boolean> {
    if (this.#leaf === undefined) return false;
    this.#index -= 1;
    return this.#index >= 0 || this.#settle(-1);
  }

  // The entry that it is on. The bytes are used again when it goes to another page.

  /** The page that the entry is on. */
  get page(): number {
    return this.#page;
  }

  get bytes(): Uint8Array {
    return this.#current().bytes;
  }

  get keyStart(): number {
    return this.#current().keyStart(this.#index);
  }

  /** Where the key ends as well. */
  get valueStart(): number {
    return this.#current().keyEnd(this.#index);
  }

  get valueEnd(): number {
    return this.#current().valueEnd(this.#index);
  }

  get key(): Uint8Array {
    return this.#current().key(this.#index);
  }

  get value(): Uint8Array {
    return this.#current().value(this.#index);
  }

  /** Whether the entry is a bucket, which `bucket` opens. */
  get isBucket(): boolean {
    return this.#current().isBucket(this.#index);
  }

  /**
   * Opens the bucket that the entry is. This cursor may go on meanwhile.
   * @throws EtcdkeepError `database-damaged`
   */
  bucket(): Cursor {
    const leaf = this.#current();
    const index = this.#index;
    if (!leaf.isBucket(index)) throw new Error('the entry is no bucket');
    const depth = this.#root.depth + this.#frames.length + 1;
    const parent = this.#page;
    if (depth > DEPTH_MAX) throw this.#reader.tooDeep(parent);
    const value = leaf.value(index).slice();
    const view = new DataView(value.buffer);
    const sequence = view.getBigUint64(8, true);
    const page = leaf.bucketRoot(index);
    const inline = (): LeafPage =>
      this.#reader.openInline(parent, value, BUCKET_HEADER_SIZE, value.length);
    const root = page === 0 ? inline() : page;
    return new Cursor(this.#reader, { parent, root, depth, sequence });
  }

  #current(): LeafPage {
    if (this.#leaf === undefined) throw new Error('the cursor is on no entry');
    return this.#leaf;
  }

  /** Goes on to the next leaf that has an entry, until the index is one; from below to above, or back. */
  async #settle(step: 1 | -1): Promise<boolean> {
    while (this.#index < 0 || this.#index >= this.#leaf!.count) {
      let frame = this.#frames.at(-1);
      while (frame !== undefined && !hasChild(frame, frame.index + step)) {
        this.#frames.pop();
        frame = this.#frames.at(-1);
      }
      if (frame === undefined) {
        this.#leaf = undefined;
        return false;
      }
      frame.index += step;
      await this.#descend(step);
    }
    return true;
  }

  /** From the last frame down to the first leaf below it, or the last one. */
  async #descend(step: 1 | -1): Promise<void> {
    for (let branch = await this.#enter(); branch !== undefined; branch = await this.#enter()) {
      this.#frames.at(-1)!.index = step === 1 ? 0 : branch.count - 1;
    }
    this.#index = step === 1 ? 0 : this.#leaf!.count - 1;
  }

  /** Down to the leaf that has the key, or would have it; from the last page on the way that has it in its range. */
  async #descendTo(key: Uint8Array): Promise<void> {
    if (this.#leaf !== undefined && isInRange(key, this.#leafRange)) return;
    while (this.#frames.length > 0 && !isInRange(key, this.#frames.at(-1)!.range)) {
      this.#frames.pop();
    }
    const frame = this.#frames.at(-1);
    if (frame !== undefined) frame.index = childFor(frame.branch, key);
    for (let branch = await this.#enter(); branch !== undefined; branch = await this.#enter()) {
      this.#frames.at(-1)!.index = childFor(branch, key);
    }
  }

  /**
   * Reads the child that the last frame is at, or the root.
   * @returns a branch page, which is a frame now; undefined if it is the leaf
   */
  async #enter(): Promise<BranchPage | undefined> {
    const { root, parent, depth } = this.#root;
    const frame = this.#frames.at(-1);
    this.#leaf = undefined;
    if (typeof root !== 'number') {
      this.#page = parent;
      this.#leaf = root;
      return undefined;
    }
    const page = frame === undefined ? root : frame.branch.child(frame.index);
    const range = frame === undefined ? EVERY_KEY : childRange(frame);
    const from = frame === undefined ? parent : frame.page;
    const above = depth + this.#frames.length;
    const content = await this.#reader.read(page, from, range, above, this.#own);
    if (!(content instanceof LeafPage)) {
      const kept = this.#frames.reduce((sum, { branch }) => sum + branch.bytes.length, 0);
      if (kept + content.bytes.length > KEPT_SIZE_MAX) throw this.#reader.tooDeep(page);
      this.#frames.push({ page, branch: content, range, index: 0 });
      return content;
    }
    this.#page = page;
    this.#leaf = content;
    this.#leafRange = range;
    return undefined;
  }
}

/**
 * Opens a bucket by the names on the way to it; the root bucket by none.
 * @returns undefined if there is no such bucket
 * @throws EtcdkeepError `database-damaged`, `file-failed`
 */
export async function openBucket(
  source: PageSource,
  path: readonly Uint8Array[],
  meta?: Meta,
): Promise<Cursor | undefined> {
  const found = meta ?? (await readMeta(source));
  const { page: parent, root } = found;
  const reader = new PageReader(source, found);
  let cursor = new Cursor(reader, { parent, root, depth: 0, sequence: 0n });
  for (const name of path) {
    const isThere = (await cursor.seek(name)) && compareBytes(cursor.key, name) === 0;
    if (!isThere || !cursor.isBucket) return undefined;
    cursor = cursor.bucket();
  }
  return cursor;
}

function hasChild({ branch }: Frame, index: number): boolean {
  return index >= 0 && index < branch.count;
}

function childRange({ branch, index, range }: Frame): KeyBounds {
  const upper = index + 1 < branch.count ? branch.key(index + 1) : range.upper;
  return { lower: branch.key(index), upper };
}

function isInRange(key: Uint8Array, { lower, upper }: KeyBounds): boolean {
  if (lower !== undefined && compareBytes(key, lower) < 0) return false;
  return upper === undefined || compareBytes(key, upper) < 0;
}

/** The last child whose first key is not above the key; the first child if there is none. */
function childFor(branch: BranchPage, key: Uint8Array): number {
  const after = lowerBound(branch, key);
  const isExact = after < branch.count && compareBytes(branch.key(after), key) === 0;
  return isExact ? after : Math.max(after - 1, 0);
}

/** The first element whose key is not below the key. */
function lowerBound(page: BranchPage | LeafPage, key: Uint8Array): number {
  let low = 0;
  let high = page.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(page.key(middle), key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
