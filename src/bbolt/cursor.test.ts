import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATABASES, readDatabase } from '../../test/fixtures/databases/databases.ts';
import { type Cursor, openBucket } from './cursor.ts';
import { readMeta } from './meta.ts';
import type { PageSource } from './page-source.ts';
import { branchPage, bucketValue, bytesSource, database, leafPage } from './testing.ts';
import {
  anyDatabase,
  anyKey,
  type Contents,
  keyOf,
  readContents,
  sorted,
  writeDatabase,
} from './testing-database.ts';
import { walkTree } from './walk.ts';

/** What a cursor is on, with its offsets held against its key and value. */
function entryOf(cursor: Cursor): [string, Buffer | undefined] {
  const { bytes, keyStart, valueStart, valueEnd } = cursor;
  const key = Buffer.from(bytes.subarray(keyStart, valueStart));
  const value = Buffer.from(bytes.subarray(valueStart, valueEnd));
  if (!key.equals(cursor.key) || !value.equals(cursor.value)) expect.unreachable();
  return [key.toString('latin1'), cursor.isBucket ? undefined : value];
}

const isOn = (cursor: Cursor, [key, value]: [string, Buffer | Contents]): boolean => {
  const [seenKey, seenValue] = entryOf(cursor);
  if (seenKey !== key) return false;
  return value instanceof Map ? seenValue === undefined : seenValue?.equals(value) === true;
};

/** Every bucket of a database, with the names on the way to it. */
function* bucketsOf(contents: Contents, path: string[] = []): Generator<[string[], Contents]> {
  yield [path, contents];
  for (const [name, value] of contents) {
    if (value instanceof Map) yield* bucketsOf(value, [...path, name]);
  }
}

const at = (source: PageSource, path: readonly string[]): Promise<Cursor | undefined> =>
  openBucket(source, path.map(keyOf));

const many: Contents = new Map(
  Array.from({ length: 5000 }, (_, index) => [
    `key ${(2 * index).toString().padStart(6, '0')}`,
    Buffer.alloc(index % 50, index),
  ]),
);

