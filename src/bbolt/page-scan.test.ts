import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AlignedMemory } from '../base/aligned-memory.ts';
import { PageScan } from './page-scan.ts';
import { branchPage, database, header, leafPage } from './testing.ts';

/** What the scan offers of some bytes that come in chunks, as `id:first key` and `id:branch`. */
function offered(bytes: Buffer, chunkSizes: readonly number[], pageSize = 1024): Set<string> {
  const found = new Set<string>();
  const memory = new AlignedMemory();
  const chunk = memory.reserve(Math.max(...chunkSizes));
  const scan = new PageScan(memory, pageSize, bytes.length / pageSize, {
    leaf: (id, overflow, leaf) => {
      const data = Buffer.from(
        leaf.bytes.subarray(leaf.keyStart(0), leaf.valueEnd(leaf.count - 1)),
      );
      found.add(`${id}+${overflow}:${data.toString().slice(0, 3)}..${data.toString().slice(-3)}`);
    },
    branch: (id, run) => found.add(`${id}:branch of ${run.length}`),
  });
  let position = 0;
  for (let index = 0; position < bytes.length; index += 1) {
    const part = bytes.subarray(position, position + chunkSizes[index % chunkSizes.length]!);
    memory.bytes.set(part, chunk);
    scan.push(chunk, part.length);
    // The chunk is free again: nothing may look at it later.
    memory.view(chunk, part.length).fill(0xee);
    position += part.length;
  }
  return found;
}

const tree = database([
  branchPage(2, [['a', 3]]),
  leafPage(3, [{ key: 'abc', value: `${'v'.repeat(2500)}xyz` }], 2),
  leafPage(6, [{ key: 'def' }]),
  leafPage(77, [{ key: 'stale: of another page' }]),
  header(8, 6, 1),
  leafPage(9, []),
  leafPage(10, [{ key: 'b' }, { key: 'a' }]),
  leafPage(11, [{ key: 'beyond the end' }], 5),
  leafPage(12, [{ key: 'ghi' }]),
]);
const ALL = new Set(['2:branch of 1024', '3+2:abc..xyz', '6+0:def..def', '12+0:ghi..ghi']);

describe('PageScan', () => {
  it('offers sound leaf and branch pages', () => expect(offered(tree, [tree.length])).toEqual(ALL));

  it.each([1024, 2048, 3072, 4096])('puts runs together that cross chunks of %d bytes', (size) =>
    expect(offered(tree, [size])).toEqual(size === 1024 ? withoutLong(ALL) : ALL),
  );

  it('never offers what is not there, however the bytes are cut', () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }), (sizes) => {
        for (const page of offered(tree, sizes)) expect(ALL).toContain(page);
      }),
    ));

  it('looks at stale pages inside the overflow of others', () => {
    const bytes = database([
      leafPage(2, [{ key: 'out' }], 3),
      leafPage(3, [{ key: 'inn' }]),
      leafPage(4, [{ key: 'ner' }]),
      Buffer.alloc(1024),
    ]);
    expect(offered(bytes, [bytes.length])).toEqual(
      new Set(['2+3:out..out', '3+0:inn..inn', '4+0:ner..ner']),
    );
  });

  it('bounds its work where every page claims all that follow', () => {
    const pages = Array.from({ length: 1000 }, (_, index) =>
      leafPage(2 + index, [{ key: 'k' }], 999 - index),
    );
    const bytes = database(pages);
    // Four times the chunk, at a thousand pages and less for each.
    expect(offered(bytes, [bytes.length]).size).toBeLessThan(100);
  });
});

/** One page a chunk: a run of three pages is put together from two chunks at most. */
function withoutLong(pages: ReadonlySet<string>): Set<string> {
  return new Set([...pages].filter((page) => !page.startsWith('3+2')));
}
