// What a drill compares, against a real member: equal where it is, and named where one field of one key is another.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareHash } from '../../src/backup/drill/compare-hash.ts';
import { compareKeys } from '../../src/backup/drill/compare-keys.ts';
import type { Expected } from '../../src/backup/drill/expected.ts';
import { type FileSource, openFileSource } from '../../src/bbolt/file-source.ts';
import { hashKV } from '../../src/etcd/store/hash-kv.ts';
import { type KeyIndex, readKeyIndex } from '../../src/etcd/store/key-index.ts';
import { IndexedKey } from '../../src/etcd/store/key-rows.ts';
import { runCli } from '../cli/run.ts';
import { flagsFor } from '../cli/scene.ts';
import { clientOptions, connect } from '../client/connect.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { describeEachVersion, etcdForSuite } from '../servers/for-vitest.ts';
import { load } from '../servers/load.ts';

const KEYS = 2500;
/** Each longer than a page of an answer may be by itself. */
const LARGE_BYTES = 1_400_000;

describeEachVersion('what a drill compares', (version) => {
  const etcd = etcdForSuite({ version });
  const directory = temporaryDirectory();
  let source: FileSource;
  let expected: Expected;
  beforeAll(async () => {
    const { gateway, member } = etcd();
    const lease = await gateway.grantLease(3600);
    await load(
      gateway,
      Array.from({ length: KEYS }, (_, index) => ({
        key: `/keys/${index}`,
        value: index % 7 === 0 ? '' : `value ${index}`,
        ...(index % 5 === 0 ? { lease } : {}),
      })),
    );
    for (const name of ['large-1', 'large-2', 'large-3']) {
      await gateway.put(`/keys/${name}`, randomBytes(LARGE_BYTES));
    }
    await gateway.put('/keys/1', 'changed');
    await gateway.delete('/keys/2');
    const file = join(directory, 'snapshot.db');
    const saved = await runCli(['snapshot', 'save', file, ...flagsFor(member)]);
    expect(saved.code, saved.stderr).toBe(0);
    source = openFileSource(file);
    const index = await readKeyIndex(source);
    const { hash, hashRevision, compactRevision } = await hashKV(source);
    expected = {
      ...{ index, source, compactRevision, hasLeases: true },
      revision: hashRevision,
      hashKV: hash,
    };
    // The member goes on; what is compared is as it was.
    await gateway.put('/keys/3', 'later');
  });
  afterAll(() => {
    source.close();
    removeTemporaryDirectory(directory);
  });

  const compared = async (wish: Expected) => {
    await using connection = await connect(clientOptions(etcd().endpoint));
    const progress: number[] = [];
    const result = await compareKeys(connection.client, wish, (bytes) => progress.push(bytes));
    return { result, progress };
  };

  it('all keys, a page after the other', async () => {
    const { result, progress } = await compared(expected);
    expect(result.keys).toBe(KEYS + 2);
    expect(result.bytes).toBeGreaterThan(3 * LARGE_BYTES);
    expect(progress.length).toBeGreaterThan(3);
    expect(progress.at(-1)).toBe(result.bytes);
  });

  it.each<[string, (key: IndexedKey) => IndexedKey | undefined, string]>([
    [
      'revision',
      (key) => Object.assign(key, { modRevision: key.modRevision + 1n }),
      'has another revision',
    ],
    [
      'creation',
      (key) => Object.assign(key, { createRevision: 1n }),
      'was created at another revision',
    ],
    ['version', (key) => Object.assign(key, { version: 7 }), 'has another version'],
    ['lease', (key) => Object.assign(key, { lease: 7n }), 'has another lease'],
    ['value', (key) => Object.assign(key, { valueOffset: 0 }), 'has another value'],
    ['length', (key) => Object.assign(key, { valueLength: 1 }), 'has another value'],
    ['absence', () => undefined, 'is not in the snapshot'],
  ])('one key with another %s', async (_, change, what) => {
    const index = indexWith(expected.index, '/keys/1234', change);
    await expect(compared({ ...expected, index })).rejects.toMatchObject({
      result: 'bad',
      message: `1 of ${index.size === KEYS + 2 ? '2,502' : '2,501'} keys are not as in the snapshot when etcd reads them: "/keys/1234" ${what}`,
    });
  });

  it.each(['/a', '/keys/1234x', '/z'])('a key that is missing: %s', async (name) => {
    const index = indexWith(expected.index, name, () => {
      return Object.assign(new IndexedKey(), { key: Buffer.from(name) });
    });
    await expect(compared({ ...expected, index })).rejects.toMatchObject({
      message: expect.stringMatching(`^1 of .*: "${name}" is missing$`) as string,
    });
  });

  it('many keys: all are counted, and some are named', async () => {
    const none = { ...expected, index: emptyIndex };
    await expect(compared(none)).rejects.toMatchObject({
      message: expect.stringMatching(
        /^1 of 0 keys .*: "\/keys\/0" is not in the snapshot$/,
      ) as string,
    });
    const index = indexOf(
      [...copies(expected.index)].map((key) => Object.assign(key, { lease: 9n })),
    );
    await expect(compared({ ...expected, index })).rejects.toMatchObject({
      message: expect.stringMatching(
        /^2,502 of 2,502 keys .*: "\S+" has another lease, "\S+" has another lease, "\S+" has another lease$/,
      ) as string,
    });
  });

  describe('HashKV', () => {
    const hashed = async (wish: Partial<Expected>) => {
      await using connection = await connect(clientOptions(etcd().endpoint));
      await compareHash(connection.client, { ...expected, ...wish });
    };

    it('of a store that leases have changed since', () => hashed({}));

    it.each<[string, (known: Expected) => Partial<Expected>, RegExp]>([
      [
        'that is another',
        () => ({ hashKV: 1 }),
        /^HashKV at revision \d+ is \d+ by etcd, and 1 by/,
      ],
      ['of another compaction', () => ({ compactRevision: 2n }), /^etcd has compacted up to rev/],
      [
        'of a later revision',
        ({ revision }) => ({ revision: revision + 5n }),
        /^etcd starts at rev/,
      ],
      ['of an earlier one', () => ({ hasLeases: false }), /^etcd starts at revision \d+, and the/],
    ])('%s', async (_, change, message) => {
      await expect(hashed(change(expected))).rejects.toMatchObject({
        result: 'bad',
        message: expect.stringMatching(message) as string,
      });
    });

    it('of a revision that leases went on from, where etcd keeps no hash of it', async () => {
      const compactRevision = expected.revision;
      await expect(hashed({ compactRevision })).rejects.toMatchObject({ result: 'unproven' });
    });
  });
});

/** The keys of an index as objects of their own; it gives one and the same. */
function* copies(index: KeyIndex): Generator<IndexedKey> {
  for (const key of index.inKeyOrder()) yield Object.assign(new IndexedKey(), key);
}

/** A mock of an index: of a snapshot with these keys. */
function indexOf(keys: readonly IndexedKey[]): KeyIndex {
  return { size: keys.length, inKeyOrder: () => keys.values() } as unknown as KeyIndex;
}

const emptyIndex = indexOf([]);

/** The same with one key changed, left out or added. */
function indexWith(
  index: KeyIndex,
  name: string,
  change: (key: IndexedKey) => IndexedKey | undefined,
): KeyIndex {
  const keys = new Map([...copies(index)].map((key) => [Buffer.from(key.key).toString(), key]));
  const changed = change(keys.get(name) ?? new IndexedKey());
  if (changed === undefined) keys.delete(name);
  else keys.set(name, changed);
  const sorted = [...keys.values()].sort((left, right) => Buffer.compare(left.key, right.key));
  return indexOf(sorted);
}
