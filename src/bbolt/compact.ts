// Copies a database with nothing but what is reachable in it: etcd's defrag (backend.go, defragdb), which
// leaves out the sequence numbers, and bbolt's Compact, which keeps them as this does.

import { type Cursor, openBucket } from './cursor.ts';
import { databaseDamaged } from './damage.ts';
import { readMeta } from './meta.ts';
import type { WrittenDatabase } from './meta-pages.ts';
import type { PageSource } from './page-source.ts';
import type { PageTarget } from './page-target.ts';
import { KEY_SIZE_MAX } from './write-limits.ts';
import { type BucketWriter, DatabaseWriter } from './writer.ts';

export interface CompactOptions {
  /** That of the source if left out. */
  readonly pageSize?: number;
  /** Share of a page that is filled; 0.9 if left out, as etcd has it. */
  readonly fillPercent?: number;
}

/**
 * Writes a compacted copy, with all buckets in their order.
 * @param source must have been walked or checked: pages that two buckets share are copied twice
 * @throws EtcdkeepError `database-damaged`, `file-failed`, and the target's own
 */
export async function compactDatabase(
  source: PageSource,
  target: PageTarget,
  options: CompactOptions = {},
): Promise<WrittenDatabase> {
  const meta = await readMeta(source);
  const writer = new DatabaseWriter(target, { pageSize: meta.pageSize, ...options });
  const buckets = (await openBucket(source, [], meta))!;
  for (let there = await buckets.first(); there; there = await buckets.next()) {
    if (!buckets.isBucket) {
      const { page } = buckets;
      throw databaseDamaged(`page ${page} has a key in the root bucket that is no bucket`, {
        page,
      });
    }
    const bucket = buckets.bucket();
    await copyBucket(bucket, writer.bucket(buckets.key, { sequence: bucket.sequence }));
  }
  return await writer.end();
}

async function copyBucket(from: Cursor, to: BucketWriter): Promise<void> {
  let there: boolean | Promise<boolean> = from.first();
  while (typeof there === 'boolean' ? there : await there) {
    const { bytes, keyStart, valueStart, valueEnd, page } = from;
    if (valueStart - keyStart > KEY_SIZE_MAX) {
      throw databaseDamaged(`page ${page} has a key that is longer than any`, { page });
    }
    if (from.isBucket) {
      const bucket = from.bucket();
      await copyBucket(bucket, to.bucket(from.key, { sequence: bucket.sequence }));
    } else {
      const written = to.putFrom(bytes, keyStart, valueStart, valueEnd);
      if (written !== undefined) await written;
    }
    there = from.next();
  }
  await to.end();
}
