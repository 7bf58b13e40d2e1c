import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATABASES, GOLDEN, readDatabase } from '../../../test/fixtures/databases/databases.ts';
import { bytesSource, type Element } from '../../bbolt/testing.ts';
import { buckets, message, revisionKey } from './bucket-testing.ts';
import { justKey, type KeyIndexOptions, readKeyIndex, readValue, withPrefix } from './key-index.ts';
import type { IndexedKey } from './key-rows.ts';

interface Put {
  readonly key: string;
  readonly created?: bigint;
  readonly version?: bigint;
  readonly value?: string;
  readonly lease?: bigint;
}
const put = (
  main: bigint,
  sub: bigint,
  { key, created = main, version = 1n, ...rest }: Put,
): Element => ({
  key: revisionKey(main, sub),
  value: message(
    ...([
      [1, key],
      [2, created],
      [3, main],
      [4, version],
    ] as [number, bigint | string][]),
    ...(rest.value === undefined ? [] : ([[5, rest.value]] as [number, string][])),
    ...(rest.lease === undefined ? [] : ([[6, rest.lease]] as [number, bigint][])),
  ),
});
const deletion = (main: bigint, sub: bigint, key: string): Element => ({
  key: revisionKey(main, sub, 't'),
  value: message([1, key]),
});

const HISTORY = [
  put(2n, 0n, { key: 'b', value: 'one' }),
  put(3n, 0n, { key: 'c', lease: 0x7fff_ffff_ffff_fffdn }),
  put(3n, 1n, { key: 'a', value: 'two' }),
  deletion(4n, 0n, 'b'),
  put(5n, 0n, { key: 'a', created: 3n, version: 2n, value: 'three' }),
  put(6n, 0n, { key: 'b', value: 'four' }),
  // As a restore leaves it with a revision bump.
  { key: revisionKey(9n), value: '' },
];

async function keysOf(elements: readonly Element[], options?: KeyIndexOptions): Promise<string[]> {
  const source = buckets({ key: elements });
  const lines: string[] = [];
  for (const key of (await readKeyIndex(source, options)).inKeyOrder()) {
    const value = Buffer.from(await readValue(source, key)).toString();
    lines.push(`${lineOf(key)} ${value}`);
  }
  return lines;
}
const nameOf = ({ key }: IndexedKey): string => Buffer.from(key).toString();
const lineOf = (entry: IndexedKey): string => {
  const { createRevision, modRevision, subRevision, version, lease } = entry;
  return `${nameOf(entry)} ${createRevision} ${modRevision}_${subRevision} ${version} ${lease}`;
};

