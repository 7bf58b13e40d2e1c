// Files of a few kilobytes that were made to take hours or gigabytes.
import { expect, it } from 'vitest';
import { checkDatabase } from './check.ts';
import { pageSizeOfHead } from './meta.ts';
import {
  branchPage,
  bucketValue,
  bytesSource,
  database,
  header,
  leafPage,
  metaPage,
} from './testing.ts';

/** The findings, each by its rule; the check is stopped at a hundred thousand of them. */
async function rulesOf(bytes: Uint8Array) {
  const source = bytesSource(bytes);
  const rules: string[] = [];
  const { meta } = await checkDatabase(source, ({ rule }) => {
    rules.push(rule);
    if (rules.length > 100_000) throw new Error('it finds without end');
  });
  return { rules, read: source.bytesRead, pages: meta?.pages };
}

const root = leafPage(2, [{ key: 'a', value: bucketValue(0, leafPage(0, [])), isBucket: true }]);

it('a meta claims 2^32 pages, with a freelist: nothing is taken or told of for each', async () => {
  const list = header(3, 0x10, 0);
  const bytes = database([root, list], { pages: 2n ** 32n, freelist: 3n });
  const before = process.memoryUsage().arrayBuffers;
  const { rules, pages } = await rulesOf(bytes);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  expect(rules).toEqual(['truncated']);
  expect(pages).toBe(2 ** 32);
});

it('a page claims to go on to the end of 2^32 pages', async () => {
  const bytes = database([leafPage(2, [], 2 ** 32 - 4)], { pages: 2n ** 32n });
  expect((await rulesOf(bytes)).rules).toEqual(['truncated', 'truncated']);
});

it('each of many pages claims all that follow it: none is read or told of much more than twice', async () => {
  const count = 200;
  const names = Array.from({ length: count }, (_, index) => String(index).padStart(3, '0'));
  // In descending order: no page was reached before, and all that it claims were.
  const children = names.map((name, index) => [name, 13 + count - index] as const);
  const branch = Buffer.concat([branchPage(2, children)], 12 * 1024);
  branch.writeUInt32LE(11, 12);
  const leaves = names.map((_, index) => leafPage(14 + index, [], count - 1 - index));
  const { rules, read } = await rulesOf(database([branch, ...leaves]));
  const pages = 2 + 12 + count;
  expect(read).toBeLessThan(4 * pages * 1024);
  expect(rules.filter((rule) => rule === 'repeated').length).toBeLessThan(3 * pages);
});

/** A page of elements that all have the same key and value: a bucket that is such a page, and so on. */
function sharedBuckets(id: number, levels: number, fan: number): Buffer {
  const inner = levels === 0 ? leafPage(0, []) : sharedBuckets(0, levels - 1, fan);
  const value = bucketValue(0, inner);
  const heads = Array.from({ length: fan }, (_, index) => {
    const head = Buffer.alloc(16);
    head.writeUInt32LE(1);
    head.writeUInt32LE((fan - index) * 16, 4);
    head.writeUInt32LE(1, 8);
    head.writeUInt32LE(value.length, 12);
    return head;
  });
  return Buffer.concat([header(id, 2, fan), ...heads, Buffer.from('k'), value]);
}

it('inline buckets share their bytes on each of many levels', async () => {
  const bytes = database([sharedBuckets(2, 30, 5)], { pageSize: 4096 });
  const { rules } = await rulesOf(bytes);
  expect(rules.length).toBeLessThan(4096 / 16);
  expect(new Set(rules)).toEqual(new Set(['key-order']));
});

it.each([0, 1, 512, 3000, 2 ** 25])(
  'a meta with a good checksum says pages of %i bytes',
  (pageSize) => {
    const fields = { pageSize, root: 2n, freelist: 2n ** 64n - 1n, pages: 3n, txid: 1n };
    // Whoever scans a stream would look for pages of it, a page at each byte.
    expect(pageSizeOfHead(metaPage(0, fields))).toBeUndefined();
  },
);
