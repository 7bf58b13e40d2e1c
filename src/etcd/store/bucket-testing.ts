// For tests only: databases of etcd put together by hand, bucket by bucket, so that they can be wrong in any way.

import { bucketValue, bytesSource, database, type Element, leafPage } from '../../bbolt/testing.ts';

const PAGE_SIZE = 4096;

/** A database with these buckets, each inline. */
export function buckets(
  contents: Readonly<Record<string, readonly Element[]>>,
): ReturnType<typeof bytesSource> {
  const elements = Object.entries(contents)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, inside]) => ({ key, value: bucketValue(0, leafPage(0, inside)), isBucket: true }));
  const size = leafPage(2, elements).length;
  const page = leafPage(2, elements, Math.ceil(size / PAGE_SIZE) - 1);
  return bytesSource(database([page], { pageSize: PAGE_SIZE }));
}

/** A number as etcd keeps it: 8 bytes, big-endian. */
export function number64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

/** Key of a record. @param mark `t` for a tombstone */
export function revisionKey(main: bigint, sub = 0n, mark = ''): Buffer {
  return Buffer.concat([number64(main), Buffer.from('_'), number64(sub), Buffer.from(mark)]);
}

/** A number of 64 bits in protobuf. */
export function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  for (let rest = BigInt.asUintN(64, value); ; rest >>= 7n) {
    if (rest < 0x80n) return Buffer.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}

/** A protobuf message of numbers, texts and messages, by the numbers of its fields. */
export function message(
  ...fields: readonly (readonly [number, bigint | string | Buffer])[]
): Buffer {
  const parts = fields.flatMap(([field, value]) => {
    if (typeof value === 'bigint') return [varint(BigInt(field << 3)), varint(value)];
    const bytes = Buffer.from(value);
    return [varint(BigInt((field << 3) | 2)), varint(BigInt(bytes.length)), bytes];
  });
  return Buffer.concat(parts);
}
