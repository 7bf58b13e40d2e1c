// Walks the tree of a database from its root bucket, in key order, and holds every page that it
// reaches against what bbolt would read and check: iterative, each page once, in bounded memory.

import { databaseDamaged } from './damage.ts';
import type { Meta } from './meta.ts';
import {
  BranchPage,
  BUCKET_HEADER_SIZE,
  compareBytes,
  HEADER_SIZE,
  LeafPage,
  PAGE_FLAGS,
  type PageHeader,
  readPageHeader,
} from './page.ts';
import { PageSet } from './page-set.ts';
import type { PageSource } from './page-source.ts';

/** Keys that a page may hold: from `lower` on, up to `upper` without it; undefined is no bound. */
export interface KeyRange {
  readonly lower: Uint8Array | undefined;
  readonly upper: Uint8Array | undefined;
}

/** What is done with what the walk reaches. Depth 0 is the root bucket, which holds buckets only. */
export interface TreeVisitor {
  /**
   * A bucket. Buckets come in the order of their names, after the leaf that holds them.
   * @returns whether to walk it
   */
  enterBucket(name: Uint8Array, depth: number): boolean;
  /** A leaf page, or the content of an inline bucket. The object is reused: keep nothing of it. */
  leaf(leaf: LeafPage, page: number, depth: number): void;
  /** A leaf page that ScannedPages vouched for, which is not read. */
  scannedLeaf(page: number, depth: number): void;
}

/** What a scan learned of pages, so that the walk need not read them. */
export interface ScannedPages {
  /**
   * Overflow of a leaf page that is known to be sound, to hold no buckets, and to have all its keys
   * in the range; -1 where that is not known.
   */
  leafOverflow(page: number, range: KeyRange, depth: number): number;
  /** The run of a branch page that is known to be sound. */
  branch(page: number): Uint8Array | undefined;
}

/** Pages and buckets above a page: a tree of 2^53 bytes needs fewer. */
const DEPTH_MAX = 64;
/** A leaf may hold four elements of any size, but etcd refuses requests beyond 1.5 MiB by default. */
const RUN_SIZE_MAX = 128 * 1024 * 1024;
/** Bytes of all the pages that are kept while the walk is below them. */
const KEPT_SIZE_MAX = 64 * 1024 * 1024;

const EVERY_KEY: KeyRange = { lower: undefined, upper: undefined };

/** A page whose children, or whose buckets, are being walked. */
interface Frame {
  readonly page: number;
  readonly content: BranchPage | LeafPage;
  /** Upper bound of the last child's keys. */
  readonly upper: Uint8Array | undefined;
  readonly depth: number;
  readonly keptSize: number;
  next: number;
}

/**
 * Walks all buckets of a database.
 * @param scanned what is known already; without it every page of the tree is read
 * @returns how many pages are in use: the two metas, the freelist if it is kept, and the tree
 * @throws EtcdkeepError `database-damaged` at the first page that is not sound; `file-failed`
 */
export async function walkTree(
  source: PageSource,
  meta: Meta,
  visitor: TreeVisitor,
  scanned?: ScannedPages,
): Promise<number> {
  const walk = new TreeWalk(source, meta, visitor, scanned);
  return await walk.run();
}

class TreeWalk {
  readonly #source: PageSource;
  readonly #meta: Meta;
  readonly #visitor: TreeVisitor;
  readonly #scanned: ScannedPages | undefined;
  readonly #reached: PageSet;
  readonly #stack: Frame[] = [];
  readonly #leaf = new LeafPage();
  #buffer: Uint8Array;
  #keptSize = 0;

  constructor(source: PageSource, meta: Meta, visitor: TreeVisitor, scanned?: ScannedPages) {
    this.#source = source;
    this.#meta = meta;
    this.#visitor = visitor;
    this.#scanned = scanned;
    this.#reached = new PageSet(meta.pages);
    this.#buffer = new Uint8Array(meta.pageSize);
  }

