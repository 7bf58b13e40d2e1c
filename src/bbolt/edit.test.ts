import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATABASES, readDatabase } from '../../test/fixtures/databases/databases.ts';
import { checkDatabase } from './check.ts';
import { openBucket } from './cursor.ts';
import { DatabaseEdit } from './edit.ts';
import { readMeta } from './meta.ts';
import type { PageSource } from './page-source.ts';
import { branchPage, bucketValue, bytesSource, database, header, leafPage } from './testing.ts';
import {
  type AnyChange,
  anyChanges,
  anyDatabase,
  type Contents,
  change,
  edit,
  expectLevel,
  keyOf,
  MemoryTarget,
  readContents,
  writeDatabase,
} from './testing-database.ts';

async function findingsOf(bytes: Buffer): Promise<string[]> {
  await expectLevel(bytes);
  const lines: string[] = [];
  await checkDatabase(bytesSource(bytes), ({ message }) => lines.push(message));
  return lines;
}

const key = (index: number): string => `key ${index.toString().padStart(6, '0')}`;
const numbered = (count: number, size: number): Contents =>
  new Map(Array.from({ length: count }, (_, index) => [key(index), Buffer.alloc(size, index)]));

const put = (name: string, at: string, value = Buffer.from('new')): AnyChange => ({
  path: [name],
  kind: 'put',
  key: at,
  value,
});
const removed = (name: string, at: string): AnyChange => ({
  path: [name],
  kind: 'delete',
  key: at,
  value: Buffer.alloc(0),
});

/** Expects an edited database to be sound and hold the contents, and the old one to be there still. */
async function expectEdited(before: Uint8Array, after: Buffer, contents: Contents): Promise<void> {
  const { pageSize, pages, txid } = await readMeta(bytesSource(before));
  const from = 2 * pageSize;
  const to = pages * pageSize;
  expect(after.subarray(from, to).equals(before.subarray(from, to))).toBe(true);
  expect(await findingsOf(after)).toEqual([]);
  expect(await readContents(bytesSource(after))).toEqual(contents);
  const meta = await readMeta(bytesSource(after));
  expect(meta).toMatchObject({ page: 0, txid: txid + 2n, freelist: undefined });
  // The old metas lead to what was there before.
  const old = Buffer.from(after);
  old.set(before.subarray(0, from));
  expect(await readContents(bytesSource(old))).toEqual(await readContents(bytesSource(before)));
}

