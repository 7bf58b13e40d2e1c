// The bytes of pages that are written; page.ts says how they lie.

import {
  BUCKET_FLAG,
  BUCKET_HEADER_SIZE,
  ELEMENT_SIZE,
  HEADER_SIZE,
  PAGE_FLAGS,
  type PageHeader,
} from './page.ts';

/** An element of a branch page: a page below it, and the first key of that page. */
export interface Child {
  readonly key: Uint8Array;
  readonly page: number;
}

/** An element of a leaf page. */
export interface LeafElement {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly isBucket: boolean;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function writePageHeader(view: DataView, { id, flags, count, overflow }: PageHeader): void {
  view.setBigUint64(0, BigInt(id), true);
  view.setUint16(8, flags, true);
  view.setUint16(10, count, true);
  view.setUint32(12, overflow, true);
}

/** Writes the header of a leaf element; a position counts from the start of its element. */
export function writeLeafElement(
  view: DataView,
  element: number,
  keyStart: number,
  keySize: number,
  valueSize: number,
  isBucket: boolean,
): void {
  view.setUint32(element, isBucket ? BUCKET_FLAG : 0, true);
  view.setUint32(element + 4, keyStart - element, true);
  view.setUint32(element + 8, keySize, true);
  view.setUint32(element + 12, valueSize, true);
}

/** Size of a branch page, in bytes. */
export function branchSize(children: readonly Child[]): number {
  return children.reduce((size, { key }) => size + ELEMENT_SIZE + key.length, HEADER_SIZE);
}

/**
 * A branch page.
 * @param id of the page it is to be
 */
export function branchImage(children: readonly Child[], id: number, pageSize: number): Uint8Array {
  const size = branchSize(children);
  const overflow = Math.ceil(size / pageSize) - 1;
  const bytes = new Uint8Array((overflow + 1) * pageSize);
  const view = viewOf(bytes);
  writePageHeader(view, { id, flags: PAGE_FLAGS.branch, count: children.length, overflow });
  let data = HEADER_SIZE + children.length * ELEMENT_SIZE;
  children.forEach(({ key, page }, index) => {
    const element = HEADER_SIZE + index * ELEMENT_SIZE;
    view.setUint32(element, data - element, true);
    view.setUint32(element + 4, key.length, true);
    view.setBigUint64(element + 8, BigInt(page), true);
    bytes.set(key, data);
    data += key.length;
  });
  return bytes;
}

/**
 * The value of a bucket's element.
 * @param root page id, or the leaf page of an inline bucket
 */
export function bucketImage(root: number | Uint8Array, sequence: bigint): Uint8Array {
  const inline = typeof root === 'number' ? new Uint8Array(0) : root;
  const bytes = new Uint8Array(BUCKET_HEADER_SIZE + inline.length);
  const view = viewOf(bytes);
  view.setBigUint64(0, typeof root === 'number' ? BigInt(root) : 0n, true);
  view.setBigUint64(8, sequence, true);
  bytes.set(inline, BUCKET_HEADER_SIZE);
  return bytes;
}