describe('Cursor', () => {
  it('goes forth and back through every bucket, and finds every key and what is between them', async () => {
    await fc.assert(
      fc.asyncProperty(anyDatabase, fc.array(anyKey), async (contents, others) => {
        const { bytes } = await writeDatabase(contents, { pageSize: 1024 });
        const source = bytesSource(bytes);
        for (const [path, bucket] of bucketsOf(contents)) {
          const entries = sorted(bucket);
          const cursor = (await at(source, path))!;
          let count = 0;
          for (let there = await cursor.first(); there; there = await cursor.next()) {
            expect(isOn(cursor, entries[count]!)).toBe(true);
            count += 1;
          }
          expect(count).toBe(entries.length);
          expect(await cursor.next()).toBe(false);
          for (let there = await cursor.last(); there; there = await cursor.prev()) {
            count -= 1;
            expect(isOn(cursor, entries[count]!)).toBe(true);
          }
          expect(count).toBe(0);
          // Every key is looked for in some order of their own, and with some that are not there.
          const keys = entries.map(([key]) => key).filter((_, index) => index % 7 === 0);
          for (const key of [...keys.reverse(), ...others, '\0', '\xff'.repeat(7)]) {
            const index = entries.findIndex(([other]) => other >= key);
            expect(await cursor.seek(keyOf(key))).toBe(index >= 0);
            if (index >= 0) expect(isOn(cursor, entries[index]!)).toBe(true);
          }
        }
      }),
      { numRuns: 25 },
    );
  }, 30_000);

  it('seeks every key and between all of them, from wherever it is', async () => {
    const { bytes } = await writeDatabase(new Map([['b', many]]), { pageSize: 1024 });
    const cursor = (await at(bytesSource(bytes), ['b']))!;
    const key = (number: number): Buffer => keyOf(`key ${number.toString().padStart(6, '0')}`);
    // A step that has no divisor in common with their number comes by all of them.
    for (let count = 0; count < 10_000; count += 1) {
      const number = (count * 7919) % 10_000;
      const isThere = await cursor.seek(key(number));
      expect(isThere).toBe(number < 9999);
      if (isThere) expect(cursor.key).toEqual(new Uint8Array(key(number + (number % 2))));
    }
    expect(await cursor.seek(keyOf('key'))).toBe(true);
    expect(cursor.key).toEqual(new Uint8Array(key(0)));
    expect(await cursor.seek(keyOf('l'))).toBe(false);
    expect(() => cursor.key).toThrow('on no entry');
    expect(await cursor.prev()).toBe(false);
    expect(await cursor.seek(key(4))).toBe(true);
    expect(await cursor.prev()).toBe(true);
    expect(cursor.key).toEqual(new Uint8Array(key(2)));
  });

  it('reads the pages on the way, and those once', async () => {
    const { bytes, pages } = await writeDatabase(new Map([['b', many]]), { pageSize: 1024 });
    const source = bytesSource(bytes);
    const cursor = (await at(source, ['b']))!;
    const from = source.bytesRead;
    await cursor.seek(keyOf('key 005000'));
    // Two levels of branch pages, and a leaf.
    expect(source.bytesRead - from).toBe(3 * 1024);
    await cursor.seek(keyOf('key 005001'));
    await cursor.next();
    expect(source.bytesRead - from).toBe(3 * 1024);
    await cursor.seek(keyOf('key 005050'));
    expect(source.bytesRead - from).toBe(4 * 1024);
    const before = source.bytesRead;
    for (let there = await cursor.first(); there; there = await cursor.next());
    expect(source.bytesRead - before).toBeLessThanOrEqual((pages - 3) * 1024);
  });

  // Written by etcd and by bbolt: the walk sees the same in them.
  it.each(DATABASES)('sees in the database %s what the walk sees', async (name) => {
    const source = bytesSource(readDatabase(name));
    const walked = new Map<string, string>();
    const path: string[] = [];
    await walkTree(source, await readMeta(source), {
      enterBucket(bucket, depth) {
        path.splice(depth - 1, path.length, Buffer.from(bucket).toString('latin1'));
        return true;
      },
      leaf(leaf, _, depth) {
        for (let index = 0; index < leaf.count; index += 1) {
          const key = Buffer.from(leaf.key(index)).toString('latin1');
          const isBucket = leaf.isBucket(index);
          const value = isBucket ? 'a bucket' : Buffer.from(leaf.value(index)).toString('latin1');
          walked.set([...path.slice(0, depth), key].join('/'), value);
        }
      },
      scannedLeaf: () => expect.unreachable(),
    });
    const seen = new Map<string, string>();
    for (const [names, bucket] of bucketsOf(await readContents(source))) {
      for (const [key, value] of bucket) {
        const text = value instanceof Map ? 'a bucket' : value.toString('latin1');
        seen.set([...names, key].join('/'), text);
      }
    }
    expect(seen).toEqual(walked);
  });

  it('of a bucket that is not there, or is a key', async () => {
    const contents: Contents = new Map([['b', new Map([['k', Buffer.from('v')]])]]);
    const source = bytesSource((await writeDatabase(contents, { pageSize: 1024 })).bytes);
    expect(await at(source, ['a'])).toBeUndefined();
    expect(await at(source, ['c'])).toBeUndefined();
    expect(await at(source, ['b', 'k'])).toBeUndefined();
    const bucket = (await at(source, ['b']))!;
    expect(bucket.sequence).toBe(0n);
    await bucket.first();
    expect(() => bucket.bucket()).toThrow('the entry is no bucket');
  });

  describe('ends with what is wrong, where', () => {
    const bucket = (key: string, root: number) => ({
      key,
      value: bucketValue(root),
      isBucket: true,
    });
    const root = leafPage(2, [bucket('b', 3)]);
    const cases: [string, Buffer[], number, string][] = [
      ['a reference leads out of the database', [root], 2, 'refers to page 3, which'],
      ['a page carries another number', [root, leafPage(9, [])], 3, 'carries the number 9'],
      ['a page is of another kind', [root, Buffer.alloc(16, 3)], 3, 'carries the number'],
      ['a page continues behind the last', [root, leafPage(3, [], 7)], 3, 'continues beyond'],
      [
        'keys do not rise',
        [root, leafPage(3, [{ key: 'b' }, { key: 'a' }])],
        3,
        'has keys out of order',
      ],
      ['a branch is its own only child', [root, branchPage(3, [['k', 3]])], 3, 'is deeper in the'],
      [
        'a branch is one of its own children',
        [
          root,
          branchPage(3, [
            ['k', 3],
            ['l', 3],
          ]),
        ],
        3,
        'has keys that belong to another page',
      ],
      [
        'two branches share a leaf',
        [
          root,
          branchPage(3, [
            ['k', 4],
            ['l', 4],
          ]),
          leafPage(4, [{ key: 'k' }]),
        ],
        4,
        'has keys that belong to another page',
      ],
      [
        'an inline bucket is none',
        [leafPage(2, [{ key: 'b', value: bucketValue(0, Buffer.alloc(9)), isBucket: true }])],
        2,
        'has what is no inline bucket',
      ],
      [
        'an inline bucket has keys out of order',
        [
          leafPage(2, [
            {
              key: 'b',
              value: bucketValue(0, leafPage(0, [{ key: 'b' }, { key: 'a' }])),
              isBucket: true,
            },
          ]),
        ],
        2,
        'has an inline bucket that has keys out of order at element 1',
      ],
      ['a bucket is in itself', [leafPage(2, [bucket('b', 2)])], 2, 'is deeper in the tree'],
    ];
    it.each(cases)('%s', async (_, pages, page, message) => {
      await expect(readContents(bytesSource(database(pages)))).rejects.toMatchObject({
        code: 'database-damaged',
        message: expect.stringContaining(`page ${page} ${message}`) as string,
        position: { page, offset: page * 1024 },
      });
    });

    it('a file is cut off', async () => {
      const whole = readDatabase('tree');
      const meta = await readMeta(bytesSource(whole));
      const source = bytesSource(whole.subarray(0, 40_000));
      const keys = async (): Promise<void> => {
        const cursor = (await openBucket(source, [keyOf('key')], meta))!;
        for (let there = await cursor.first(); there; there = await cursor.next());
      };
      await expect(keys()).rejects.toMatchObject({ code: 'database-damaged' });
    });

    it('it ends whatever is changed', async () => {
      const whole = readDatabase('nested');
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 40 }),
          async (changes) => {
            const bytes = Buffer.from(whole);
            for (const [offset, value] of changes) bytes[offset] = value;
            await readContents(bytesSource(bytes)).catch((reason: unknown) => {
              expect(reason).toMatchObject({ code: 'database-damaged' });
            });
          },
        ),
        { numRuns: 300 },
      );
    });
  });
});
