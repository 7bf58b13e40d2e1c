import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDatabase } from '../../../test/fixtures/databases/databases.ts';
import { AlignedMemory } from '../../base/aligned-memory.ts';
import { EtcdkeepError } from '../../base/errors.ts';
import { bucketValue, bytesSource, database, type Element, leafPage } from '../../bbolt/testing.ts';
import { type DatabaseStatus, readDatabaseStatus } from './database-status.ts';
import { SnapshotScan } from './snapshot-scan.ts';

// An AlignedMemory is slow to make, and none of it is ever given back: one serves many scans.
let memory = new AlignedMemory();
let chunk = memory.reserve(1024 * 1024);
let scans = 0;

/** The status of a database that streams in at once; or, without `streams`, by the walk alone. */
async function readStatus(bytes: Uint8Array, streams: boolean): Promise<DatabaseStatus> {
  scans += 1;
  if (scans % 200 === 0) {
    memory = new AlignedMemory();
    chunk = memory.reserve(1024 * 1024);
  }
  const scan = new SnapshotScan(bytes.length, memory);
  if (streams) {
    memory.bytes.set(bytes, chunk);
    scan.push(chunk, bytes.length);
  }
  return await scan.finish(bytesSource(bytes));
}

/** The status, or the message of the damage; anything else that is thrown fails the test. */
async function outcome(bytes: Uint8Array, streams = true): Promise<unknown> {
  try {
    return await readStatus(bytes, streams);
  } catch (reason) {
    if (!(reason instanceof EtcdkeepError) || reason.code !== 'database-damaged') throw reason;
    return reason.message;
  }
}

const withBigint = (_: string, value: unknown): unknown =>
  typeof value === 'bigint' ? value.toString() : value;

describe('a damaged database', () => {
  it('has a status, or is said to be damaged, whichever byte is wrong', async () => {
    const bytes = readDatabase('inline');
    const sound = JSON.stringify(await outcome(bytes), withBigint);
    const counts = { same: 0, other: 0, damaged: 0 };
    for (let offset = 0; offset < bytes.length; offset += 1) {
      const before = bytes[offset]!;
      bytes[offset] = before ^ (1 << (offset % 8));
      const found = await outcome(bytes);
      if (typeof found === 'string') counts.damaged += 1;
      else if (JSON.stringify(found, withBigint) === sound) counts.same += 1;
      else counts.other += 1;
      bytes[offset] = before;
    }
    // Most bytes are free; of those in use, most are keys and values.
    expect(counts.same).toBeGreaterThan(counts.other);
    expect(counts.other).toBeGreaterThan(100);
    expect(counts.damaged).toBeGreaterThan(100);
  }, 60_000);

  it.each(['tree', 'interrupted', 'bump-booted', 'pages-of-1024', 'nested'])(
    'is seen alike by the scan and the walk: %s',
    async (name) => {
      const bytes = readDatabase(name);
      const offsets = fc.nat(bytes.length - 1);
      // Headers and elements are at the front of a page, where damage does most.
      const fronts = fc
        .tuple(fc.nat(Math.floor(bytes.length / 1024) - 1), fc.nat(200))
        .map(([a, b]) => a * 1024 + b);
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(offsets, fronts),
          fc.integer({ min: 1, max: 255 }),
          async (at, flip) => {
            bytes[at]! ^= flip;
            try {
              expect(await outcome(bytes)).toEqual(await outcome(bytes, false));
            } finally {
              bytes[at]! ^= flip;
            }
          },
        ),
        { numRuns: 60 },
      );
    },
    60_000,
  );

  it('is said to be damaged wherever it is cut off', async () => {
    const bytes = readDatabase('tree');
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 33), async (length) => {
        expect(await outcome(bytes.subarray(0, length))).toEqual(expect.any(String));
      }),
    );
  });

  it('is no database at all', () =>
    fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), async (bytes) => {
        expect(await outcome(bytes)).toContain('it is no bbolt database');
      }),
    ));

  it('has random bytes in its pages', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1008, maxLength: 1008 }),
        fc.constantFrom(1, 2),
        fc.nat(65_535),
        async (noise, flags, count) => {
          const page = Buffer.concat([Buffer.alloc(16), noise]);
          page.writeUInt16LE(3);
          page.writeUInt16LE(flags, 8);
          page.writeUInt16LE(count, 10);
          const root = leafPage(2, [{ key: 'key', value: bucketValue(3), isBucket: true }]);
          await outcome(database([root, page]));
        },
      ),
    ));
});

