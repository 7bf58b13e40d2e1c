// Walks the tree of a database from its root bucket, in key order, and holds every page that it
// reaches against what bbolt would read and check: iterative, each page once, in bounded memory.

import { type Found, type Rule, stopAtFirst } from './finding.ts';
import { KeyRange } from './key-range.ts';
import type { Meta } from './meta.ts';
import {
  BranchPage,
  BUCKET_HEADER_SIZE,
  HEADER_SIZE,
  LeafPage,
  PAGE_FLAGS,
  readPageHeader,
} from './page.ts';
import { PageRuns } from './page-runs.ts';
import type { PageSet } from './page-set.ts';
import type { PageSource } from './page-source.ts';
import type { ScannedPages, TreeVisitor } from './tree-visitor.ts';

/** Pages and buckets above a page: a tree of 2^53 bytes needs fewer. */
const DEPTH_MAX = 64;
/** Bytes of all the pages that are kept while the walk is below them. */
const KEPT_SIZE_MAX = 64 * 1024 * 1024;

/** A page whose children, or whose buckets, are being walked. */
interface Frame {
  readonly page: number;
  readonly content: BranchPage | LeafPage;
  /** Whether some of its elements may be none. */
  readonly isDamaged: boolean;
  /** Upper bound of the last child's keys; empty if there is none. */
  readonly upper: Uint8Array;
  readonly depth: number;
  /** Branch pages of the same bucket above it. */
  readonly level: number;
  readonly keptSize: number;
  next: number;
  /** Where the last inline bucket that was gone into ends; 0 before the first. */
  inlineEnd: number;
}

const NO_BOUND = new Uint8Array(0);

/** Where in the tree the page is that is gone into. One object for the whole walk, which goes page by page. */
class Place {
  parent = 0;
  depth = 0;
  level = 0;
  readonly range = new KeyRange();

  setToRoot(parent: number, depth: number): void {
    this.parent = parent;
    this.depth = depth;
    this.level = 0;
    this.range.clear();
  }
}

export interface WalkOptions {
  /** What is known already; without it every page of the tree is read. */
  readonly scanned?: ScannedPages;
  /**
   * Told of all that is wrong, of pages that are only odd as well; what cannot be read is left out. Without it
   * the walk ends at the first page that is not sound, and lets pass what bbolt lets pass.
   */
  readonly found?: Found;
  /** Whether the visitor looks at no value that is no bucket: then those of long leaves are not read. */
  readonly keysOnly?: boolean;
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
  readonly #keysOnly: boolean;
  readonly #runs: PageRuns;
  readonly #stack: Frame[] = [];
  readonly #leaf = new LeafPage();
  readonly #place = new Place();
  #keptSize = 0;

