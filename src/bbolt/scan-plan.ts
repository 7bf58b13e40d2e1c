// Which pages of a database a scan has to look into: the branch pages are read ahead, which are one in a hundred
// and more, and name the leaves. What a scan of the whole file would find besides are free pages, with what
// they held before.

import type { KeyRange } from './key-range.ts';
import { type Meta, pagesInFile } from './meta.ts';
import { HEADER_SIZE, type LeafPage, readPageHeader } from './page.ts';
import { PageSet } from './page-set.ts';
import type { PageSource } from './page-source.ts';
import type { ScannedPages, TreeVisitor } from './tree-visitor.ts';
import { walkTree } from './walk.ts';

/**
 * Reads the branch pages. What is wrong with them is passed over: the walk that follows the scan tells of it.
 * @param keepBranch given the run of each branch page; the bytes stay as they are
 * @returns pages that are leaves, by all that the branches tell
 * @throws EtcdkeepError `file-failed`
 */
export async function planScan(
  source: PageSource,
  meta: Meta,
  keepBranch: (page: number, run: Uint8Array) => void,
): Promise<PageSet> {
  const plan = new Planner(pagesInFile(meta, source), keepBranch);
  await walkTree(source, meta, plan, { scanned: plan, found: () => undefined });
  return plan.leaves;
}

/**
 * How many elements leaves have together, about: by some of them, spread over the file.
 * @param sampled how many are looked at
 * @throws EtcdkeepError `file-failed`
 */
export async function estimateElements(
  source: PageSource,
  { pages, pageSize }: Meta,
  leaves: PageSet,
  sampled: number,
): Promise<number> {
  const header = new Uint8Array(HEADER_SIZE);
  const step = Math.max(1, Math.floor(leaves.size / sampled));
  let [seen, looked, elements] = [0, 0, 0];
  for (let page = 0; page < pages && seen < leaves.size; page += 1) {
    if (!leaves.has(page)) continue;
    seen += 1;
    if (seen % step !== 0 || (page + 1) * pageSize > source.size) continue;
    await source.read(header, page * pageSize);
    elements += readPageHeader(new DataView(header.buffer), 0).count;
    looked += 1;
  }
  return looked === 0 ? 0 : Math.ceil((elements / looked) * leaves.size);
}

/** In a B+tree all leaves are on one level: once that of a bucket is known, its leaves need not be read. */
class Planner implements TreeVisitor, ScannedPages {
  readonly leaves: PageSet;
  readonly readBranch: (page: number, run: Uint8Array) => void;
  #leafLevel = Number.POSITIVE_INFINITY;
  #level = 0;

  constructor(pages: number, keepBranch: (page: number, run: Uint8Array) => void) {
    this.leaves = new PageSet(pages);
    this.readBranch = keepBranch;
  }

  branch(): undefined {
    return undefined;
  }

  enterBucket(): boolean {
    this.#leafLevel = Number.POSITIVE_INFINITY;
    return true;
  }

  leafOverflow(_page: number, _range: KeyRange, depth: number, level: number): number {
    this.#level = level;
    return depth > 0 && level >= this.#leafLevel ? 0 : -1;
  }

  leaf(_leaf: LeafPage, page: number, depth: number): void {
    if (depth > 0) this.#leafLevel = this.#level;
    this.leaves.add(page);
  }

  scannedLeaf(page: number): void {
    this.leaves.add(page);
  }
}
