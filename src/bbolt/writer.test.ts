import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkDatabase } from './check.ts';
import { readMeta } from './meta.ts';
import { BranchPage, LeafPage } from './page.ts';
import { viewOf } from './page-image.ts';
import { bytesSource } from './testing.ts';
import {
  anyDatabase,
  type Contents,
  expectLevel,
  MemoryTarget,
  readContents,
  writeDatabase,
} from './testing-database.ts';
import { walkTree } from './walk.ts';
import { DatabaseWriter } from './writer.ts';

async function findingsOf(bytes: Buffer): Promise<string[]> {
  await expectLevel(bytes);
  const lines: string[] = [];
  await checkDatabase(bytesSource(bytes), ({ message }) => lines.push(message));
  return lines;
}

const numbered = (count: number, size: number): Contents =>
  new Map(
    Array.from({ length: count }, (_, index) => [
      `key ${index.toString().padStart(6, '0')}`,
      Buffer.alloc(size, index),
    ]),
  );

describe('DatabaseWriter', () => {
  it('whatever is written is sound, and read back', async () => {
    const options = fc.record({
      pageSize: fc.constantFrom(1024, 1024, 4096, 65_536),
      fillPercent: fc.constantFrom(0.1, 0.5, 0.9, 1),
    });
    await fc.assert(
      fc.asyncProperty(anyDatabase, options, async (contents, writerOptions) => {
        const { bytes, size, pages } = await writeDatabase(contents, writerOptions);
        expect(await findingsOf(bytes)).toEqual([]);
        expect(await readContents(bytesSource(bytes))).toEqual(contents);
        expect(bytes.length).toBe(size);
        // Nothing is written in vain, and nothing twice.
        const source = bytesSource(bytes);
        const visitor = {
          enterBucket: () => true,
          leaf: () => undefined,
          scannedLeaf: () => undefined,
        };
        expect((await walkTree(source, await readMeta(source), visitor)).size).toBe(pages);
      }),
      { numRuns: 40 },
    );
  }, 30_000);

  it.each([
    [0, 1],
    [1, 1],
    [28, 1],
    [29, 2],
    [28 * 22, 23],
    // One leaf more than a branch page has room for: the last page would have a single child.
    [28 * 28 + 1, 31],
    [28 * 29 + 1, 32],
  ])('%i entries, in pages of 1024', async (count) => {
    const bucket = numbered(count, 6);
    const contents: Contents = new Map([['b', bucket]]);
    const { bytes } = await writeDatabase(contents, { pageSize: 1024, fillPercent: 1 });
    expect(await findingsOf(bytes)).toEqual([]);
    expect(await readContents(bytesSource(bytes))).toEqual(contents);
  });

  it('gives every branch page two children or more, whatever their number', async () => {
    for (let leaves = 1; leaves < 120; leaves += 1) {
      // Leaves of one entry with keys of 200 bytes: four of them fill a branch page.
      const bucket: Contents = new Map(
        Array.from({ length: leaves }, (_, index) => [
          `${'k'.repeat(200)}${index.toString().padStart(4, '0')}`,
          Buffer.alloc(700),
        ]),
      );
      const { bytes } = await writeDatabase(new Map([['b', bucket]]), { pageSize: 1024 });
      expect(await findingsOf(bytes)).toEqual([]);
      for (let offset = 2048; offset < bytes.length; offset += 1024) {
        if (bytes.readUInt16LE(offset + 8) !== 1) continue;
        const branch = new BranchPage();
        expect(branch.open(bytes, viewOf(bytes), offset, 1024)).toBeUndefined();
        expect(branch.count).toBeGreaterThanOrEqual(2);
      }
    }
  });

  it('puts a bucket into its element where bbolt would', async () => {
    // 16 bytes of the header, 16 + 10 + size of the element: a quarter of 1024 with 214.
    for (const [size, isInline] of [
      [214, true],
      [215, false],
    ] as const) {
      const contents: Contents = new Map([['b', numbered(1, size)]]);
      const { pages } = await writeDatabase(contents, { pageSize: 1024 });
      expect(pages).toBe(isInline ? 3 : 4);
    }
    const nested: Contents = new Map([['b', new Map([['c', new Map()]])]]);
    expect((await writeDatabase(nested, { pageSize: 1024 })).pages).toBe(4);
  });

  it('leaves room on its pages as it is told', async () => {
    const contents: Contents = new Map([['key', numbered(1000, 100)]]);
    const pagesOf = async (fillPercent: number): Promise<number> =>
      (await writeDatabase(contents, { pageSize: 4096, fillPercent })).pages;
    const [half, most, all] = [await pagesOf(0.5), await pagesOf(0.9), await pagesOf(1)];
    expect(most / all).toBeCloseTo(1 / 0.9, 1);
    expect(half / all).toBeCloseTo(2, 0);
  });

  it('puts values that are larger than a page in pairs where that saves one', async () => {
    const { pages } = await writeDatabase(new Map([['b', numbered(100, 5000)]]), {
      pageSize: 4096,
    });
    // 50 pairs of three pages, one branch page, the root bucket, two metas.
    expect(pages).toBe(50 * 3 + 4);
  });

  it('writes the metas last, and everything else in the order of the file', async () => {
    const { target } = await writeDatabase(new Map([['b', numbered(3000, 20)]]), {
      pageSize: 1024,
    });
    const { offsets } = target;
    expect(offsets.at(-1)).toBe(0);
    expect(offsets.slice(0, -1)).toEqual([...offsets.slice(0, -1)].sort((a, b) => a - b));
    expect(offsets[0]).toBe(2048);
  });

  it('both metas are those of a snapshot', async () => {
    const { bytes, root } = await writeDatabase(new Map(), { pageSize: 4096 });
    expect(bytes.length).toBe(3 * 4096);
    for (const [page, txid] of [
      [0, 2n],
      [1, 1n],
    ] as const) {
      expect(bytes.readBigUInt64LE(page * 4096)).toBe(BigInt(page));
      expect(bytes.readBigUInt64LE(page * 4096 + 32)).toBe(BigInt(root));
      expect(bytes.readBigUInt64LE(page * 4096 + 48)).toBe(2n ** 64n - 1n);
      expect(bytes.readBigUInt64LE(page * 4096 + 64)).toBe(txid);
    }
    const leaf = new LeafPage();
    expect(leaf.open(bytes, viewOf(bytes), root * 4096, 4096)).toBeUndefined();
    expect(leaf.count).toBe(0);
  });

  it('a value that is far larger than a page goes to the target from where it lies', async () => {
    const value = Buffer.alloc(5_000_000, 'value');
    const { bytes } = await writeDatabase(new Map([['b', new Map([['k', value]])]]), {
      pageSize: 4096,
    });
    expect(await findingsOf(bytes)).toEqual([]);
    const bucket = (await readContents(bytesSource(bytes))).get('b') as Contents;
    expect(value.equals(bucket.get('k') as Buffer)).toBe(true);
  });

  it('waits for a target that is slow', async () => {
    const memory = new MemoryTarget();
    let underway = 0;
    const target = {
      async write(bytes: Uint8Array, offset: number) {
        underway += 1;
        expect(underway).toBe(1);
        await new Promise((resolve) => setImmediate(resolve));
        memory.write(bytes, offset);
        underway -= 1;
      },
    };
    const writer = new DatabaseWriter(target, { pageSize: 1024 });
    const bucket = writer.bucket(Buffer.from('b'));
    const entries = numbered(500, 30);
    for (const [key, value] of entries) await bucket.put(Buffer.from(key), value as Buffer);
    await bucket.end();
    await writer.end();
    expect(await readContents(memory.source())).toEqual(new Map([['b', entries]]));
  });

  describe('refuses', () => {
    const bucketOf = () =>
      new DatabaseWriter(new MemoryTarget(), { pageSize: 1024 }).bucket(Buffer.from('b'));
    const key = (text: string): Buffer => Buffer.from(text);
    const large = Buffer.alloc(900);

    it.each([
      ['keys that fall', ['b', 'a'], 'a key does not come after the one before it'],
      ['a key that comes twice', ['b', 'b'], 'a key comes twice'],
      ['a key that is a part of the one before', ['bb', 'b'], 'does not come after'],
      ['an empty key', ['a', ''], 'a key is empty'],
      ['a key of 32 KiB and a byte', ['k'.repeat(32_769)], 'a key is 32769 bytes long'],
    ])('%s', async (_, keys, message) => {
      const put = async (value: Buffer): Promise<void> => {
        const bucket = bucketOf();
        for (const text of keys) await bucket.put(key(text), value);
      };
      // On one page, and where each begins a page of its own.
      await expect(put(Buffer.alloc(0))).rejects.toThrow(message);
      await expect(put(large)).rejects.toThrow(message);
      await expect(put(Buffer.alloc(100_000))).rejects.toThrow(message);
    });

    it('buckets that do not come in order', async () => {
      const writer = new DatabaseWriter(new MemoryTarget(), { pageSize: 1024 });
      await writer.bucket(key('b')).end();
      expect(() => writer.bucket(key('a'))).toThrow('does not come after');
      expect(() => writer.bucket(key('b'))).toThrow('comes twice');
    });

    it('what is done to a bucket while one in it is open, or after its end', async () => {
      const writer = new DatabaseWriter(new MemoryTarget(), { pageSize: 1024 });
      const outer = writer.bucket(key('b'));
      const inner = outer.bucket(key('c'));
      expect(() => outer.put(key('d'), large)).toThrow('not ended');
      await expect(outer.end()).rejects.toThrow('not ended');
      await expect(writer.end()).rejects.toThrow('not ended');
      await inner.end();
      expect(() => inner.put(key('d'), large)).toThrow('is ended');
      await outer.end();
      await writer.end();
    });

    it.each([0, 512, 3000, 2 ** 25, 4096.5])('pages of %d bytes', (pageSize) => {
      expect(() => new DatabaseWriter(new MemoryTarget(), { pageSize })).toThrow(RangeError);
    });

    it.each([0, 1.1, Number.NaN])('pages filled to %d', (fillPercent) => {
      const options = { pageSize: 4096, fillPercent };
      expect(() => new DatabaseWriter(new MemoryTarget(), options)).toThrow(RangeError);
    });
  });
});
