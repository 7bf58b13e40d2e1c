// The revision that a member would start at with a database, found without reading the database: a few pages of it are enough.

import { openBucket } from '../../bbolt/cursor.ts';
import { databaseDamaged } from '../../bbolt/damage.ts';
import { readMeta } from '../../bbolt/meta.ts';
import type { PageSource } from '../../bbolt/page-source.ts';
import { KEY_BUCKET } from './records.ts';
import { mainRevision, revisionDefect } from './revision-key.ts';
import { readStoreFacts } from './store-facts.ts';

/**
 * Revision of the last record, or of the last compaction that was begun where that is higher; 1 at least
 * (etcd, server/storage/mvcc/kvstore.go, restore).
 * @throws EtcdkeepError `database-damaged`, `file-failed`
 */
export async function newestRevision(source: PageSource): Promise<bigint> {
  const meta = await readMeta(source);
  const { scheduledCompactRevision = 0n } = await readStoreFacts(source, meta);
  const records = await openBucket(source, [KEY_BUCKET], meta);
  let last = 1n;
  if (records !== undefined && (await records.last())) {
    const { bytes, keyStart, valueStart, page } = records;
    const defect = revisionDefect(bytes, keyStart, valueStart);
    if (defect !== undefined) throw databaseDamaged(`the last revision ${defect}`, { page });
    last = mainRevision(new DataView(bytes.buffer, bytes.byteOffset), keyStart);
  }
  return last > scheduledCompactRevision ? last : scheduledCompactRevision;
}
