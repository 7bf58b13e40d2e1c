// For tests only: databases put together by hand, so that they can be wrong in any way.

import type { PageSource } from './page-source.ts';

/** The bytes of a database as a source; `reads` counts what is asked of it. */
export function bytesSource(bytes: Uint8Array): PageSource & { bytesRead: number } {
  return {
    size: bytes.length,
    bytesRead: 0,
    read(into, offset) {
      if (offset + into.length > bytes.length) throw new RangeError('read beyond the end');
      into.set(bytes.subarray(offset, offset + into.length));
      this.bytesRead += into.length;
      return undefined;
    },
  };
}

export interface Element {
  readonly key: string | Uint8Array;
  readonly value?: string | Uint8Array;
  readonly isBucket?: boolean;
}

/** The value of a bucket element, with an inline leaf page where it has no root page. */
export function bucketValue(root: number, inline: Uint8Array = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(16);
  header.writeBigUInt64LE(BigInt(root));
  return Buffer.concat([header, inline]);
}

export function header(id: number, flags: number, count: number, overflow = 0): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(BigInt(id));
  bytes.writeUInt16LE(flags, 8);
  bytes.writeUInt16LE(count, 10);
  bytes.writeUInt32LE(overflow, 12);
  return bytes;
}

/** A leaf page as bbolt writes it, not filled up to the page size. */
export function leafPage(id: number, elements: readonly Element[], overflow = 0): Buffer {
  const heads: Buffer[] = [];
  const data: Buffer[] = [];
  let dataSize = 0;
  elements.forEach(({ key, value = '', isBucket = false }, index) => {
    const head = Buffer.alloc(16);
    head.writeUInt32LE(isBucket ? 1 : 0);
    head.writeUInt32LE((elements.length - index) * 16 + dataSize, 4);
    head.writeUInt32LE(Buffer.from(key).length, 8);
    head.writeUInt32LE(Buffer.from(value).length, 12);
    heads.push(head);
    data.push(Buffer.from(key), Buffer.from(value));
    dataSize += Buffer.from(key).length + Buffer.from(value).length;
  });
  return Buffer.concat([header(id, 2, elements.length, overflow), ...heads, ...data]);
}

export function branchPage(id: number, children: readonly (readonly [string, number])[]): Buffer {
  const heads: Buffer[] = [];
  let dataSize = 0;
  children.forEach(([key, child], index) => {
    const head = Buffer.alloc(16);
    head.writeUInt32LE((children.length - index) * 16 + dataSize);
    head.writeUInt32LE(key.length, 4);
    head.writeBigUInt64LE(BigInt(child), 8);
    heads.push(head);
    dataSize += key.length;
  });
  const keys = children.map(([key]) => Buffer.from(key));
  return Buffer.concat([header(id, 1, children.length), ...heads, ...keys]);
}

export interface MetaFields {
  readonly pageSize: number;
  readonly root: bigint;
  readonly freelist: bigint;
  readonly pages: bigint;
  readonly txid: bigint;
}

export function metaPage(id: number, fields: MetaFields): Buffer {
  const bytes = Buffer.alloc(80);
  header(id, 4, 0).copy(bytes);
  bytes.writeUInt32LE(0xed0cdaed, 16);
  bytes.writeUInt32LE(2, 20);
  bytes.writeUInt32LE(fields.pageSize, 24);
  bytes.writeBigUInt64LE(fields.root, 32);
  bytes.writeBigUInt64LE(fields.freelist, 48);
  bytes.writeBigUInt64LE(fields.pages, 56);
  bytes.writeBigUInt64LE(fields.txid, 64);
  return sealMeta(bytes);
}

/** Gives a meta page the checksum of its content. */
export function sealMeta(bytes: Buffer): Buffer {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes.subarray(16, 72)) {
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffff_ffff_ffff_ffffn;
  }
  bytes.writeBigUInt64LE(hash, 72);
  return bytes;
}

const NO_FREELIST = 0xffff_ffff_ffff_ffffn;

/** A database of these pages, from page 2 on, which is the root unless it is said otherwise. */
export function database(pages: readonly Buffer[], fields: Partial<MetaFields> = {}): Buffer {
  const pageSize = fields.pageSize ?? 1024;
  const placed = pages.map((page) => {
    const size = Math.max(1, Math.ceil(page.length / pageSize)) * pageSize;
    return Buffer.concat([page], size);
  });
  const count = 2 + placed.reduce((sum, page) => sum + page.length / pageSize, 0);
  const meta = { pageSize, root: 2n, freelist: NO_FREELIST, pages: BigInt(count), ...fields };
  const metas = [0, 1].map((id) =>
    Buffer.concat([metaPage(id, { txid: BigInt(8 - id), ...meta })], pageSize),
  );
  return Buffer.concat([...metas, ...placed]);
}
