// Walks the tree of a database from its root bucket, in key order, and holds every page that it
// reaches against what bbolt would read and check: iterative, each page once, in bounded memory.

import { type Found, type Rule, stopAtFirst } from './finding.ts';
import type { Meta } from './meta.ts';
import {
  BranchPage,
  BUCKET_HEADER_SIZE,
  compareBytes,
  HEADER_SIZE,
  LeafPage,
  PAGE_FLAGS,
  readPageHeader,
} from './page.ts';
import { PageRuns } from './page-runs.ts';
import type { PageSet } from './page-set.ts';
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
  /**
   * A leaf page, or the content of an inline bucket. The object is reused: keep nothing of it.
   * @param offset of the page in the file, in bytes
   */
  leaf(leaf: LeafPage, page: number, depth: number, offset: number): void;
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
/** Bytes of all the pages that are kept while the walk is below them. */
const KEPT_SIZE_MAX = 64 * 1024 * 1024;

const EVERY_KEY: KeyRange = { lower: undefined, upper: undefined };

/** A page whose children, or whose buckets, are being walked. */
interface Frame {
  readonly page: number;
  readonly content: BranchPage | LeafPage;
  /** Whether some of its elements may be none. */
  readonly isDamaged: boolean;
  /** Upper bound of the last child's keys. */
  readonly upper: Uint8Array | undefined;
  readonly depth: number;
  readonly keptSize: number;
  next: number;
}

export interface WalkOptions {
  /** What is known already; without it every page of the tree is read. */
  readonly scanned?: ScannedPages;
  /**
   * Told of all that is wrong, of pages that are only odd as well; what cannot be read is left out. Without it
   * the walk ends at the first page that is not sound, and lets pass what bbolt lets pass.
   */
  readonly found?: Found;
}

/**
 * Walks all buckets of a database.
 * @returns the pages in use: the two metas, the freelist if it is kept, and the tree
 * @throws EtcdkeepError `database-damaged` at the first page that is not sound, unless `found` is
 * given; `file-failed`
 */
export async function walkTree(
  source: PageSource,
  meta: Meta,
  visitor: TreeVisitor,
  options: WalkOptions = {},
): Promise<PageSet> {
  return await new TreeWalk(source, meta, visitor, options).run();
}

class TreeWalk {
  readonly #meta: Meta;
  readonly #visitor: TreeVisitor;
  readonly #scanned: ScannedPages | undefined;
  readonly #found: Found;
  /** Whether the walk looks for all that is wrong. */
  readonly #isCheck: boolean;
  readonly #runs: PageRuns;
  readonly #stack: Frame[] = [];
  readonly #leaf = new LeafPage();
  #keptSize = 0;

