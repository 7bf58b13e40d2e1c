// Databases that mutations start from: small ones put together by hand, in which little is far from anything, and
// those of real members.
import {
  branchPage,
  bucketValue,
  database,
  type Element,
  header,
  leafPage,
} from '../../src/bbolt/testing.ts';
import { readDatabase } from '../fixtures/databases/databases.ts';

export interface Seed {
  readonly name: string;
  readonly pageSize: number;
  readonly bytes: Buffer;
}

const PAGE_SIZE = 1024;

export function revisionKey(main: number, mark = ''): Buffer {
  const bytes = Buffer.alloc(17, '_');
  bytes.writeBigUInt64BE(BigInt(main));
  bytes.writeBigUInt64BE(0n, 9);
  return Buffer.concat([bytes, Buffer.from(mark)]);
}

/** mvccpb.KeyValue, of numbers below 128. */
function keyValue(
  key: string,
  created: number,
  main: number,
  version: number,
  value: string,
): Buffer {
  const numbers = [0x10, created, 0x18, main, 0x20, version];
  return Buffer.concat([
    Buffer.from([0x0a, key.length, ...Buffer.from(key), ...numbers, 0x2a, value.length]),
    Buffer.from(value),
  ]);
}

/** So many records of a few keys, one in seven a deletion, with the history that etcd would have given them. */
export function records(count: number): Element[] {
  const alive = new Map<string, { created: number; version: number }>();
  const elements: Element[] = [];
  for (let main = 2; main < 2 + count; main += 1) {
    const key = `key-${main % 9}`;
    const known = alive.get(key);
    if (known !== undefined && main % 7 === 0) {
      alive.delete(key);
      const value = Buffer.from([0x0a, key.length, ...Buffer.from(key)]);
      elements.push({ key: revisionKey(main, 't'), value });
      continue;
    }
    const { created, version } = known ?? { created: main, version: 0 };
    alive.set(key, { created, version: version + 1 });
    const value = keyValue(key, created, main, version + 1, 'value '.repeat(main % 5));
    elements.push({ key: revisionKey(main), value });
  }
  return elements;
}

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};
const inline = (key: string, elements: readonly Element[]): Element => ({
  key,
  value: bucketValue(0, leafPage(0, elements)),
  isBucket: true,
});
const paged = (key: string, root: number): Element => ({
  key,
  value: bucketValue(root),
  isBucket: true,
});
const notes = inline('meta', [
  { key: 'consistent_index', value: number(140) },
  { key: 'finishedCompactRev', value: revisionKey(1) },
  { key: 'scheduledCompactRev', value: revisionKey(1) },
  { key: 'storageVersion', value: '3.6.0' },
  { key: 'term', value: number(2) },
]);
const cluster = inline('cluster', [{ key: 'clusterVersion', value: '3.6.0' }]);

const firstKey = (elements: readonly Element[]): string =>
  Buffer.from(elements[0]!.key as Uint8Array).toString('latin1');

/** Leaves of so many records from a page id on, and what a branch says of them. */
function leaves(all: readonly Element[], perLeaf: number, firstPage: number) {
  const pages: Buffer[] = [];
  const children: (readonly [string, number])[] = [];
  for (let from = 0; from < all.length; from += perLeaf) {
    const elements = all.slice(from, from + perLeaf);
    const id = firstPage + pages.length;
    pages.push(leafPage(id, elements));
    children.push([firstKey(elements), id]);
  }
  return { pages, children };
}

/** Two levels of branch pages, and a free page with what a leaf was. */
function deep(freelist: boolean): Buffer {
  const { pages, children } = leaves(records(80), 10, 6);
  const half = children.length / 2;
  const root = leafPage(2, [cluster, paged('key', 3), inline('lease', []), notes]);
  const free = 6 + pages.length;
  const list = Buffer.concat([header(free + 1, 0x10, 1), Buffer.alloc(8)]);
  list.writeBigUInt64LE(BigInt(free), 16);
  return database(
    [
      root,
      branchPage(3, [
        [children[0]![0], 4],
        [children[half]![0], 5],
      ]),
      branchPage(4, children.slice(0, half)),
      branchPage(5, children.slice(half)),
      ...pages,
      leafPage(free, records(8)),
      ...(freelist ? [list] : []),
    ],
    { pageSize: PAGE_SIZE, ...(freelist ? { freelist: BigInt(free + 1) } : {}) },
  );
}

/** Every bucket is inside of the root's page. */
function shallow(): Buffer {
  return database([leafPage(2, [cluster, inline('key', records(6)), notes])], {
    pageSize: PAGE_SIZE,
  });
}

/** A leaf of three pages between two of one. */
function long(): Buffer {
  const all = records(30);
  const value = keyValue('long', 20, 20, 1, 'x'.repeat(100));
  const longValue = Buffer.concat([
    value,
    Buffer.from([0x32, 0xd0, 0x0f]),
    Buffer.alloc(2000, 'y'),
  ]);
  // A field that no version knows, of 2,000 bytes.
  longValue[value.length] = (9 << 3) | 2;
  const middle = [{ key: revisionKey(60), value: longValue }];
  const last = [{ key: revisionKey(61), value: keyValue('last', 61, 61, 1, 'v') }];
  const first = all.slice(0, 10);
  return database(
    [
      leafPage(2, [paged('key', 3), notes]),
      branchPage(3, [
        [firstKey(first), 4],
        [firstKey(middle), 5],
        [firstKey(last), 8],
      ]),
      leafPage(4, first),
      leafPage(5, middle, 2),
      leafPage(8, last),
    ],
    { pageSize: PAGE_SIZE },
  );
}

/** Buckets in buckets, inside of their page and on pages of their own. */
function nested(): Buffer {
  const innermost = inline('inner', [{ key: 'a', value: 'b' }, inline('most', [])]);
  const middle = leafPage(3, [innermost, paged('own', 4), { key: 'plain', value: 'text' }]);
  return database(
    [
      leafPage(2, [inline('key', []), paged('other', 3)]),
      middle,
      leafPage(4, [{ key: 'x', value: 'y' }, inline('z', [{ key: 'w', value: '' }])]),
    ],
    { pageSize: PAGE_SIZE },
  );
}

const golden = (name: string, pageSize = 4096): Seed => ({
  name,
  pageSize,
  bytes: readDatabase(name),
});

export const smallSeeds = (): readonly Seed[] => [
  { name: 'deep', pageSize: PAGE_SIZE, bytes: deep(false) },
  { name: 'freelist', pageSize: PAGE_SIZE, bytes: deep(true) },
  { name: 'shallow', pageSize: PAGE_SIZE, bytes: shallow() },
  { name: 'long', pageSize: PAGE_SIZE, bytes: long() },
  { name: 'nested by hand', pageSize: PAGE_SIZE, bytes: nested() },
  golden('fresh'),
  golden('inline'),
];

export const largeSeeds = (): readonly Seed[] => [
  golden('tree'),
  golden('uncompacted'),
  golden('interrupted'),
  golden('bump-pending'),
  golden('bump-booted'),
  golden('nested'),
  golden('pages-of-1024', 1024),
  golden('pages-of-65536', 65_536),
];