describe('DatabaseEdit', () => {
  it('whatever is changed, holds what a model holds, and the old root what it held', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyDatabase,
        fc.array(anyChanges, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(1024, 1024, 4096),
        async (contents, edits, pageSize) => {
          let { bytes } = await writeDatabase(contents, { pageSize });
          for (const numbers of edits) {
            const edited = await edit(bytes, change(contents, numbers));
            await expectEdited(bytes, edited.bytes, contents);
            bytes = edited.bytes;
          }
        },
      ),
      { numRuns: 60 },
    );
  }, 30_000);

  // What bbolt and etcd wrote: other shapes than those of our own writer.
  it.each(DATABASES)('changes the database %s', async (name) => {
    const before = readDatabase(name);
    const contents = await readContents(bytesSource(before));
    const numbers = fc.sample(anyChanges, { seed: 7, numRuns: 6 });
    let bytes = before;
    for (const some of numbers) {
      const edited = await edit(bytes, change(contents, some));
      await expectEdited(bytes, edited.bytes, contents);
      bytes = Buffer.from(edited.bytes);
    }
  });

  it('writes few pages of a large database, and reads as few', async () => {
    const contents: Contents = new Map([
      ['key', numbered(40_000, 50)],
      ['meta', new Map([['consistent_index', Buffer.alloc(8)]])],
    ]);
    const { bytes, pages } = await writeDatabase(contents, { pageSize: 1024 });
    const source = bytesSource(bytes);
    const target = new MemoryTarget(bytes);
    const database = await DatabaseEdit.open(source);
    database.bucket(keyOf('key')).put(keyOf('last'), keyOf('record'));
    database.bucket(keyOf('meta')).put(keyOf('consistent_index'), Buffer.alloc(8, 1));
    const written = await database.commit(target);
    // A leaf and three branch pages of "key", and the root bucket.
    expect(written.pages - pages).toBe(5);
    expect(source.bytesRead).toBeLessThan(20 * 1024);
    expect(target.offsets.every((offset) => offset === 0 || offset >= pages * 1024)).toBe(true);
    expect(target.offsets.at(-1)).toBe(0);
    expect(await findingsOf(target.written)).toEqual([]);
  });

  it('keeps every branch page at two children whatever is left of it', async () => {
    const bucket = numbered(1200, 30);
    const { bytes } = await writeDatabase(new Map([['b', bucket]]), { pageSize: 1024 });
    // 16 entries on a leaf, 34 leaves on a branch page: from some leaf on, all but one of a page are gone.
    for (let from = 0; from < 1200; from += 16) {
      for (const count of [33 * 16, 33 * 16 + 3, 1184]) {
        const isGone = (index: number): boolean => (index + 1200 - from) % 1200 < count;
        const keys = [...bucket.keys()];
        const edited = await edit(
          bytes,
          keys.filter((_, index) => isGone(index)).map((name) => removed('b', name)),
        );
        expect(await findingsOf(edited.bytes)).toEqual([]);
        const found = (await readContents(bytesSource(edited.bytes))).get('b') as Contents;
        expect([...found.keys()]).toEqual(keys.filter((_, index) => !isGone(index)));
      }
    }
  }, 30_000);

  it('a bucket grows out of its element, and goes back into it', async () => {
    const small: Contents = new Map([['b', numbered(3, 20)]]);
    const { bytes } = await writeDatabase(small, { pageSize: 1024 });
    const isInline = async (of: Uint8Array): Promise<boolean> => {
      const root = (await openBucket(bytesSource(of), []))!;
      await root.first();
      return root.value.length > 16;
    };
    expect(await isInline(bytes)).toBe(true);
    const grown = await edit(bytes, [put('b', 'x', Buffer.alloc(300))]);
    expect(await isInline(grown.bytes)).toBe(false);
    const many = await edit(
      grown.bytes,
      Array.from({ length: 500 }, (_, index) => put('b', key(index), Buffer.alloc(40))),
    );
    const keys = [...numbered(500, 0).keys()];
    const back = await edit(many.bytes, [
      removed('b', 'x'),
      ...keys.slice(2).map((name) => removed('b', name)),
    ]);
    expect(await isInline(back.bytes)).toBe(true);
    const empty = await edit(back.bytes, [removed('b', key(0)), removed('b', key(1))]);
    expect(await isInline(empty.bytes)).toBe(true);
    await expectEdited(back.bytes, empty.bytes, new Map([['b', new Map()]]));
  });

  it('replaces what a bucket has, and removes buckets to the last one', async () => {
    const contents: Contents = new Map([
      ['members', numbered(300, 60)],
      ['removed', numbered(2, 2)],
    ]);
    const { bytes } = await writeDatabase(contents, { pageSize: 1024 });
    const target = new MemoryTarget(bytes);
    const database = await DatabaseEdit.open(bytesSource(bytes));
    database
      .bucket(keyOf('members'))
      .put(keyOf('lost'), keyOf('1'))
      .clear()
      .put(keyOf('a'), keyOf('2'));
    database.bucket(keyOf('removed')).clear();
    await database.commit(target);
    const changed: Contents = new Map([
      ['members', new Map([['a', Buffer.from('2')]])],
      ['removed', new Map()],
    ]);
    await expectEdited(bytes, target.written, changed);
    const last = new MemoryTarget(target.written);
    const again = await DatabaseEdit.open(target.source());
    await again.deleteBucket(keyOf('members')).deleteBucket(keyOf('removed')).commit(last);
    await expectEdited(target.written, last.written, new Map());
  });

  it('what changes nothing writes the metas alone', async () => {
    const contents: Contents = new Map([['b', numbered(900, 30)]]);
    const { bytes, pages, root } = await writeDatabase(contents, { pageSize: 1024 });
    const edited = await edit(bytes, [
      removed('b', 'not there'),
      put('b', key(7), Buffer.alloc(30, 7)),
      { path: [], kind: 'delete-bucket', key: 'neither', value: Buffer.alloc(0) },
    ]);
    expect(edited).toMatchObject({ pages, root });
    expect(edited.target.offsets).toEqual([0]);
  });

  it('drops a freelist, and keeps the sequence of a bucket', async () => {
    const value = bucketValue(5);
    value.writeBigUInt64LE(77n, 8);
    const bytes = database(
      [
        leafPage(2, [{ key: 'b', value, isBucket: true }]),
        Buffer.concat([header(3, 0x10, 1), Buffer.from('0400000000000000', 'hex')]),
        leafPage(4, []),
        leafPage(5, [{ key: 'k', value: 'v' }]),
      ],
      { freelist: 3n },
    );
    const edited = await edit(bytes, [put('b', 'l')]);
    expect(await findingsOf(edited.bytes)).toEqual([]);
    const bucket = (await openBucket(bytesSource(edited.bytes), [keyOf('b')]))!;
    expect(bucket.sequence).toBe(77n);
  });

  it('of more than 4 GiB', async () => {
    const pages = 3_000_000;
    const head = database(
      [
        leafPage(2, [{ key: 'b', value: bucketValue(3), isBucket: true }]),
        leafPage(3, [{ key: 'k' }]),
      ],
      {
        pageSize: 4096,
        pages: BigInt(pages),
      },
    );
    const parts = new Map<number, Buffer>([[0, head]]);
    // Nothing but zeroes between what was written where.
    const source: PageSource = {
      size: pages * 4096,
      read(into, offset) {
        into.fill(0);
        for (const [start, part] of parts) {
          if (offset >= start && offset < start + part.length)
            into.set(part.subarray(offset - start, offset - start + into.length));
        }
        return undefined;
      },
    };
    const large = await DatabaseEdit.open(source);
    large.bucket(keyOf('b')).put(keyOf('far'), Buffer.alloc(9000, 'x'));
    const { size } = await large.commit({
      write(bytes, offset) {
        parts.set(offset, Buffer.from(bytes));
        return undefined;
      },
    });
    expect(size).toBe((pages + 4) * 4096);
    const cursor = (await openBucket({ ...source, size }, [keyOf('b')]))!;
    expect(await cursor.seek(keyOf('far'))).toBe(true);
    expect(cursor.page).toBe(pages);
    expect(Buffer.from(cursor.value).equals(Buffer.alloc(9000, 'x'))).toBe(true);
  });

  it('a branch page with a single child, as others may have left it, is no hindrance', async () => {
    const bucket = (root: number) => ({ key: 'b', value: bucketValue(root), isBucket: true });
    const bytes = database([
      leafPage(2, [bucket(3)]),
      branchPage(3, [
        ['a', 4],
        ['m', 5],
      ]),
      branchPage(4, [['a', 6]]),
      branchPage(5, [['m', 7]]),
      leafPage(6, [{ key: 'a' }, { key: 'b' }]),
      leafPage(7, [{ key: 'm' }, { key: 'n' }]),
    ]);
    const edited = await edit(bytes, [put('b', 'c'), removed('b', 'm')]);
    expect(await findingsOf(edited.bytes)).toEqual([]);
    const found = (await readContents(bytesSource(edited.bytes))).get('b') as Contents;
    expect([...found.keys()]).toEqual(['a', 'b', 'c', 'n']);
  });

  describe('ends before it changes a meta', () => {
    const contents: Contents = new Map([
      [
        'b',
        new Map<string, Buffer | Contents>([
          ['inner', new Map()],
          ['k', Buffer.from('v')],
        ]),
      ],
    ]);
    const nothing = Buffer.alloc(0);

    it.each<[string, AnyChange, string]>([
      ['a value for a bucket', put('b', 'inner'), 'has a bucket "inner" where a key should be'],
      ['a bucket is deleted as a key', removed('b', 'inner'), 'has a bucket "inner" where a key'],
      [
        'a bucket for a value',
        { path: ['b'], kind: 'bucket', key: 'k', value: nothing },
        'has a key "k" where a bucket should be',
      ],
      [
        'a value is deleted as a bucket',
        { path: ['b'], kind: 'delete-bucket', key: 'k', value: nothing },
        'has a key "k" where a bucket should be',
      ],
    ])('%s', async (_, wrong, message) => {
      const { bytes } = await writeDatabase(contents, { pageSize: 1024 });
      await expect(edit(bytes, [wrong])).rejects.toMatchObject({
        code: 'database-damaged',
        message: expect.stringContaining(message) as string,
      });
    });

    it('leaves that are not on one level', async () => {
      const bytes = database([
        leafPage(2, [{ key: 'b', value: bucketValue(3), isBucket: true }]),
        branchPage(3, [
          ['a', 4],
          ['m', 5],
        ]),
        leafPage(4, [{ key: 'a' }]),
        branchPage(5, [['m', 6]]),
        leafPage(6, [{ key: 'm' }]),
      ]);
      await expect(edit(bytes, [put('b', 'n')])).rejects.toMatchObject({
        message: 'page 5 is not on the level of its bucket that it should be on',
        position: { page: 5 },
      });
    });

    it('a page that is not sound', async () => {
      const { bytes } = await writeDatabase(new Map([['b', numbered(900, 30)]]), {
        pageSize: 1024,
      });
      const { root } = await readMeta(bytesSource(bytes));
      const before = Buffer.from(bytes);
      before.writeUInt8(9, root * 1024);
      await expect(edit(before, [put('b', 'n')])).rejects.toMatchObject({
        message: `page ${root} carries the number ${(root & ~0xff) + 9}`,
      });
    });

    it('an edit that names one key as two things, or a key that none may have', async () => {
      const { bytes } = await writeDatabase(contents, { pageSize: 1024 });
      const bucket = (await DatabaseEdit.open(bytesSource(bytes))).bucket(keyOf('b'));
      bucket.put(keyOf('x'), nothing);
      expect(() => bucket.bucket(keyOf('x'))).toThrow('"x" is changed as a key and as a bucket');
      expect(() => bucket.put(nothing, nothing)).toThrow('a key is empty');
      expect(() => bucket.delete(Buffer.alloc(32_769))).toThrow('a key is 32769 bytes long');
    });
  });
});
