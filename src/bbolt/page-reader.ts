// Reads single pages of a tree, as references lead to them, and holds each against what its reference
// says. Unlike the walk it remembers none: what bounds it is the range of keys that a page may have, which no
// two pages share, and the depth.

import { databaseDamaged } from './damage.ts';
import type { KeyBounds } from './key-range.ts';
import type { Meta } from './meta.ts';
import {
  BranchPage,
  compareBytes,
  HEADER_SIZE,
  LeafPage,
  PAGE_FLAGS,
  readPageHeader,
} from './page.ts';
import { viewOf } from './page-image.ts';
import { headerDefect, RUN_SIZE_MAX } from './page-runs.ts';
import type { PageSource } from './page-source.ts';

/** Pages above a page, those of the buckets that it is in among them: a tree of 2^53 bytes needs fewer. */
export const DEPTH_MAX = 64;

export class PageReader {
  readonly source: PageSource;
  readonly meta: Meta;

  constructor(source: PageSource, meta: Meta) {
    this.source = source;
    this.meta = meta;
  }

  /**
   * Reads a branch or leaf page.
   * @param parent the page that refers to it
   * @param depth pages above it
   * @param leaf what a leaf is opened in; its bytes are used again if they are large enough
   * @throws EtcdkeepError `database-damaged`, `file-failed`
   */
  async read(
    page: number,
    parent: number,
    range: KeyBounds,
    depth: number,
    leaf: LeafPage,
  ): Promise<BranchPage | LeafPage> {
    const { pages, pageSize } = this.meta;
    if (page < 2 || page >= pages) {
      throw this.damaged(parent, `refers to page ${page}, which the database does not have`);
    }
    if (depth > DEPTH_MAX) throw this.tooDeep(page);
    let bytes = leaf.bytes.length >= pageSize ? leaf.bytes : new Uint8Array(pageSize);
    await this.#fill(bytes.subarray(0, pageSize), page, 'lies beyond the end of the file');
    const header = readPageHeader(viewOf(bytes), 0);
    const defect = headerDefect(header, page, pages, [PAGE_FLAGS.branch, PAGE_FLAGS.leaf]);
    if (defect !== undefined) throw this.damaged(page, defect);
    const length = (header.overflow + 1) * pageSize;
    if (length > RUN_SIZE_MAX) throw this.damaged(page, `claims ${length} bytes`);
    if (length > bytes.length) bytes = new Uint8Array(length);
    if (length > pageSize) {
      await this.#fill(bytes.subarray(0, length), page, 'continues beyond the end of the file');
    }
    return this.#open(page, header.flags, bytes, length, range, leaf);
  }

  #open(
    page: number,
    flags: number,
    bytes: Uint8Array,
    length: number,
    range: KeyBounds,
    leaf: LeafPage,
  ): BranchPage | LeafPage {
    const isBranch = flags === PAGE_FLAGS.branch;
    const run = isBranch ? bytes.slice(0, length) : bytes;
    const content = isBranch ? new BranchPage() : leaf;
    const defect = content.open(run, viewOf(run), 0, length);
    if (defect !== undefined) throw this.damaged(page, defect);
    const { lower, upper } = range;
    if (content.count === 0) return content;
    const isBelow = lower !== undefined && compareBytes(content.key(0), lower) < 0;
    const last = content.key(content.count - 1);
    if (isBelow || (upper !== undefined && compareBytes(last, upper) >= 0)) {
      throw this.damaged(page, 'has keys that belong to another page');
    }
    return content;
  }

  /** The leaf page of an inline bucket, in a leaf that is kept as long as it is used. */
  openInline(page: number, bytes: Uint8Array, start: number, end: number): LeafPage {
    const header = end - start < HEADER_SIZE ? undefined : readPageHeader(viewOf(bytes), start);
    if (header?.id !== 0 || header.flags !== PAGE_FLAGS.leaf || header.overflow !== 0) {
      throw this.damaged(page, 'has what is no inline bucket');
    }
    const leaf = new LeafPage();
    const defect = leaf.open(bytes, viewOf(bytes), start, end - start);
    if (defect !== undefined) throw this.damaged(page, `has an inline bucket that ${defect}`);
    return leaf;
  }

  tooDeep(page: number): Error {
    return this.damaged(page, 'is deeper in the tree than any page of a database');
  }

  damaged(page: number, defect: string): Error {
    const offset = page * this.meta.pageSize;
    return databaseDamaged(`page ${page} ${defect}`, { page, offset });
  }

  async #fill(into: Uint8Array, page: number, defect: string): Promise<void> {
    const offset = page * this.meta.pageSize;
    if (offset + into.length > this.source.size) throw this.damaged(page, defect);
    await this.source.read(into, offset);
  }
}
