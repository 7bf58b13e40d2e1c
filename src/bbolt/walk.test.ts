import { describe, expect, it } from 'vitest';
import { readMeta } from './meta.ts';
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
import type { TreeVisitor } from './tree-visitor.ts';
import { walkTree } from './walk.ts';

/** Walks, and tells what was seen: `>name` for a bucket, `key=value` for a key, by depth. */
async function seen(bytes: Buffer, enter: (name: string) => boolean = () => true) {
  const lines: string[] = [];
  const visitor: TreeVisitor = {
    enterBucket(name, depth) {
      const text = Buffer.from(name).toString();
      lines.push(`${'  '.repeat(depth - 1)}>${text}`);
      return enter(text);
    },
    leaf(leaf, _, depth) {
      for (let index = 0; index < leaf.count; index += 1) {
        if (leaf.isBucket(index)) continue;
        const value = Buffer.from(leaf.value(index)).toString();
        const key = Buffer.from(leaf.key(index)).toString();
        lines.push(`${'  '.repeat(depth)}${key}=${value.slice(0, 10)}`);
      }
    },
    scannedLeaf: () => expect.unreachable(),
  };
  const source = bytesSource(bytes);
  const { size: pages } = await walkTree(source, await readMeta(source), visitor);
  return { lines, pages, bytesRead: source.bytesRead };
}

const bucket = (key: string, root: number): Element => ({
  key,
  value: bucketValue(root),
  isBucket: true,
});
const inline = (key: string, elements: readonly Element[]): Element => ({
  key,
  value: bucketValue(0, leafPage(0, elements)),
  isBucket: true,
});
const rootLeaf = leafPage(2, [bucket('b', 3)]);