describe('readKeyIndex', () => {
  it.each<[bigint, string[]]>([
    [1n, []],
    [2n, ['b 2 2_0 1 0 one']],
    [3n, ['a 3 3_1 1 0 two', 'b 2 2_0 1 0 one', 'c 3 3_0 1 9223372036854775805 ']],
    [4n, ['a 3 3_1 1 0 two', 'c 3 3_0 1 9223372036854775805 ']],
    [5n, ['a 3 5_0 2 0 three', 'c 3 3_0 1 9223372036854775805 ']],
    [8n, ['a 3 5_0 2 0 three', 'b 6 6_0 1 0 four', 'c 3 3_0 1 9223372036854775805 ']],
    [0n, ['a 3 5_0 2 0 three', 'b 6 6_0 1 0 four', 'c 3 3_0 1 9223372036854775805 ']],
  ])('at revision %d', async (revision, lines) => {
    expect(await keysOf(HISTORY, { revision })).toEqual(lines);
  });

  it('takes the keys of a range, and no others', async () => {
    const names = ['a', 'ab', 'abc', 'b', '\xff'];
    const elements = names.map((key, sub) => put(2n, BigInt(sub), { key }));
    const taken = async (keys: KeyIndexOptions['keys']) =>
      (await keysOf(elements, { keys: keys! })).map((line) => line.split(' ')[0]);
    expect(await taken(withPrefix('ab'))).toEqual(['ab', 'abc']);
    expect(await taken(withPrefix(''))).toEqual(names);
    expect(await taken(justKey('ab'))).toEqual(['ab']);
    expect(await taken({ lower: Buffer.from('ab'), upper: undefined })).toEqual(names.slice(1));
  });

  it('gives one key, a range of them, and the order of their records', async () => {
    const index = await readKeyIndex(buckets({ key: HISTORY }));
    expect([index.size, index.revision, index.currentRevision, index.compactRevision]).toEqual([
      3,
      9n,
      9n,
      -1n,
    ]);
    expect(lineOf(index.get('b')!)).toBe('b 6 6_0 1 0');
    expect([index.get('d'), index.get('')]).toEqual([undefined, undefined]);
    const names = [...index.inKeyOrder({ lower: Buffer.from('b'), upper: undefined })].length;
    expect(names).toBe(2);
    const order: string[] = [];
    for (const key of index.inRecordOrder()) order.push(lineOf(key));
    expect(order.map((line) => line[0])).toEqual(['c', 'a', 'b']);
    const before = await readKeyIndex(buckets({ key: HISTORY }), { revision: 4n });
    expect(before.get('b')).toBeUndefined();
  });

  it('keeps revisions beyond 2^53', async () => {
    const main = 2n ** 62n + 1n;
    expect(await keysOf([put(main, 0n, { key: 'a', created: main })])).toEqual([
      `a ${main} ${main}_0 1 0 `,
    ]);
  });

  it('refuses a revision that is compacted, or not there yet', async () => {
    const source = buckets({
      key: HISTORY,
      meta: [
        { key: 'finishedCompactRev', value: revisionKey(3n) },
        { key: 'scheduledCompactRev', value: revisionKey(5n) },
      ],
    });
    const at = (revision: bigint) => readKeyIndex(source, { revision });
    await expect(at(4n)).rejects.toMatchObject({ code: 'revision-compacted' });
    await expect(at(10n)).rejects.toMatchObject({ code: 'revision-future' });
    expect((await at(5n)).size).toBe(2);
  });

  it('refuses a sub revision that no transaction has', async () => {
    await expect(keysOf([put(2n, 2n ** 32n, { key: 'a' })])).rejects.toMatchObject({
      code: 'database-damaged',
    });
  });

  it('needs no bucket of keys', async () => {
    expect((await readKeyIndex(buckets({}))).size).toBe(0);
  });

  // A restore with a bump leaves a marker, which etcdutl counts.
  it.each(DATABASES)('has as many keys as etcdutl counts in the database %s', async (name) => {
    const { totalKey } = GOLDEN[name]!['3.6.16'];
    const { size } = await readKeyIndex(bytesSource(readDatabase(name)));
    expect(size).toBe(totalKey - (name.startsWith('bump') ? 1 : 0));
  });

  it('is what a map of the keys would be, of a history of any kind', async () => {
    const key = fc.oneof(
      fc.constantFrom('a', 'b', 'c'),
      fc.string({ minLength: 1, maxLength: 5, unit: 'binary-ascii' }),
    );
    const changes = fc.array(fc.tuple(key, fc.boolean()), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(changes, fc.nat({ max: 70 }), async (history, at) => {
        const model = new Map<string, bigint>();
        const elements = history.map(([name, isDeletion], index) => {
          const main = BigInt(index + 2);
          if (index + 2 <= at && isDeletion) model.delete(name);
          else if (index + 2 <= at) model.set(name, main);
          return isDeletion ? deletion(main, 0n, name) : put(main, 0n, { key: name });
        });
        fc.pre(at > 0 && at <= Math.max(1, history.length + 1));
        const index = await readKeyIndex(buckets({ key: elements }), { revision: BigInt(at) });
        const found: [string, bigint][] = [];
        for (const entry of index.inKeyOrder()) found.push([nameOf(entry), entry.modRevision]);
        expect(found).toEqual([...model].sort(([left], [right]) => (left < right ? -1 : 1)));
      }),
    );
  });
});
