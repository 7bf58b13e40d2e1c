// For tests only: databases of etcd put together by hand, bucket by bucket, so that they can be wrong in any way.

import { readMeta } from '../../bbolt/meta.ts';
import type { PageSource } from '../../bbolt/page-source.ts';
import { bucketValue, bytesSource, database, type Element, leafPage } from '../../bbolt/testing.ts';
import { checkContents, LeaseReferences } from './check-contents.ts';
import type { ContentsFinding } from './contents-finding.ts';
import { readDatabaseStatus } from './database-status.ts';
import { readKeyIndex } from './key-index.ts';
import { readStoreContents } from './store-contents.ts';

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

export const MEMBER = 0x8e9e05c52164694dn;
export const OTHER = 0x91bc3c398fb3c146n;
export const LEASE = 0x32695410dcc0ca06n;

/** An entry of bucket `members`. @param more JSON of fields between its URLs and its name */
export function member(id: bigint, peer: string, more = ''): Element {
  const value = `{"id":${id},"peerURLs":["http://${peer}:2380"]${more},"name":"${peer}"}`;
  return { key: id.toString(16), value };
}

/** An entry of bucket `lease`. */
export function lease(id: bigint, value: Buffer): Element {
  return { key: number64(id), value };
}

/** An entry of bucket `meta`, `cluster` or `auth`. */
export function note(key: string, value: Buffer | string): Element {
  return { key, value };
}

/** A finding as a line. */
export function lineOf({ rule, severity, message: said }: ContentsFinding): string {
  return `${rule} ${severity}: ${said}`;
}

/** All that is found in a database besides its records, and in the leases of its keys. */
export async function contentsFindings(source: PageSource): Promise<ContentsFinding[]> {
  const findings: ContentsFinding[] = [];
  const meta = await readMeta(source);
  const contents = await readStoreContents(source, meta, (finding) => findings.push(finding));
  const { revision } = await readDatabaseStatus(source);
  findings.push(...checkContents(contents, revision));
  const references = new LeaseReferences();
  for (const { lease: id } of (await readKeyIndex(source)).inKeyOrder()) references.add(id);
  findings.push(...references.check(contents));
  return findings;
}
