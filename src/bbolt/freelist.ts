// The list of free pages, where it is kept in the file: etcd on Linux keeps none, bbolt's own tools do.
// Page ids of 8 bytes, ascending, behind the header; where its count is full, the first is the count.

import type { Found } from './finding.ts';
import { type Meta, pagesInFile } from './meta.ts';
import { HEADER_SIZE, PAGE_FLAGS, readPageHeader } from './page.ts';
import { PageSet } from './page-set.ts';
import type { PageSource } from './page-source.ts';

const ID_SIZE = 8;
/** The header's count when there are more than it can hold (internal/common, page.go, FreelistPageCount). */
const COUNT_FULL = 0xffff;
/** Bytes of ids that are read at a time. */
const CHUNK_SIZE = 8192 * ID_SIZE;

/**
 * Holds the freelist against the pages in use: each page is one or the other, and no page both or twice.
 * @param reached the pages in use, the freelist's own among them
 * @throws EtcdkeepError `file-failed`
 */
export async function checkFreelist(
  source: PageSource,
  meta: Meta,
  reached: PageSet,
  found: Found,
): Promise<void> {
  const { freelist, pages, pageSize } = meta;
  if (freelist === undefined) return;
  const report = (page: number, defect: string): void => {
    found({
      rule: 'freelist',
      message: `page ${page} ${defect}`,
      page,
      offset: page * pageSize,
    });
  };
  const list = await locateIds(source, meta, freelist);
  // It is no freelist, which the walk has told of.
  if (list === undefined) return;
  const present = pagesInFile(meta, source);
  const free = new PageSet(present);
  for (let from = list.start; from < list.end; from += CHUNK_SIZE) {
    const ids = new DataView(new ArrayBuffer(Math.min(CHUNK_SIZE, list.end - from)));
    await source.read(new Uint8Array(ids.buffer), from);
    for (let at = 0; at < ids.byteLength; at += ID_SIZE) {
      const page = Number(ids.getBigUint64(at, true));
      if (page < 2 || page >= pages) {
        report(freelist, `lists page ${page}, which the database does not have`);
      } else if (page >= present) {
        // Beyond the end of the file, which has been told of.
        continue;
      } else if (!free.add(page)) {
        report(page, 'is in the freelist more than once');
      } else if (reached.has(page)) {
        report(page, 'is in use and in the freelist');
      }
    }
  }
  for (let page = 2; page < present; page += 1) {
    if (!reached.has(page) && !free.has(page))
      report(page, 'is neither in use nor in the freelist');
  }
}

/** Where its ids lie in the file, as many as its pages can hold. */
async function locateIds(
  source: PageSource,
  { pages, pageSize }: Meta,
  freelist: number,
): Promise<{ readonly start: number; readonly end: number } | undefined> {
  const page = freelist * pageSize;
  const head = new Uint8Array(HEADER_SIZE + ID_SIZE);
  if (freelist < 2 || freelist >= pages || page + head.length > source.size) return undefined;
  await source.read(head, page);
  const view = new DataView(head.buffer);
  const { id, flags, count, overflow } = readPageHeader(view, 0);
  if (id !== freelist || flags !== PAGE_FLAGS.freelist) return undefined;
  const isLong = count === COUNT_FULL;
  const listed = isLong ? Number(view.getBigUint64(HEADER_SIZE, true)) : count;
  const start = page + HEADER_SIZE + (isLong ? ID_SIZE : 0);
  const limit = Math.min(page + (overflow + 1) * pageSize, source.size);
  const fitting = Math.floor((limit - start) / ID_SIZE);
  return { start, end: start + Math.min(listed, fitting) * ID_SIZE };
}