  constructor(
    source: PageSource,
    meta: Meta,
    visitor: TreeVisitor,
    { scanned, found, keysOnly = false }: WalkOptions,
  ) {
    this.#meta = meta;
    this.#visitor = visitor;
    this.#scanned = scanned;
    this.#found = found ?? stopAtFirst;
    this.#isCheck = found !== undefined;
    this.#keysOnly = keysOnly;
    this.#runs = new PageRuns(source, meta, (rule, page, defect) =>
      this.#report(rule, page, defect),
    );
  }

  async run(): Promise<PageSet> {
    const { page, root, freelist } = this.#meta;
    this.#runs.reach(0, 1);
    if (freelist !== undefined) await this.#runs.enter(freelist, page, [PAGE_FLAGS.freelist]);
    this.#place.setToRoot(page, 0);
    await this.#enterPage(root);
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
    const place = this.#place;
    place.parent = frame.page;
    place.depth = frame.depth;
    place.level = frame.level + 1;
    // Keys of a damaged page bound nothing.
    if (frame.isDamaged) place.range.clear();
    else place.range.setToChild(branch, index, frame.upper);
    return this.#enterPage(branch.child(index));
  }

  #enterBucket(frame: Frame, leaf: LeafPage, index: number): Promise<void> | undefined {
    if (!leaf.isBucket(index)) return undefined;
    if (frame.isDamaged && this.#liesOverInline(frame, leaf, index)) return undefined;
    const depth = frame.depth + 1;
    if (!this.#visitor.enterBucket(leaf.key(index), depth)) return undefined;
    this.#place.setToRoot(frame.page, depth);
    const root = leaf.bucketRoot(index);
    if (root !== 0) return this.#enterPage(root);
    this.#enterInlineBucket(frame.page, leaf, index, depth);
    return undefined;
  }

  /**
   * Elements of a damaged page may lie over each other, and an inline bucket may have elements that do so, too:
   * 5 that share their bytes on each of 36 levels, which fit into 4 KiB, would be gone into 5^36 times.
   */
  #liesOverInline(frame: Frame, leaf: LeafPage, index: number): boolean {
    if (leaf.bucketRoot(index) !== 0) return false;
    if (leaf.keyStart(index) < frame.inlineEnd) return true;
    frame.inlineEnd = leaf.valueEnd(index);
    return false;
  }

  /** A small bucket without pages of its own: its only leaf page is in its value. */
  #enterInlineBucket(page: number, parent: LeafPage, index: number, depth: number): void {
    const { bytes, view } = parent;
    const start = parent.keyEnd(index) + BUCKET_HEADER_SIZE;
    const length = parent.valueEnd(index) - start;
    const header = length < HEADER_SIZE ? undefined : readPageHeader(view, start);
    if (header?.id !== 0 || header.flags !== PAGE_FLAGS.leaf || header.overflow !== 0) {
      this.#report('bucket', page, `has no inline bucket in element ${index}`);
      this.#lose(page, undefined);
      return;
    }
    const leaf = new LeafPage();
    const defect = leaf.open(bytes, view, start, length);
    if (defect !== undefined) {
      this.#reportAll(page, leaf, 'has an inline bucket that ');
      this.#lose(page, leaf);
    } else {
      if (this.#isCheck) this.#reportOddities(page, leaf, false);
      this.#visitor.leaf(leaf, page, depth, page * this.#meta.pageSize);
    }
    if (leaf.hasBuckets && leaf.hasRoom) {
      const isDamaged = defect !== undefined;
      this.#push(page, leaf, { upper: NO_BOUND, depth, level: 0, keptSize: 0, isDamaged });
    }
  }

  /** Goes into the page at #place, without reading it where it is known. */
  #enterPage(page: number): Promise<void> | undefined {
    const { parent, range, depth, level } = this.#place;
    if (!this.#runs.checkReference(page, parent)) {
      this.#lose(page, undefined);
      return undefined;
    }
    const overflow = this.#scanned?.leafOverflow(page, range, depth, level) ?? -1;
    if (overflow >= 0) {
      if (this.#runs.reach(page, overflow)) this.#visitor.scannedLeaf(page, depth);
      return undefined;
    }
    const run = this.#scanned?.branch(page);
    if (run === undefined) return this.#readPage(page);
    if (this.#runs.reach(page, run.length / this.#meta.pageSize - 1)) {
      this.#openBranch(page, run, 0);
    }
    return undefined;
  }

  async #readPage(page: number): Promise<void> {
    const kinds = [PAGE_FLAGS.leaf, PAGE_FLAGS.branch];
    const header = await this.#runs.enter(page, this.#place.parent, kinds);
    const run = header && (await this.#runs.read(page, header, { keysOnly: this.#keysOnly }));
    if (header === undefined || run === undefined) {
      this.#lose(page, undefined);
      return;
    }
    if (header.flags === PAGE_FLAGS.branch) {
      const kept = run.slice();
      this.#visitor.readBranch?.(page, kept);
      this.#openBranch(page, kept, kept.length);
    } else {
      this.#openLeaf(page, run);
    }
  }

  #openBranch(page: number, run: Uint8Array, keptSize: number): void {
    const { range, depth, level } = this.#place;
    const branch = new BranchPage();
    const isDamaged = branch.open(run, viewOf(run), 0, run.length) !== undefined;
    if (isDamaged) {
      this.#reportAll(page, branch);
      this.#lose(page, undefined);
    } else {
      this.#checkRange(page, branch, range);
    }
    if (!branch.hasRoom) return;
    if (this.#isCheck && branch.count === 1) {
      this.#report('single-child', page, 'is a branch page with a single child');
    }
    this.#push(page, branch, { upper: range.upperKey(), depth, level, keptSize, isDamaged });
  }

  #openLeaf(page: number, run: Uint8Array): void {
    const { range, depth, level } = this.#place;
    const leaf = this.#leaf;
    const isDamaged = leaf.open(run, viewOf(run), 0, run.length) !== undefined;
    if (isDamaged) {
      this.#reportAll(page, leaf);
      this.#lose(page, leaf);
    } else {
      this.#checkRange(page, leaf, range);
      if (depth === 0 && !leaf.hasOnlyBuckets) {
        this.#report('bucket', page, 'has a key in the root bucket that is no bucket');
      }
      if (this.#isCheck) this.#reportOddities(page, leaf, level > 0);
      this.#visitor.leaf(leaf, page, depth, page * this.#meta.pageSize);
    }
    // Of a damaged page it is not known whether it has any.
    if (!leaf.hasRoom || !(leaf.hasBuckets || isDamaged)) return;
    const copy = run.slice();
    const kept = new LeafPage();
    kept.open(copy, viewOf(copy), 0, copy.length);
    this.#push(page, kept, { upper: NO_BOUND, depth, level, keptSize: copy.length, isDamaged });
  }

  #push(
    page: number,
    content: BranchPage | LeafPage,
    frame: Omit<Frame, 'page' | 'content' | 'next' | 'inlineEnd'>,
  ): void {
    const { keptSize } = frame;
    if (this.#stack.length === DEPTH_MAX || this.#keptSize + keptSize > KEPT_SIZE_MAX) {
      this.#report('depth', page, 'is deeper in the tree than any page of a database');
      return;
    }
    this.#keptSize += keptSize;
    this.#stack.push({ page, content, ...frame, next: 0, inlineEnd: 0 });
  }

  #lose(page: number, leaf: LeafPage | undefined): void {
    const { depth, range } = this.#place;
    this.#visitor.lost?.(page, depth, range, leaf?.hasRoom === true ? leaf : undefined);
  }

  #checkRange(page: number, content: BranchPage | LeafPage, range: KeyRange): void {
    if (content.count === 0) return;
    const last = content.count - 1;
    const { lower, lowerStart, lowerEnd, upper, upperStart, upperEnd } = range;
    const isBelow = range.hasLower && content.compareKey(0, lower, lowerStart, lowerEnd) < 0;
    const isAbove = range.hasUpper && content.compareKey(last, upper, upperStart, upperEnd) >= 0;
    if (isBelow || isAbove) this.#report('key-range', page, 'has keys that belong to another page');
  }

  #reportAll(page: number, content: BranchPage | LeafPage, subject = ''): void {
    for (const defect of content.defects()) {
      const rule = defect.startsWith('has keys out of order') ? 'key-order' : 'elements';
      this.#report(rule, page, `${subject}${defect}`);
    }
  }

  #reportOddities(page: number, leaf: LeafPage, mustNotBeEmpty: boolean): void {
    if (mustNotBeEmpty && leaf.count === 0) this.#report('empty', page, 'is empty');
    for (const oddity of leaf.oddities()) this.#report('odd', page, oddity);
  }

  #report(rule: Rule, page: number, defect: string): void {
    const offset = page * this.#meta.pageSize;
    this.#found({ rule, message: `page ${page} ${defect}`, page, offset });
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
