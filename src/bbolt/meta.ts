// The two meta pages, which say where the tree of a database begins. bbolt writes them in turn, so
// that one of them is whole at any moment. A snapshot carries the same meta twice, with transaction
// ids N and N-1.

import { type Finding, type Found, stopAtFirst } from './finding.ts';
import { PAGE_FLAGS, readPageHeader } from './page.ts';
import type { PageSource } from './page-source.ts';

const META_OFFSET = 16;
const META_SIZE = 64;
const CHECKED_SIZE = 56;
const MAGIC = 0xed0cdaed;
const FORMAT_VERSION = 2;

/** As bbolt looks for them (db.go, getPageSizeFromSecondMeta): 1 KiB, doubled up to 16 MiB. */
const PAGE_SIZE_MIN = 1024;
const PAGE_SIZE_MAX = 16 * 1024 * 1024;

/** 16 TiB of the usual pages: what keeps page ids in 32 bits and the walk's bitmap in bounds. */
const PAGES_MAX = 2 ** 32;

const NO_FREELIST = 0xffff_ffff_ffff_ffffn;

/** What the chosen meta page says. */
export interface Meta {
  /** The page it is on, 0 or 1. */
  readonly page: number;
  readonly pageSize: number;
  /** The high water mark: ids of pages are below it. */
  readonly pages: number;
  /** Page id of the root bucket. */
  readonly root: number;
  /** Page id of the freelist; undefined where it is not kept in the file, as by etcd on Linux. */
  readonly freelist: number | undefined;
  readonly txid: bigint;
}

/**
 * Pages of which the file has anything: what is to be remembered of each of them is never more than that. A meta with
 * a good checksum may claim 2^32 in a file of two.
 */
export function pagesInFile({ pages, pageSize }: Meta, { size }: PageSource): number {
  return Math.min(pages, Math.ceil(size / pageSize));
}

/** A meta page in bytes that start at the page: what it says, or what is wrong with it. */
type Parsed = Omit<Meta, 'page'> | string;

function isPageSize(size: number): boolean {
  return size >= PAGE_SIZE_MIN && size <= PAGE_SIZE_MAX && Number.isInteger(Math.log2(size));
}

/**
 * Page size of a database, from its first bytes, if its first meta page is valid.
 * @param head the first bytes of the file; 80 are enough
 */
export function pageSizeOfHead(head: Uint8Array): number | undefined {
  const parsed = parseMeta(head);
  return typeof parsed !== 'string' && isPageSize(parsed.pageSize) ? parsed.pageSize : undefined;
}

/**
 * Reads both meta pages and chooses as bbolt does: the valid one with the higher transaction id
 * (db.go, meta). Where the first is not valid, the page size is found by looking for the second.
 * @throws EtcdkeepError `database-damaged`, `file-failed`
 */
export async function readMeta(source: PageSource): Promise<Meta> {
  const chosen = await chooseMeta(source, stopAtFirst, () => undefined);
  return (await heldAgainstFile(source, chosen!, stopAtFirst))!;
}

/**
 * The same, with all that is wrong told of: of the meta that is not chosen, too.
 * @returns undefined if there is none to go on with
 * @throws EtcdkeepError `file-failed`
 */
export async function inspectMetas(source: PageSource, found: Found): Promise<Meta | undefined> {
  const chosen = await chooseMeta(source, found, found);
  return chosen === undefined ? undefined : heldAgainstFile(source, chosen, found);
}

/** @param foundOther told of what is wrong with the one that is not needed */
async function chooseMeta(
  source: PageSource,
  found: Found,
  foundOther: Found,
): Promise<Meta | undefined> {
  const first = await parseMetaAt(source, 0);
  if (typeof first !== 'string') {
    const second = await parseMetaAt(source, first.pageSize);
    if (typeof second === 'string') foundOther(otherMeta(1, first.pageSize, second));
    if (typeof second === 'string' || second.txid < first.txid) return { page: 0, ...first };
    return { page: 1, ...second };
  }
  for (let pageSize = PAGE_SIZE_MIN; pageSize <= PAGE_SIZE_MAX; pageSize *= 2) {
    const second = await parseMetaAt(source, pageSize);
    if (typeof second === 'string' || second.pageSize !== pageSize) continue;
    foundOther(otherMeta(0, pageSize, first));
    return { page: 1, ...second };
  }
  const message = `it is no bbolt database: in the first meta page ${first}`;
  found({ rule: 'meta', message, page: 0, offset: 0 });
  return undefined;
}

function otherMeta(page: number, pageSize: number, why: string): Finding {
  const message = `meta page ${page} cannot be used: ${why}; the other one is`;
  return { rule: 'meta', message, page, offset: page * pageSize };
}

async function parseMetaAt(source: PageSource, offset: number): Promise<Parsed> {
  const bytes = new Uint8Array(META_OFFSET + META_SIZE);
  if (offset + bytes.length > source.size) return 'the file ends';
  await source.read(bytes, offset);
  return parseMeta(bytes);
}

/** Magic, version and checksum in the order in which bbolt holds them (internal/common, Meta.Validate). */
function parseMeta(page: Uint8Array): Parsed {
  if (page.length < META_OFFSET + META_SIZE) return 'the file ends';
  const view = new DataView(page.buffer, page.byteOffset + META_OFFSET, META_SIZE);
  if (view.getUint32(0, true) !== MAGIC) return 'the magic number is wrong';
  if (view.getUint32(4, true) !== FORMAT_VERSION) return 'the format version is not 2';
  const checked = page.subarray(META_OFFSET, META_OFFSET + CHECKED_SIZE);
  if (view.getBigUint64(CHECKED_SIZE, true) !== fnv1a64(checked)) return 'the checksum is wrong';
  const freelist = view.getBigUint64(32, true);
  return {
    pageSize: view.getUint32(8, true),
    root: Number(view.getBigUint64(16, true)),
    freelist: freelist === NO_FREELIST ? undefined : Number(freelist),
    pages: Number(view.getBigUint64(40, true)),
    txid: view.getBigUint64(48, true),
  };
}

/**
 * Holds what a meta with a good checksum says against the file that it is in.
 * @returns undefined if it says what no database has
 */
async function heldAgainstFile(
  source: PageSource,
  meta: Meta,
  found: Found,
): Promise<Meta | undefined> {
  const { page, pageSize, pages } = meta;
  if (!isPageSize(pageSize) || pages > PAGES_MAX) {
    const message =
      pages > PAGES_MAX
        ? `it is said to have ${pages} pages, which no database has`
        : `no database has pages of ${pageSize} bytes`;
    found({ rule: 'meta', message, page, offset: page * pageSize });
    return undefined;
  }
  // bbolt maps a file without looking at its size, and dies of SIGBUS on the first missing page.
  if (pages * pageSize > source.size) {
    const message = `the file ends at ${source.size} of ${pages * pageSize} bytes: it is truncated`;
    const at = { page: Math.floor(source.size / pageSize), offset: source.size };
    found({ rule: 'truncated', message, ...at });
  }
  for (const id of [0, 1]) {
    const header = new Uint8Array(META_OFFSET);
    if (id * pageSize + header.length > source.size) continue;
    await source.read(header, id * pageSize);
    const { id: carried, flags } = readPageHeader(new DataView(header.buffer), 0);
    if (carried === id && flags === PAGE_FLAGS.meta) continue;
    const message = `page ${id} is not the meta page that it should be`;
    found({ rule: 'meta', message, page: id, offset: id * pageSize });
  }
  return meta;
}

/** FNV-1a of 64 bits, over 56 bytes, twice a file. */
function fnv1a64(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}
