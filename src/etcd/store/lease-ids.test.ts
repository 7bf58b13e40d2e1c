import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LeaseIds } from './lease-ids.ts';

describe('LeaseIds', () => {
  it('are a set, in whatever order they come', () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(fc.bigInt({ min: 0n, max: 20n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
          {
            maxLength: 700,
          },
        ),
        (ids) => {
          const set = new LeaseIds();
          for (const id of ids) set.add(id);
          const expected = [...new Set(ids)].sort((left, right) => (left < right ? -1 : 1));
          expect([...set.values()]).toEqual(expected);
          expect(set.size).toBe(expected.length);
          for (let id = 0n; id < 20n; id += 1n) expect(set.has(id)).toBe(ids.includes(id));
          expect(set.isFull).toBe(false);
        },
      ),
    ));

  it('that are the same take no room', () => {
    const set = new LeaseIds(100);
    for (let round = 0; round < 1000; round += 1) set.add(BigInt(round % 50));
    expect([set.size, set.isFull]).toEqual([50, false]);
  });

  it('that are too many say so, and those that were taken stay', () => {
    const set = new LeaseIds(100);
    for (let id = 0n; id < 200n; id += 1n) set.add(id);
    expect([set.size, set.isFull, set.has(99n), set.has(150n)]).toEqual([100, true, true, false]);
  });
});
