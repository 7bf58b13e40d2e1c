import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATABASES, readDatabase } from '../../test/fixtures/databases/databases.ts';
import { checkDatabase } from './check.ts';
import type { Finding } from './finding.ts';
import {
  branchPage,
  bucketValue,
  bytesSource,
  database,
  type Element,
  header,
  leafPage,
  type MetaFields,
} from './testing.ts';

const PAGE_SIZE = 1024;

async function check(bytes: Uint8Array) {
  const findings: Finding[] = [];
  const checked = await checkDatabase(bytesSource(bytes), (finding) => findings.push(finding));
  expect(checked.findings).toBe(findings.length);
  return { ...checked, lines: findings.map(({ rule, message }) => `${rule}: ${message}`) };
}

const bucket = (key: string, root: number): Element => ({
  key,
  value: bucketValue(root),
  isBucket: true,
});
const ids = (...pages: number[]): Buffer => {
  const bytes = Buffer.alloc(8 * pages.length);
  pages.forEach((page, index) => bytes.writeBigUInt64LE(BigInt(page), index * 8));
  return bytes;
};

describe('checkDatabase', () => {
  // bbolt check passes each of them; the fixtures' README says how they came about.
  it.each(DATABASES)('finds nothing in the database %s', async (name) => {
    const { lines, pagesReachable } = await check(readDatabase(name));
    expect(lines).toEqual([]);
    expect(pagesReachable).toBeGreaterThan(2);
  });

  it('goes on behind what it finds', async () => {
    const bytes = database([
      leafPage(2, [bucket('a', 3), bucket('b', 9), bucket('c', 5), bucket('d', 6)]),
      branchPage(3, [
        ['k', 4],
        ['m', 3],
      ]),
      leafPage(4, [{ key: 'z' }, { key: 'y' }]),
      leafPage(7, []),
      leafPage(6, [{ key: 'o' }]),
    ]);
    expect((await check(bytes)).lines).toEqual([
      'key-order: page 4 has keys out of order at element 1',
      'repeated: page 3 is referred to more than once',
      'reference: page 2 refers to page 9, which the database does not have',
      'header: page 5 carries the number 7',
    ]);
  });

  const cases: [string, Buffer[], string[], Partial<MetaFields>?][] = [
    [
      'several elements of a page',
      [
        leafPage(2, [bucket('b', 3)]),
        // The second key lies behind the page, the fourth has none.
        tampered(leafPage(3, [{ key: 'a' }, { key: 'b' }, { key: 'c' }, { key: 'd' }]), (page) => {
          page.writeUInt32LE(5000, 16 + 16 + 4);
          page.writeUInt32LE(0, 16 + 48 + 8);
        }),
      ],
      [
        'elements: page 3 has an element 1 out of its bounds',
        'elements: page 3 has an empty key in element 3',
      ],
    ],
    [
      'a bucket beside an element that cannot be read',
      [
        tampered(leafPage(2, [bucket('a', 3), bucket('b', 3)]), (page) => {
          page.writeUInt32LE(5000, 16 + 4);
        }),
        leafPage(9, []),
      ],
      [
        'elements: page 2 has an element 0 out of its bounds',
        'header: page 3 carries the number 9',
      ],
    ],
    [
      'the inside of an inline bucket',
      [
        leafPage(2, [
          {
            key: 'a',
            value: bucketValue(0, leafPage(0, [{ key: 'z' }, { key: 'y' }])),
            isBucket: true,
          },
        ]),
      ],
      ['key-order: page 2 has an inline bucket that has keys out of order at element 1'],
    ],
    [
      'a branch with a single child',
      [leafPage(2, [bucket('b', 3)]), branchPage(3, [['k', 4]]), leafPage(4, [{ key: 'k' }])],
      ['single-child: page 3 is a branch page with a single child'],
    ],
    [
      'an empty page that is not all of a bucket',
      [
        leafPage(2, [bucket('b', 3)]),
        branchPage(3, [
          ['k', 4],
          ['m', 5],
        ]),
        leafPage(4, []),
        leafPage(5, [{ key: 'm' }]),
      ],
      ['empty: page 4 is empty'],
    ],
    [
      'a cycle of three pages',
      [
        leafPage(2, [bucket('b', 3)]),
        branchPage(3, [
          ['k', 4],
          ['m', 5],
        ]),
        branchPage(4, [
          ['k', 3],
          ['l', 5],
        ]),
        leafPage(5, [{ key: 'l' }]),
      ],
      [
        'repeated: page 3 is referred to more than once',
        'repeated: page 5 is referred to more than once',
      ],
    ],
    [
      'a freelist that holds the rest',
      [leafPage(2, []), Buffer.concat([header(3, 0x10, 1), ids(4)]), leafPage(4, [])],
      [],
      { freelist: 3n },
    ],
    [
      'a freelist that is wrong in every way',
      [
        leafPage(2, [bucket('b', 4)]),
        Buffer.concat([header(3, 0x10, 4), ids(4, 5, 5, 77)]),
        leafPage(4, []),
        leafPage(5, []),
        leafPage(6, []),
      ],
      [
        'freelist: page 4 is in use and in the freelist',
        'freelist: page 5 is in the freelist more than once',
        'freelist: page 3 lists page 77, which the database does not have',
        'freelist: page 6 is neither in use nor in the freelist',
      ],
      { freelist: 3n },
    ],
    [
      'a freelist that says itself how long it is',
      [leafPage(2, []), Buffer.concat([header(3, 0x10, 0xffff), ids(1, 4)]), leafPage(4, [])],
      [],
      { freelist: 3n },
    ],
    [
      'a freelist that claims more than it can hold',
      [leafPage(2, []), Buffer.concat([header(3, 0x10, 0xffff), ids(2 ** 40, 4)])],
      expect.arrayContaining(['freelist: page 3 lists page 4, which the database does not have']),
      { freelist: 3n },
    ],
  ];
  it.each(cases)('%s', async (_, pages, lines, fields) => {
    expect((await check(database(pages, fields))).lines).toEqual(lines);
  });

  it('tells of the meta page that is not used, too', async () => {
    const bytes = database([leafPage(2, [])]);
    bytes[16]! ^= 1;
    expect((await check(bytes)).lines).toEqual([
      'meta: meta page 0 cannot be used: the magic number is wrong; the other one is',
    ]);
    bytes[PAGE_SIZE + 72]! ^= 1;
    expect((await check(bytes)).lines).toEqual([
      'meta: it is no bbolt database: in the first meta page the magic number is wrong',
    ]);
  });

  it('of a file that is cut off names every page that is gone and referred to', async () => {
    const whole = readDatabase('tree');
    const { lines } = await check(whole.subarray(0, 700_000));
    expect(lines[0]).toBe('truncated: the file ends at 700000 of 819200 bytes: it is truncated');
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.slice(1).every((line) => line.startsWith('truncated: page '))).toBe(true);
  });

  it('ends, and throws nothing, whatever is changed', async () => {
    const whole = readDatabase('nested');
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { maxLength: 40 }),
        fc.nat(whole.length),
        async (changes, length) => {
          const bytes = Buffer.from(whole);
          for (const [offset, value] of changes) bytes[offset] = value;
          await check(bytes.subarray(0, length));
        },
      ),
      { numRuns: 300 },
    );
  });
});

function tampered(page: Buffer, change: (page: Buffer) => void): Buffer {
  change(page);
  return page;
}