describe('walkTree', () => {
  it('reaches buckets, inline buckets and buckets in them in order', async () => {
    const bytes = database([
      leafPage(2, [
        inline('a', [{ key: 'x', value: '1' }, inline('y', [{ key: 'z', value: '2' }])]),
        bucket('b', 3),
        inline('c', []),
      ]),
      branchPage(3, [
        ['k', 4],
        ['m', 5],
      ]),
      leafPage(4, [{ key: 'k', value: 'v'.repeat(1500) }, { key: 'l' }], 1),
      leafPage(6, [bucket('n', 7)]),
      leafPage(7, [{ key: 'o', value: '3' }]),
    ]);
    // The leaf of two pages moves what comes after it by one.
    bytes.writeUInt16LE(6, 3 * 1024 + 16 + 16 + 8);
    expect(await seen(bytes)).toMatchObject({
      lines: [
        '>a',
        '  x=1',
        '  >y',
        '    z=2',
        '>b',
        '  k=vvvvvvvvvv',
        '  l=',
        '  >n',
        '    o=3',
        '>c',
      ],
      pages: 8,
    });
  });

  it('leaves out a bucket that the visitor does not want', async () => {
    const bytes = database([
      leafPage(2, [bucket('a', 3), bucket('b', 4)]),
      leafPage(3, [{ key: 'k' }]),
      leafPage(4, [{ key: 'l' }]),
    ]);
    expect(await seen(bytes, (name) => name === 'b')).toMatchObject({
      lines: ['>a', '>b', '  l='],
      pages: 4,
    });
  });

  it('counts the pages of a freelist that is kept in the file', async () => {
    const bytes = database([leafPage(2, []), header(3, 0x10, 0, 1), Buffer.alloc(1024)], {
      freelist: 3n,
    });
    expect(await seen(bytes)).toMatchObject({ lines: [], pages: 5 });
  });

  it('does not read a database without buckets beyond its root', async () => {
    expect(await seen(database([leafPage(2, [])]))).toMatchObject({ lines: [], pages: 3 });
  });

  it('a tree is deeper than any is', async () => {
    const nested = Array.from({ length: 100 }, (_, index) =>
      leafPage(2 + index, [bucket('deeper', 3 + index)]),
    );
    await expectDamage(database(nested), 66, 'is deeper in the tree');
  });

  const cases: [
    situation: string,
    pages: Buffer[],
    page: number,
    message: string,
    fields?: Partial<MetaFields>,
  ][] = [
    ['the root is beyond the last page', [rootLeaf], 0, 'refers to page 77', { root: 77n }],
    ['the root is a meta page', [rootLeaf], 0, 'refers to page 1,', { root: 1n }],
    ['the root is beyond 2^53', [rootLeaf], 0, 'refers to page', { root: 2n ** 63n }],
    ['the root holds a key', [leafPage(2, [{ key: 'k' }])], 2, 'that is no bucket'],
    ['a bucket is beyond the last page', [rootLeaf], 2, 'refers to page 3'],
    ['a page carries another number', [rootLeaf, leafPage(4, [])], 3, 'carries the number 4'],
    ['a page has two flags', [rootLeaf, header(3, 3, 0)], 3, 'flags 3'],
    ['a page has no flags', [rootLeaf, header(3, 0, 0)], 3, 'flags 0'],
    ['a freelist is in the tree', [rootLeaf, header(3, 0x10, 0)], 3, 'flags 16'],
    ['the freelist is a leaf', [rootLeaf, leafPage(3, [])], 3, 'flags 2', { freelist: 3n }],
    ['a page continues beyond the last', [rootLeaf, leafPage(3, [], 1)], 3, 'continues beyond'],
    ['a page continues far beyond', [rootLeaf, leafPage(3, [], 2 ** 32 - 1)], 3, 'continues'],
    ['a branch has no children', [rootLeaf, branchPage(3, [])], 3, 'has no children'],
    ['a branch is its own child', [rootLeaf, branchPage(3, [['k', 3]])], 3, 'more than once'],
    [
      'a branch points to its ancestor',
      [rootLeaf, branchPage(3, [['k', 4]]), branchPage(4, [['k', 3]])],
      3,
      'more than once',
    ],
    ['a bucket is its own root', [leafPage(2, [bucket('b', 2)])], 2, 'more than once'],
    [
      'two buckets share a page',
      [leafPage(2, [bucket('a', 3), bucket('b', 3)]), leafPage(3, [])],
      3,
      'more than once',
    ],
    [
      'the overflow of one page covers another',
      [leafPage(2, [bucket('a', 3), bucket('b', 4)]), leafPage(3, [], 1), leafPage(4, [])],
      4,
      'more than once',
    ],
    [
      'the keys of a leaf are out of order',
      [rootLeaf, leafPage(3, [{ key: 'b' }, { key: 'a' }])],
      3,
      'keys out of order at element 1',
    ],
    [
      'a key comes twice in a leaf',
      [rootLeaf, leafPage(3, [{ key: 'b' }, { key: 'b' }])],
      3,
      'keys out of order at element 1',
    ],
    ['a key is empty', [rootLeaf, leafPage(3, [{ key: '' }])], 3, 'an empty key'],
    [
      'the keys of a branch are out of order',
      [
        rootLeaf,
        branchPage(3, [
          ['b', 4],
          ['a', 5],
        ]),
      ],
      3,
      'keys out of order at element 1',
    ],
    [
      'a leaf has a key below its range',
      [rootLeaf, branchPage(3, [['b', 4]]), leafPage(4, [{ key: 'a' }])],
      4,
      'belong to another page',
    ],
    [
      'a leaf has a key above its range',
      [
        rootLeaf,
        branchPage(3, [
          ['b', 4],
          ['d', 5],
        ]),
        leafPage(4, [{ key: 'b' }, { key: 'd' }]),
      ],
      4,
      'belong to another page',
    ],
    [
      'a branch below has a key above its range',
      [
        rootLeaf,
        branchPage(3, [
          ['b', 4],
          ['d', 5],
        ]),
        branchPage(4, [
          ['b', 6],
          ['e', 7],
        ]),
      ],
      4,
      'belong to another page',
    ],
    ['a leaf has more elements than room', [rootLeaf, header(3, 2, 64)], 3, 'more elements'],
    ['a branch has more elements than room', [rootLeaf, header(3, 1, 64)], 3, 'more elements'],
    [
      'a bucket element is too short',
      [leafPage(2, [{ key: 'b', value: 'short', isBucket: true }])],
      2,
      'has no bucket in element 0',
    ],
    [
      'an inline bucket is cut off',
      [leafPage(2, [{ key: 'b', value: bucketValue(0, Buffer.alloc(10)), isBucket: true }])],
      2,
      'has no inline bucket in element 0',
    ],
    [
      'an inline bucket is a branch',
      [
        leafPage(2, [
          { key: 'b', value: bucketValue(0, branchPage(0, [['k', 2]])), isBucket: true },
        ]),
      ],
      2,
      'has no inline bucket in element 0',
    ],
    [
      'the keys of an inline bucket are out of order',
      [leafPage(2, [inline('b', [{ key: 'b' }, { key: 'a' }])])],
      2,
      'inline bucket that has keys out of order at element 1',
    ],
  ];
  it.each(cases)('%s', async (_, pages, page, message, fields) => {
    await expectDamage(database(pages, fields), page, message);
  });

  /** A leaf of two keys, with one number of its second element changed. */
  const edited = (offset: number, value: number): Buffer => {
    const leaf = leafPage(3, [
      { key: 'a', value: 'one' },
      { key: 'b', value: 'two' },
    ]);
    leaf.writeUInt32LE(value, 32 + offset);
    return database([rootLeaf, leaf]);
  };
  it.each([
    ['position points into the element headers', 4, 8, 'element 1 out of its bounds'],
    ['position is beyond the page', 4, 5000, 'element 1 out of its bounds'],
    ['position is huge', 4, 2 ** 32 - 1, 'element 1 out of its bounds'],
    ['key is longer than the page', 8, 5000, 'element 1 out of its bounds'],
    ['key is huge', 8, 2 ** 32 - 1, 'element 1 out of its bounds'],
    ['value is longer than the page', 12, 5000, 'element 1 out of its bounds'],
    ['value is huge', 12, 2 ** 32 - 1, 'element 1 out of its bounds'],
  ])('the %s', async (_, offset, value, message) => {
    await expectDamage(edited(offset, value), 3, message);
  });

  it('elements that cover the same bytes', async () => {
    const leaf = leafPage(3, [{ key: 'a' }, { key: 'b' }, { key: 'c', value: 'v'.repeat(900) }]);
    // Each of the first two takes in all that is behind it.
    leaf.writeUInt32LE(900, 16 + 12);
    leaf.writeUInt32LE(900, 32 + 12);
    await expectDamage(database([rootLeaf, leaf]), 3, 'has elements that overlap');
  });
});

async function expectDamage(bytes: Buffer, page: number, message: string): Promise<void> {
  await expect(seen(bytes)).rejects.toMatchObject({
    code: 'database-damaged',
    message: expect.stringContaining(message) as unknown,
    position: { page, offset: page * 1024 },
  });
}
