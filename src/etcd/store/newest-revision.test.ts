import { describe, expect, it } from 'vitest';
import { DATABASES, GOLDEN, readDatabase } from '../../../test/fixtures/databases/databases.ts';
import { bytesSource } from '../../bbolt/testing.ts';
import { buckets, revisionKey } from './bucket-testing.ts';
import { readDatabaseStatus } from './database-status.ts';
import { newestRevision } from './newest-revision.ts';

const OF_ETCD = DATABASES.filter((name) => name !== 'nested');

describe('the newest revision', () => {
  it.each(OF_ETCD)('of %s is the one that a member would start at', async (name) => {
    const bytes = readDatabase(name);
    const { currentRevision } = await readDatabaseStatus(bytesSource(bytes));
    const found = await newestRevision(bytesSource(bytes));
    expect(found).toBe(currentRevision);
    expect(found).toBeGreaterThanOrEqual(BigInt(GOLDEN[name]!['3.6.16'].revision));
  });

  it('is found in a few pages of many', async () => {
    const source = bytesSource(readDatabase('uncompacted'));
    await newestRevision(source);
    expect(source.bytesRead).toBeLessThan(source.size / 4);
  });

  it('is 1 where nothing was written yet', async () => {
    expect(await newestRevision(buckets({ key: [] }))).toBe(1n);
  });

  it('is that of a compaction whose records are all gone', async () => {
    const meta = [{ key: Buffer.from('scheduledCompactRev'), value: revisionKey(70n, 0n) }];
    expect(await newestRevision(buckets({ key: [], meta }))).toBe(70n);
  });

  it('is none where the last record has no revision', async () => {
    const key = [{ key: Buffer.from('no revision'), value: Buffer.alloc(0) }];
    await expect(newestRevision(buckets({ key }))).rejects.toMatchObject({
      code: 'database-damaged',
    });
  });
});
