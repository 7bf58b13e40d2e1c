// Both meta pages as a snapshot carries them: the same root, and transaction ids N and N-1 (bbolt, tx.go,
// WriteTo). No freelist is kept: bbolt finds the free pages by itself when it opens the database.

import {
  CHECKED_SIZE,
  FORMAT_VERSION,
  fnv1a64,
  MAGIC,
  META_OFFSET,
  META_SIZE,
  NO_FREELIST,
  PAGE_SIZE_MAX,
  PAGE_SIZE_MIN,
} from './meta.ts';
import { PAGE_FLAGS } from './page.ts';
import { viewOf, writePageHeader } from './page-image.ts';

/** What was written. */
export interface WrittenDatabase {
  readonly pageSize: number;
  /** The high water mark: ids of pages are below it. */
  readonly pages: number;
  /** Page id of the root bucket. */
  readonly root: number;
  /** The higher one, of page 0. */
  readonly txid: bigint;
  /** `pages` times `pageSize`. */
  readonly size: number;
}

/** @throws RangeError */
export function checkPageSize(pageSize: number): void {
  const isPowerOfTwo = Number.isInteger(Math.log2(pageSize));
  if (isPowerOfTwo && pageSize >= PAGE_SIZE_MIN && pageSize <= PAGE_SIZE_MAX) return;
  throw new RangeError(`no database has pages of ${pageSize} bytes`);
}

/**
 * The first two pages of a database.
 * @param sequence of the root bucket, which nothing uses
 */
export function metaPages(
  { pageSize, pages, root, txid }: Omit<WrittenDatabase, 'size'>,
  sequence = 0n,
): Uint8Array {
  const bytes = new Uint8Array(2 * pageSize);
  for (const id of [0, 1]) {
    const page = bytes.subarray(id * pageSize, (id + 1) * pageSize);
    writePageHeader(viewOf(page), { id, flags: PAGE_FLAGS.meta, count: 0, overflow: 0 });
    const meta = page.subarray(META_OFFSET, META_OFFSET + META_SIZE);
    const view = viewOf(meta);
    view.setUint32(0, MAGIC, true);
    view.setUint32(4, FORMAT_VERSION, true);
    view.setUint32(8, pageSize, true);
    view.setBigUint64(16, BigInt(root), true);
    view.setBigUint64(24, sequence, true);
    view.setBigUint64(32, NO_FREELIST, true);
    view.setBigUint64(40, BigInt(pages), true);
    view.setBigUint64(48, txid - BigInt(id), true);
    view.setBigUint64(CHECKED_SIZE, fnv1a64(meta.subarray(0, CHECKED_SIZE)), true);
  }
  return bytes;
}
