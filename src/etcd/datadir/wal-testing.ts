// For tests only: logs put together record by record, so that they can be wrong in any way.

import { bytesSource } from '../../bbolt/testing.ts';
import { message } from '../store/bucket-testing.ts';
import { checksum } from './checksum.ts';
import type { WalSegment } from './wal-reader.ts';
import { RECORD_TYPES } from './wal-segment.ts';

/** A frame around the bytes of a record: length and padding, as encoder.go writes them. */
export function frame(record: Uint8Array): Buffer {
  const padding = (8 - (record.length % 8)) % 8;
  const header = Buffer.alloc(8);
  header.writeBigUInt64LE(BigInt(record.length));
  if (padding > 0) header[7] = 0x80 | padding;
  return Buffer.concat([header, record, Buffer.alloc(padding)]);
}

export type RecordType = keyof typeof RECORD_TYPES;

/** Frames of records, with the checksums that belong to them. */
export function frames(
  records: readonly (readonly [type: RecordType, data: Uint8Array])[],
  crc = 0,
): { readonly bytes: Buffer; readonly crc: number } {
  const parts = records.map(([type, data]) => {
    if (type !== 'crc') crc = checksum(crc, data);
    const fields = [
      [1, RECORD_TYPES[type]],
      [2, BigInt(crc)],
    ] as const;
    return frame(type === 'crc' ? message(...fields) : message(...fields, [3, Buffer.from(data)]));
  });
  return { bytes: Buffer.concat(parts), crc };
}

/** A whole file: a checksum record first, zeros behind. */
export function segmentBytes(
  records: readonly (readonly [type: RecordType, data: Uint8Array])[],
  { crc = 0, size = 0 } = {},
): Buffer {
  const { bytes } = frames([['crc', Buffer.alloc(0)], ...records], crc);
  return Buffer.concat([bytes, Buffer.alloc(Math.max(0, size - bytes.length))]);
}

export function segmentOf(name: string, bytes: Uint8Array): WalSegment {
  return { name, open: () => ({ ...bytesSource(bytes), close: () => undefined }) };
}

export const metadata = (memberId: bigint, clusterId: bigint): Buffer =>
  message([1, memberId], [2, clusterId]);
export const hardState = (term: bigint, vote: bigint, commit: bigint): Buffer =>
  message([1, term], [2, vote], [3, commit]);
export const snapshotRecord = (index: bigint, term: bigint, ...voters: bigint[]): Buffer =>
  message(
    [1, index],
    [2, term],
    ...(voters.length === 0
      ? []
      : [[3, message(...voters.map((id) => [1, id] as const))] as const]),
  );

/** An entry of raft. @param type 0 a request, 1 a change of members, 2 the newer form of one */
export const entry = (
  index: bigint,
  term: bigint,
  data: Uint8Array = Buffer.alloc(0),
  type = 0n,
): Buffer => message([1, type], [2, term], [3, index], [4, Buffer.from(data)]);

/** A put, as far as the log is asked about it. */
export const put = (key: string): Buffer =>
  message([1, 7n], [4, message([1, key], [2, 'value'])], [100, message([1, 7n])]);
