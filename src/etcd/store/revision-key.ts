// The keys of bucket `key`: a revision each, as main revision (8 bytes, big-endian), '_', sub
// revision (8 bytes), and a 't' behind it where the record is the tombstone of a deleted key.
// Source: etcd, server/storage/mvcc/revision.go.

export const REVISION_SIZE = 17;
export const MARKED_REVISION_SIZE = 18;

const SEPARATOR = 0x5f;
const TOMBSTONE_MARK = 0x74;

/**
 * What is wrong with the bytes of a revision, as a sentence without a subject, or undefined. etcd
 * 3.6 and later stop at any of these.
 */
export function revisionDefect(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start !== REVISION_SIZE && end - start !== MARKED_REVISION_SIZE) {
    return `is ${end - start} bytes long, not ${REVISION_SIZE} or ${MARKED_REVISION_SIZE}`;
  }
  if (bytes[start + 8] !== SEPARATOR) return 'has no separator between its main and sub revision';
  if (bytes[start]! >= 0x80 || bytes[start + 9]! >= 0x80) return 'is negative';
  return undefined;
}

/** Whether the record of a sound revision key is a tombstone. */
export function isTombstone(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === MARKED_REVISION_SIZE && bytes[end - 1] === TOMBSTONE_MARK;
}

/** Main revision of a sound revision key. */
export function mainRevision(view: DataView, start: number): bigint {
  return view.getBigUint64(start);
}

/** The same as a number, exact up to 2^53. */
export function mainNumber(bytes: Uint8Array, start: number): number {
  return readUint32(bytes, start) * 2 ** 32 + readUint32(bytes, start + 4);
}

/** Sub revision of a sound revision key, exact up to 2^53. */
export function subNumber(bytes: Uint8Array, start: number): number {
  return mainNumber(bytes, start + 9);
}

function readUint32(bytes: Uint8Array, offset: number): number {
  const high = (bytes[offset]! << 8) | bytes[offset + 1]!;
  return high * 65_536 + ((bytes[offset + 2]! << 8) | bytes[offset + 3]!);
}