  constructor(
    source: PageSource,
    meta: Meta,
    visitor: TreeVisitor,
    { scanned, found }: WalkOptions,
  ) {
    this.#meta = meta;
    this.#visitor = visitor;
    this.#scanned = scanned;
    this.#found = found ?? stopAtFirst;
    this.#isCheck = found !== undefined;
    this.#runs = new PageRuns(source, meta, (rule, page, defect) =>
      this.#report(rule, page, defect),
    );
  }

  async run(): Promise<PageSet> {
    const { page, root, freelist } = this.#meta;
    this.#runs.reach(0, 1);
    if (freelist !== undefined) await this.#runs.enter(freelist, page, [PAGE_FLAGS.freelist]);
    await this.#enterPage(root, page, EVERY_KEY, 0, true);
    for (let frame = this.#stack.at(-1); frame !== undefined; frame = this.#stack.at(-1)) {
      if (frame.next === frame.content.count) {
        this.#keptSize -= frame.keptSize;
        this.#stack.pop();
        continue;
      }
      const index = frame.next;
      frame.next += 1;
      if (frame.isDamaged && frame.content.elementDefect(index) !== undefined) continue;
      const pending =
        frame.content instanceof BranchPage
          ? this.#enterChild(frame, frame.content, index)
          : this.#enterBucket(frame, frame.content, index);
      if (pending !== undefined) await pending;
    }
    return this.#runs.reached;
  }

  #enterChild(frame: Frame, branch: BranchPage, index: number): Promise<void> | undefined {
    // Keys of a damaged page bound nothing.
    if (frame.isDamaged) {
      return this.#enterPage(branch.child(index), frame.page, EVERY_KEY, frame.depth, false);
    }
    const upper = frame.next < branch.count ? branch.key(frame.next) : frame.upper;
    const range = { lower: branch.key(index), upper };
    return this.#enterPage(branch.child(index), frame.page, range, frame.depth, false);
  }

  #enterBucket(frame: Frame, leaf: LeafPage, index: number): Promise<void> | undefined {
    if (!leaf.isBucket(index)) return undefined;
    const depth = frame.depth + 1;
    if (!this.#visitor.enterBucket(leaf.key(index), depth)) return undefined;
    const root = leaf.bucketRoot(index);
    if (root !== 0) return this.#enterPage(root, frame.page, EVERY_KEY, depth, true);
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
      this.#report('bucket', page, `has no inline bucket in element ${index}`);
      return;
    }
    const leaf = new LeafPage();
    const defect = leaf.open(bytes, view, start, length);
    if (defect !== undefined) this.#reportAll(page, leaf, 'has an inline bucket that ');
    else this.#visitor.leaf(leaf, page, depth, page * this.#meta.pageSize);
    if (leaf.hasBuckets && leaf.hasRoom) {
      this.#push(page, leaf, undefined, depth, { keptSize: 0, isDamaged: defect !== undefined });
    }
  }

  /** Goes into a page, without reading it where it is known. */
  #enterPage(
    page: number,
    parent: number,
    range: KeyRange,
    depth: number,
    isRoot: boolean,
  ): Promise<void> | undefined {
    if (!this.#runs.checkReference(page, parent)) return undefined;
    const overflow = this.#scanned?.leafOverflow(page, range, depth) ?? -1;
    if (overflow >= 0) {
      if (this.#runs.reach(page, overflow)) this.#visitor.scannedLeaf(page, depth);
      return undefined;
    }
    const run = this.#scanned?.branch(page);
    if (run === undefined) return this.#readPage(page, parent, range, depth, isRoot);
    if (this.#runs.reach(page, run.length / this.#meta.pageSize - 1)) {
      this.#openBranch(page, run, range, depth, 0);
    }
    return undefined;
  }

  async #readPage(
    page: number,
    parent: number,
    range: KeyRange,
    depth: number,
    isRoot: boolean,
  ): Promise<void> {
    const header = await this.#runs.enter(page, parent, [PAGE_FLAGS.leaf, PAGE_FLAGS.branch]);
    if (header === undefined) return;
    const run = await this.#runs.read(page, header);
    if (run === undefined) return;
    if (header.flags === PAGE_FLAGS.branch) {
      this.#openBranch(page, run.slice(), range, depth, run.length);
    } else {
      this.#openLeaf(page, run, range, depth, isRoot);
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
    const isDamaged = branch.open(run, viewOf(run), 0, run.length) !== undefined;
    if (isDamaged) this.#reportAll(page, branch);
    else this.#checkRange(page, branch, range);
    if (!branch.hasRoom) return;
    if (this.#isCheck && branch.count === 1) {
      this.#report('single-child', page, 'is a branch page with a single child');
    }
    this.#push(page, branch, range.upper, depth, { keptSize, isDamaged });
  }

  #openLeaf(page: number, run: Uint8Array, range: KeyRange, depth: number, isRoot: boolean): void {
    const leaf = this.#leaf;
    const isDamaged = leaf.open(run, viewOf(run), 0, run.length) !== undefined;
    if (isDamaged) {
      this.#reportAll(page, leaf);
    } else {
      this.#checkRange(page, leaf, range);
      if (depth === 0 && !leaf.hasOnlyBuckets) {
        this.#report('bucket', page, 'has a key in the root bucket that is no bucket');
      }
      if (this.#isCheck && leaf.count === 0 && !isRoot) this.#report('empty', page, 'is empty');
      this.#visitor.leaf(leaf, page, depth, page * this.#meta.pageSize);
    }
    // Of a damaged page it is not known whether it has any.
    if (!leaf.hasRoom || !(leaf.hasBuckets || isDamaged)) return;
    const copy = run.slice();
    const kept = new LeafPage();
    kept.open(copy, viewOf(copy), 0, copy.length);
    this.#push(page, kept, undefined, depth, { keptSize: copy.length, isDamaged });
  }

  #push(
    page: number,
    content: BranchPage | LeafPage,
    upper: Uint8Array | undefined,
    depth: number,
    { keptSize, isDamaged }: Pick<Frame, 'keptSize' | 'isDamaged'>,
  ): void {
    if (this.#stack.length === DEPTH_MAX || this.#keptSize + keptSize > KEPT_SIZE_MAX) {
      this.#report('depth', page, 'is deeper in the tree than any page of a database');
      return;
    }
    this.#keptSize += keptSize;
    this.#stack.push({ page, content, upper, depth, keptSize, isDamaged, next: 0 });
  }

  #checkRange(page: number, content: BranchPage | LeafPage, { lower, upper }: KeyRange): void {
    if (content.count === 0) return;
    const isBelow = lower !== undefined && compareBytes(content.key(0), lower) < 0;
    const last = content.key(content.count - 1);
    if (isBelow || (upper !== undefined && compareBytes(last, upper) >= 0)) {
      this.#report('key-range', page, 'has keys that belong to another page');
    }
  }

  #reportAll(page: number, content: BranchPage | LeafPage, subject = ''): void {
    for (const defect of content.defects()) {
      const rule = defect.startsWith('has keys out of order') ? 'key-order' : 'elements';
      this.#report(rule, page, `${subject}${defect}`);
    }
  }

  #report(rule: Rule, page: number, defect: string): void {
    const offset = page * this.#meta.pageSize;
    this.#found({ rule, message: `page ${page} ${defect}`, page, offset });
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
