import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATABASES, GOLDEN, readDatabase } from '../../../test/fixtures/databases/databases.ts';
import { AlignedMemory } from '../../base/aligned-memory.ts';
import { openFileSource } from '../../bbolt/file-source.ts';
import { readMeta } from '../../bbolt/meta.ts';
import { bytesSource, database, leafPage } from '../../bbolt/testing.ts';
import { readDatabaseStatus } from './database-status.ts';
import { SnapshotScan } from './snapshot-scan.ts';

/** The status of a database that streams in, in chunks of these sizes in turn. */
async function streamedStatus(bytes: Uint8Array, sizes: readonly number[]) {
  const source = bytesSource(bytes);
  const { pages, pageSize } = await readMeta(source);
  const total = pages * pageSize;
  const memory = new AlignedMemory();
  const chunk = memory.reserve(Math.max(...sizes));
  const scan = new SnapshotScan(total, memory);
  let position = 0;
  for (let index = 0; position < total; index += 1) {
    const length = Math.min(sizes[index % sizes.length]!, total - position);
    memory.bytes.set(bytes.subarray(position, position + length), chunk);
    scan.push(chunk, length);
    position += length;
  }
  source.bytesRead = 0;
  return { status: await scan.finish(source), bytesRead: source.bytesRead };
}

/** The status by the walk alone: nothing was scanned. */
const walkedStatus = (bytes: Uint8Array) =>
  new SnapshotScan(bytes.length, new AlignedMemory()).finish(bytesSource(bytes));

describe.each(DATABASES)('the database %s', (name) => {
  const bytes = readDatabase(name);
  const golden = GOLDEN[name]!;

  it('has the status that every etcdutl gives', async () => {
    const status = await readDatabaseStatus(bytesSource(bytes));
    const { hash, totalSize } = status;
    const common = { hash, revision: Number(status.revision), totalSize };
    const version = status.storageVersion ?? '';
    expect({ ...common, totalKey: status.entries }).toEqual(golden['3.5.35']);
    expect({ ...common, totalKey: status.liveKeys, version }).toEqual(golden['3.6.16']);
    expect({ ...common, totalKey: status.liveKeys, version }).toEqual(golden['3.7.3']);
  });

  it('has the same status walked, and streamed however it is cut', async () => {
    const status = await readDatabaseStatus(bytesSource(bytes));
    expect(await walkedStatus(bytes)).toEqual(status);
    const sizes = fc.integer({ min: 1, max: 300_000 });
    await fc.assert(
      fc.asyncProperty(fc.array(sizes, { minLength: 1, maxLength: 20 }), async (chunkSizes) => {
        // A chunk at a time of less than a page would take too long for the larger ones.
        const cut = chunkSizes.map((size) => Math.max(size, bytes.length / 2000) | 0);
        expect((await streamedStatus(bytes, cut)).status).toEqual(status);
      }),
      { numRuns: 20 },
    );
  });
});

describe('readDatabaseStatus', () => {
  it('knows what etcd notes about the database', async () => {
    expect(await readDatabaseStatus(bytesSource(readDatabase('bump-pending')))).toMatchObject({
      pageSize: 4096,
      revision: 1962n,
      currentRevision: 1962n,
      scheduledCompactRevision: 1962n,
      finishedCompactRevision: 450n,
      // As a restore leaves them: one entry of the first term for its one member.
      consistentIndex: 1n,
      term: 1n,
      storageVersion: '3.6.0',
      clusterVersion: '3.6.0',
    });
    expect(await readDatabaseStatus(bytesSource(readDatabase('fresh')))).toMatchObject({
      revision: 0n,
      currentRevision: 1n,
      scheduledCompactRevision: undefined,
      finishedCompactRevision: undefined,
    });
    expect(await readDatabaseStatus(bytesSource(readDatabase('inline')))).toMatchObject({
      storageVersion: undefined,
      clusterVersion: '3.5.0',
    });
  });

  it('takes a database without the buckets of etcd for an empty store', async () => {
    const status = await readDatabaseStatus(bytesSource(database([leafPage(2, [])])));
    expect(status).toMatchObject({ hash: 0, revision: 0n, currentRevision: 1n, entries: 0 });
  });

  it('reads a file without its digest, and does not change it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'database-status-'));
    try {
      const path = join(directory, 'snapshot.db');
      const bytes = readDatabase('tree');
      writeFileSync(path, bytes, { mode: 0o400 });
      const source = openFileSource(path);
      const status = await readDatabaseStatus(source);
      source.close();
      expect(status.totalSize).toBe(bytes.length - 32);
      expect(status).toEqual(await walkedStatus(bytes));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('SnapshotScan', () => {
  it('leaves little to read at the end', async () => {
    const bytes = readDatabase('tree');
    const { bytesRead } = await streamedStatus(bytes, [65_536]);
    // The metas, the root page twice, the pages of buckets that hold no revisions, and the leaf
    // that the compacted revision lies in.
    expect(bytesRead).toBeLessThan(40_000);
    expect(bytes.length).toBeGreaterThan(700_000);
  });

  it('reads all of the key bucket again while a compaction is under way', async () => {
    const bytes = readDatabase('interrupted');
    const { bytesRead } = await streamedStatus(bytes, [65_536]);
    expect(bytesRead).toBeGreaterThan(500_000);
  });

  it('does without what it scanned if the first meta page was damaged', async () => {
    const bytes = readDatabase('tree');
    const status = await walkedStatus(bytes);
    bytes[16]! ^= 1;
    // The second meta page names the transaction before.
    const expected = { ...status, txid: status.txid - 1n };
    expect((await streamedStatus(bytes, [65_536])).status).toEqual(expected);
  });
});