/** A revision key, as hex. */
const revision = (main: string, sub = '0'.repeat(16), mark = ''): Buffer =>
  Buffer.from(`${main.padStart(16, '0')}5f${sub}${mark}`, 'hex');
const keyValue = Buffer.from('0a0161100218022001', 'hex');

/** A database with these records in bucket `key`, and these keys in bucket `meta`. */
function store(records: readonly Element[], meta: readonly Element[] = []): Buffer {
  return database([
    leafPage(2, [
      { key: 'key', value: bucketValue(3), isBucket: true },
      { key: 'meta', value: bucketValue(0, leafPage(0, meta)), isBucket: true },
    ]),
    leafPage(3, records),
  ]);
}

describe('a store that etcd would stop at', () => {
  it.each([
    ['a short revision', { key: 'short', value: keyValue }, 'is 5 bytes long'],
    ['a long revision', { key: 'nineteen bytes long', value: keyValue }, 'is 19 bytes long'],
    ['no separator', { key: Buffer.alloc(17, 1), value: keyValue }, 'has no separator'],
    ['a negative revision', { key: revision('f'.repeat(16)), value: keyValue }, 'is negative'],
    [
      'a negative sub revision',
      { key: revision('2', '8000000000000000'), value: keyValue },
      'is negative',
    ],
    ['no message', { key: revision('2'), value: 'text' }, 'of revision 2 is no key-value'],
    [
      'a bucket',
      { key: revision('2'), value: bucketValue(0, leafPage(0, [])), isBucket: true },
      'of revision 2 is no key-value',
    ],
  ])('%s', async (_, record: Element, message) => {
    const bytes = store([record]);
    expect(await outcome(bytes)).toContain(message);
    await expect(readDatabaseStatus(bytesSource(bytes))).rejects.toMatchObject({
      position: { page: 3 },
    });
  });

  it.each([
    ['consistent_index', '1234567', 'meta/consistent_index is 7 bytes long, not 8'],
    ['term', '', 'meta/term is 0 bytes long, not 8'],
    ['finishedCompactRev', '12345678', 'the revision meta/finishedCompactRev is 8 bytes long'],
    ['scheduledCompactRev', revision('f'.repeat(16)), 'meta/scheduledCompactRev is negative'],
  ])('a wrong %s', async (key, value, message) => {
    expect(await outcome(store([], [{ key, value }]))).toContain(message);
  });
});

describe('an unusual store', () => {
  it('has a version that is no version', async () => {
    const bytes = store([], [{ key: 'storageVersion', value: '3.x' }]);
    expect(await outcome(bytes)).toMatchObject({ storageVersion: undefined });
  });

  it('has revisions beyond 2^53', async () => {
    const records = [
      { key: revision('2'), value: keyValue },
      { key: revision('20000000000001'), value: keyValue },
      { key: revision('7fffffffffffffff', '7fffffffffffffff', '74'), value: keyValue },
    ];
    expect(await outcome(store(records))).toMatchObject({
      revision: 2n ** 63n - 1n,
      currentRevision: 2n ** 63n - 1n,
      entries: 3,
      liveKeys: 1,
    });
  });

  it('has a compaction beyond its last record', async () => {
    const compacted = revision('64');
    const meta = ['finishedCompactRev', 'scheduledCompactRev'].map((key) => ({
      key,
      value: compacted,
    }));
    const records = [{ key: revision('2'), value: keyValue }];
    expect(await outcome(store(records, meta))).toMatchObject({
      revision: 2n,
      currentRevision: 100n,
      liveKeys: 1,
    });
  });
});
