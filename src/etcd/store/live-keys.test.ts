import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { liveKeyCounter, type StoredRecord } from './live-keys.ts';

/** A small etcd: what its store writes, and what a compaction leaves of it. */
class ModelStore {
  records: StoredRecord[] = [];
  finished: bigint | undefined;
  scheduled: bigint | undefined;
  #main = 1n;
  readonly #versions = new Map<string, number>();
  /** Whether a tombstone of exactly the compacted revision stays: since 3.4.34 and 3.5.16. */
  readonly #keepsTombstone: boolean;

  constructor(keepsTombstone: boolean) {
    this.#keepsTombstone = keepsTombstone;
  }

  get revision(): bigint {
    return this.#main;
  }

  /** One transaction: each key at most once, as etcd demands. */
  write(changes: ReadonlyMap<string, 'put' | 'delete'>): void {
    const main = this.#main + 1n;
    for (const [key, change] of changes) {
      const version = this.#versions.get(key) ?? 0;
      if (change === 'delete' && version === 0) continue;
      this.#main = main;
      const isTombstone = change === 'delete';
      this.#versions.set(key, isTombstone ? 0 : version + 1);
      this.#append(main, isTombstone, key, isTombstone ? 0 : version + 1);
    }
  }

  /** A restore with a bump: an empty record at the new revision, which all before is compacted to. */
  bump(by: bigint): void {
    this.#main += by;
    this.#append(this.#main, false, '', 0);
    this.compact(this.#main);
  }

  compact(revision: bigint): void {
    this.scheduled = revision;
    const doomed = this.#doomed(revision);
    this.records = this.records.filter((record) => !doomed.has(record));
    this.finished = revision;
  }

  /** A compaction that was interrupted when it had removed as many records. */
  compactPartly(revision: bigint, removed: number): void {
    this.scheduled = revision;
    const doomed = new Set([...this.#doomed(revision)].slice(0, removed));
    this.records = this.records.filter((record) => !doomed.has(record));
  }

  #append(main: bigint, isTombstone: boolean, key: string, version: number): void {
    this.records.push({ main, isTombstone, key: Buffer.from(key), version });
  }

  /** Records that a compaction removes, in order (etcd, key_index.go, compact). */
  #doomed(revision: bigint): Set<StoredRecord> {
    const upTo = this.records.filter(({ main }) => main <= revision);
    const last = new Map(upTo.map((record) => [String(record.key), record]));
    const stays = (record: StoredRecord): boolean =>
      last.get(String(record.key)) === record &&
      (!record.isTombstone || (this.#keepsTombstone && record.main === revision));
    return new Set(upTo.filter((record) => !stays(record)));
  }

  /** As etcdutl counts: a set of keys. */
  get liveKeys(): number {
    const keys = new Set<string>();
    for (const { key, isTombstone } of this.records) {
      if (isTombstone) keys.delete(String(key));
      else keys.add(String(key));
    }
    return keys.size;
  }

  /** As we count, with leaves of so many records summarised where the counter takes it. */
  count(leafSize: number): number {
    const counter = liveKeyCounter(this.finished, this.scheduled);
    for (let start = 0; start < this.records.length; start += leafSize) {
      const leaf = this.records.slice(start, start + leafSize);
      const firstMain = Number(leaf[0]!.main);
      const lastMain = Number(leaf.at(-1)!.main);
      const hasMarker = leaf.some(({ key }) => key.length === 0);
      if (hasMarker || !counter.takesSummary(firstMain, lastMain)) {
        for (const record of leaf) counter.add(record);
        continue;
      }
      const tombstones = leaf.filter(({ isTombstone }) => isTombstone).length;
      const creations = leaf.filter(({ version }) => version === 1).length;
      const entries = leaf.length;
      counter.addSummary({
        ...{ firstMain, lastMain, entries, tombstones, creations },
        ...{ crc: 0, dataLength: 0 },
      });
    }
    return counter.count;
  }
}

type Step = (store: ModelStore) => void;
const keys = fc.constantFrom('a', 'b', 'c', 'd', 'é', '\u{10ffff}');
const write: fc.Arbitrary<Step> = fc
  .array(fc.tuple(keys, fc.constantFrom('put' as const, 'put' as const, 'delete' as const)))
  .map((changes) => (store) => store.write(new Map(changes)));
/** Anywhere between the last compaction and now. */
const between = (store: ModelStore, part: number): bigint => {
  const from = store.finished ?? 1n;
  return from + ((store.revision - from) * BigInt(part)) / 100n;
};
const part = fc.integer({ min: 0, max: 100 });
const compact: fc.Arbitrary<Step> = part.map((at) => (store) => store.compact(between(store, at)));
const bump: fc.Arbitrary<Step> = fc
  .bigInt({ min: 1n, max: 1000n })
  .map((by) => (store) => store.bump(by));
const history = fc.array(
  fc.oneof({ weight: 10, arbitrary: write }, { weight: 2, arbitrary: compact }, bump),
  { maxLength: 60 },
);
const leafSizes = fc.integer({ min: 1, max: 9 });

describe('liveKeyCounter', () => {
  it('counts as etcdutl does, whatever was written, compacted and bumped', () =>
    fc.assert(
      fc.property(history, leafSizes, fc.boolean(), (steps, leafSize, keepsTombstone) => {
        const store = new ModelStore(keepsTombstone);
        for (const step of steps) {
          step(store);
          expect(store.count(leafSize)).toBe(store.liveKeys);
        }
      }),
    ));

  it('counts as etcdutl does while a compaction is under way', () =>
    fc.assert(
      fc.property(history, part, fc.nat(30), leafSizes, (steps, at, removed, leafSize) => {
        const store = new ModelStore(true);
        for (const step of steps) step(store);
        store.write(new Map([['last', 'put']]));
        store.compactPartly(between(store, at), removed);
        expect(store.count(leafSize)).toBe(store.liveKeys);
      }),
    ));

  it('takes only leaves that lie on one side of the compacted revision', () => {
    const counter = liveKeyCounter(10n, 10n);
    expect(counter.takesSummary(2, 10)).toBe(true);
    expect(counter.takesSummary(11, 20)).toBe(true);
    expect(counter.takesSummary(10, 11)).toBe(false);
  });

  it('takes no leaf while a compaction is under way, be it the first', () => {
    expect(liveKeyCounter(10n, 11n).takesSummary(2, 3)).toBe(false);
    expect(liveKeyCounter(undefined, 1n).takesSummary(2, 3)).toBe(false);
  });

  it('is exact where the compacted revision is not as a number', () => {
    const compacted = 2n ** 53n + 1n;
    const counter = liveKeyCounter(compacted, compacted);
    const record = { isTombstone: false, key: Buffer.from('k'), version: 2 };
    counter.add({ ...record, main: compacted });
    counter.add({ ...record, main: compacted + 1n });
    expect(counter.count).toBe(1);
  });
});
