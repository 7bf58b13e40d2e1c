// What a walk of the tree tells of, and what it can be told before it reads.

import type { KeyRange } from './key-range.ts';
import type { LeafPage } from './page.ts';

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
  /**
   * A place in the tree without a sound page, which the findings tell more of.
   * @param range of the keys that were there; reused
   * @param leaf some of whose elements may be readable: those without an elementDefect
   */
  lost?(page: number, depth: number, range: KeyRange, leaf: LeafPage | undefined): void;
  /** The run of a branch page that had to be read. The bytes stay as they are. */
  readBranch?(page: number, run: Uint8Array): void;
}

/** What a scan learned of pages, so that the walk need not read them. */
export interface ScannedPages {
  /**
   * Overflow of a leaf page that is known to be sound, to hold no buckets, and to have all its keys
   * in the range, which is reused: keep nothing of it; -1 where that is not known.
   * @param level how many branch pages of its bucket are above the page
   */
  leafOverflow(page: number, range: KeyRange, depth: number, level: number): number;
  /** The run of a branch page that is known to be sound. */
  branch(page: number): Uint8Array | undefined;
}
