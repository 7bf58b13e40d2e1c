// Pages by their number, as references lead to them: each is gone into once, is what its reference says,
// and lies within the database and the file.

import type { Rule } from './finding.ts';
import { type Meta, pagesInFile } from './meta.ts';
import { ELEMENT_SIZE, HEADER_SIZE, PAGE_FLAGS, type PageHeader, readPageHeader } from './page.ts';
import { PageSet } from './page-set.ts';
import type { PageSource } from './page-source.ts';

/** A leaf may hold four elements of any size, but etcd refuses requests beyond 1.5 MiB by default. */
export const RUN_SIZE_MAX = 128 * 1024 * 1024;

/** Values of a leaf this long are passed over where nobody looks at them. */
const SPARSE_SIZE_MIN = 64 * 1024;

/** Told of what is wrong with a page, as a sentence without its subject. */
export type Report = (rule: Rule, page: number, defect: string) => void;

export class PageRuns {
  readonly reached: PageSet;
  readonly #source: PageSource;
  readonly #meta: Meta;
  readonly #report: Report;
  #buffer: Uint8Array;
  #overlapsLeft: number;

  constructor(source: PageSource, meta: Meta, report: Report) {
    this.#overlapsLeft = pagesInFile(meta, source);
    this.reached = new PageSet(this.#overlapsLeft);
    this.#source = source;
    this.#meta = meta;
    this.#report = report;
    this.#buffer = new Uint8Array(meta.pageSize);
  }

  /** Pages 0 and 1 are metas, and no page lies beyond the high water mark. */
  checkReference(page: number, parent: number): boolean {
    if (page >= 2 && page < this.#meta.pages) return true;
    const defect = `refers to page ${page}, which the database does not have`;
    this.#report('reference', parent, defect);
    return false;
  }

  /**
   * Marks the run of a page as reached. Runs may lie over each other as far as all pages of the file would be read
   * twice: where each of a million pages claims all that follow it, reading them would take years.
   * @returns whether the run is to be gone into: the page itself was not reached before
   */
  reach(page: number, overflow: number): boolean {
    if (!this.reached.add(page)) {
      this.#reportRepeated(page);
      return false;
    }
    for (let id = page + 1; id <= page + overflow; id += 1) {
      if (this.reached.add(id)) continue;
      this.#reportRepeated(id);
      if (this.#overlapsLeft === 0) return false;
      this.#overlapsLeft -= 1;
    }
    return true;
  }

  #reportRepeated(page: number): void {
    this.#report('repeated', page, 'is referred to more than once');
  }

  /**
   * Reads and checks the header of a page, and marks its run as reached.
   * @param flags that the page may have
   * @returns undefined if the page cannot be gone into
   */
  async enter(
    page: number,
    parent: number,
    flags: readonly number[],
  ): Promise<PageHeader | undefined> {
    if (!this.checkReference(page, parent)) return undefined;
    const { pages, pageSize } = this.#meta;
    if ((page + 1) * pageSize > this.#source.size) {
      this.#report('truncated', page, 'lies beyond the end of the file');
      return undefined;
    }
    const bytes = this.#buffer.subarray(0, HEADER_SIZE);
    await this.#source.read(bytes, page * pageSize);
    const header = readPageHeader(new DataView(bytes.buffer), 0);
    const defect = headerDefect(header, page, pages, flags);
    if (defect !== undefined) this.#report('header', page, defect);
    if (defect !== undefined) return undefined;
    if ((page + header.overflow + 1) * pageSize > this.#source.size) {
      this.#report('truncated', page, 'continues beyond the end of the file');
      return undefined;
    }
    return this.reach(page, header.overflow) ? header : undefined;
  }

  /**
   * Reads the run that begins with a page.
   * @param options.keysOnly where nobody looks at values: then those of a long leaf need not be read
   * @returns bytes that the next read uses again; undefined if it cannot be read
   */
  async read(
    page: number,
    header: PageHeader,
    { keysOnly = false }: { readonly keysOnly?: boolean } = {},
  ): Promise<Uint8Array | undefined> {
    const { pageSize } = this.#meta;
    const length = (header.overflow + 1) * pageSize;
    if (length > RUN_SIZE_MAX) {
      this.#report('header', page, `claims ${length} bytes`);
      return undefined;
    }
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(length);
    const run = this.#buffer.subarray(0, length);
    const isSparse = keysOnly && length >= SPARSE_SIZE_MIN && header.flags === PAGE_FLAGS.leaf;
    if (isSparse && (await this.#readKeys(run, page, header.count))) return run;
    await this.#source.read(run, page * pageSize);
    return run;
  }

  /**
   * Reads of a leaf what is before its values and between them, and leaves the values as whatever is in the buffer.
   * @returns whether that is enough
   */
  async #readKeys(run: Uint8Array, page: number, count: number): Promise<boolean> {
    const start = page * this.#meta.pageSize;
    const heads = HEADER_SIZE + count * ELEMENT_SIZE;
    if (heads > run.length) return false;
    await this.#source.read(run.subarray(0, heads), start);
    const view = new DataView(run.buffer, run.byteOffset, run.length);
    let keyBytes = 0;
    for (let element = HEADER_SIZE; element < heads; element += ELEMENT_SIZE) {
      const key = element + view.getUint32(element + 4, true);
      const keySize = view.getUint32(element + 8, true);
      keyBytes += keySize;
      // What is in a bucket is in its value; and keys that lie over each other could be read without end.
      if (view.getUint32(element, true) !== 0 || keyBytes > run.length) return false;
      if (key < heads || key + keySize > run.length) continue;
      await this.#source.read(run.subarray(key, key + keySize), start + key);
    }
    return true;
  }
}

export function headerDefect(
  { id, flags, overflow }: PageHeader,
  page: number,
  pages: number,
  wanted: readonly number[],
): string | undefined {
  if (id !== page) return `carries the number ${id}`;
  if (!wanted.includes(flags)) return `is of a kind that cannot be there (flags ${flags})`;
  return overflow >= pages - page ? 'continues beyond the last page' : undefined;
}