  async run(): Promise<number> {
    const { page, root, freelist } = this.#meta;
    this.#reach(0, 1);
    if (freelist !== undefined) await this.#readHeader(freelist, page, [PAGE_FLAGS.freelist]);
    await this.#enterPage(root, page, EVERY_KEY, 0);
    for (let frame = this.#stack.at(-1); frame !== undefined; frame = this.#stack.at(-1)) {
      if (frame.next === frame.content.count) {
        this.#keptSize -= frame.keptSize;
        this.#stack.pop();
        continue;
      }
      const pending =
        frame.content instanceof BranchPage
          ? this.#enterChild(frame, frame.content)
          : this.#enterBucket(frame, frame.content);
      if (pending !== undefined) await pending;
    }
    return this.#reached.size;
  }

  #enterChild(frame: Frame, branch: BranchPage): Promise<void> | undefined {
    const index = frame.next;
    frame.next += 1;
    const upper = frame.next < branch.count ? branch.key(frame.next) : frame.upper;
    const range = { lower: branch.key(index), upper };
    return this.#enterPage(branch.child(index), frame.page, range, frame.depth);
  }

  #enterBucket(frame: Frame, leaf: LeafPage): Promise<void> | undefined {
    const index = frame.next;
    frame.next += 1;
    if (!leaf.isBucket(index)) return undefined;
    const depth = frame.depth + 1;
    if (!this.#visitor.enterBucket(leaf.key(index), depth)) return undefined;
    const root = leaf.bucketRoot(index);
    if (root !== 0) return this.#enterPage(root, frame.page, EVERY_KEY, depth);
    this.#enterInlineBucket(frame.page, leaf, index, depth);
    return undefined;
  }

  /** A small bucket without pages of its own: its only leaf page is in its value. */
  #enterInlineBucket(page: number, parent: LeafPage, index: number, depth: number): void {
    const { bytes, view } = parent;
    const start = parent.keyEnd(index) + BUCKET_HEADER_SIZE;
    const length = parent.valueEnd(index) - start;
    const header = length < HEADER_SIZE ? undefined : readPageHeader(view, start);
    if (header?.id !== 0 || header.flags !== PAGE_FLAGS.leaf || header.overflow !== 0) {
      throw this.#damaged(page, `has no inline bucket in element ${index}`);
    }
    const leaf = new LeafPage();
    const defect = leaf.open(bytes, view, start, length);
    if (defect !== undefined) throw this.#damaged(page, `has an inline bucket that ${defect}`);
    this.#visitor.leaf(leaf, page, depth);
    if (leaf.hasBuckets) this.#push(page, leaf, undefined, depth, 0);
  }

  /** Goes into a page, without reading it where it is known. */
  #enterPage(
    page: number,
    parent: number,
    range: KeyRange,
    depth: number,
  ): Promise<void> | undefined {
    this.#checkReference(page, parent);
    const overflow = this.#scanned?.leafOverflow(page, range, depth) ?? -1;
    if (overflow >= 0) {
      this.#reach(page, overflow);
      this.#visitor.scannedLeaf(page, depth);
      return undefined;
    }
    const run = this.#scanned?.branch(page);
    if (run === undefined) return this.#readPage(page, parent, range, depth);
    this.#reach(page, run.length / this.#meta.pageSize - 1);
    this.#openBranch(page, run, range, depth, 0);
    return undefined;
  }

  async #readPage(page: number, parent: number, range: KeyRange, depth: number): Promise<void> {
    const { flags, overflow } = await this.#readHeader(page, parent, [
      PAGE_FLAGS.leaf,
      PAGE_FLAGS.branch,
    ]);
    const { pageSize } = this.#meta;
    const length = (overflow + 1) * pageSize;
    if (length > RUN_SIZE_MAX) throw this.#damaged(page, `claims ${length} bytes`);
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(length);
    const run = this.#buffer.subarray(0, length);
    await this.#source.read(run, page * pageSize);
    if (flags === PAGE_FLAGS.branch) {
      this.#openBranch(page, run.slice(), range, depth, length);
    } else {
      this.#openLeaf(page, run, range, depth);
    }
  }

  #openBranch(
    page: number,
    run: Uint8Array,
    range: KeyRange,
    depth: number,
    keptSize: number,
  ): void {
    const branch = new BranchPage();
    const defect = branch.open(run, viewOf(run), 0, run.length);
    if (defect !== undefined) throw this.#damaged(page, defect);
    this.#checkRange(page, branch, range);
    this.#push(page, branch, range.upper, depth, keptSize);
  }

  #openLeaf(page: number, run: Uint8Array, range: KeyRange, depth: number): void {
    const leaf = this.#leaf;
    const defect = leaf.open(run, viewOf(run), 0, run.length);
    if (defect !== undefined) throw this.#damaged(page, defect);
    this.#checkRange(page, leaf, range);
    if (depth === 0 && !leaf.hasOnlyBuckets) {
      throw this.#damaged(page, 'has a key in the root bucket that is no bucket');
    }
    this.#visitor.leaf(leaf, page, depth);
    if (!leaf.hasBuckets) return;
    const copy = run.slice();
    const kept = new LeafPage();
    kept.open(copy, viewOf(copy), 0, copy.length);
    this.#push(page, kept, undefined, depth, copy.length);
  }

  #push(
    page: number,
    content: BranchPage | LeafPage,
    upper: Uint8Array | undefined,
    depth: number,
    keptSize: number,
  ): void {
    this.#keptSize += keptSize;
    if (this.#stack.length === DEPTH_MAX || this.#keptSize > KEPT_SIZE_MAX) {
      throw this.#damaged(page, 'is deeper in the tree than any page of a database');
    }
    this.#stack.push({ page, content, upper, depth, keptSize, next: 0 });
  }

  /** Reads and checks the header of a page, and marks its run as reached. */
  async #readHeader(page: number, parent: number, flags: readonly number[]): Promise<PageHeader> {
    this.#checkReference(page, parent);
    const bytes = this.#buffer.subarray(0, HEADER_SIZE);
    await this.#source.read(bytes, page * this.#meta.pageSize);
    const header = readPageHeader(viewOf(bytes), 0);
    if (header.id !== page) throw this.#damaged(page, `carries the number ${header.id}`);
    if (!flags.includes(header.flags)) {
      throw this.#damaged(page, `is of a kind that cannot be there (flags ${header.flags})`);
    }
    if (header.overflow >= this.#meta.pages - page) {
      throw this.#damaged(page, 'continues beyond the last page');
    }
    this.#reach(page, header.overflow);
    return header;
  }

  /** Pages 0 and 1 are metas, and no page lies beyond the high water mark. */
  #checkReference(page: number, parent: number): void {
    if (page >= 2 && page < this.#meta.pages) return;
    throw this.#damaged(parent, `refers to page ${page}, which the database does not have`);
  }

  #reach(page: number, overflow: number): void {
    for (let id = page; id <= page + overflow; id += 1) {
      if (!this.#reached.add(id)) throw this.#damaged(id, 'is referred to more than once');
    }
  }

  #checkRange(page: number, content: BranchPage | LeafPage, { lower, upper }: KeyRange): void {
    if (content.count === 0) return;
    const isBelow = lower !== undefined && compareBytes(content.key(0), lower) < 0;
    const last = content.key(content.count - 1);
    if (isBelow || (upper !== undefined && compareBytes(last, upper) >= 0)) {
      throw this.#damaged(page, 'has keys that belong to another page');
    }
  }

  #damaged(page: number, defect: string): Error {
    const offset = page * this.#meta.pageSize;
    return databaseDamaged(`page ${page} ${defect}`, { page, offset });
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
