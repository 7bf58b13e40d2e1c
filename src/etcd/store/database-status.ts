// What a database holds, and the proof that it can be read: every page of its tree is reached,
// sound and in order, and the hash, revision and counts are those that etcdutl gives.

import type { PageSource } from '../../bbolt/page-source.ts';
import { readStore } from './read-store.ts';
import type { StoreFacts } from './store-facts.ts';

/** What etcdutl's `snapshot status` tells of a database, and more. */
export interface DatabaseStatus extends StoreFacts {
  readonly pageSize: number;
  /** Pages up to the high water mark. */
  readonly pages: number;
  /** Pages in use; the others are free, with what they held before. */
  readonly pagesReachable: number;
  /** `pages` times `pageSize`: the size of the file without what a snapshot carries behind it. */
  readonly totalSize: number;
  /** Transaction id of bbolt. */
  readonly txid: bigint;
  /** CRC-32C over the names, keys and values of all buckets, in order. */
  readonly hash: number;
  /** Main revision of the last record, 0 if there is none. */
  readonly revision: bigint;
  /** Revision that a member starts at with this database: compactions count, and 1 is the least. */
  readonly currentRevision: bigint;
  /** Keys and values of all buckets: totalKey of etcdctl 3.4 and etcdutl 3.5. */
  readonly entries: number;
  /** Keys alive at `revision`: totalKey of etcdutl 3.6 and later. See live-keys.ts. */
  readonly liveKeys: number;
}

/**
 * Reads a database once from end to end, and answers as SnapshotScan does for one that comes as a
 * stream.
 * @throws EtcdkeepError `database-damaged`, `file-failed`
 */
export async function readDatabaseStatus(source: PageSource): Promise<DatabaseStatus> {
  const { status } = await readStore(source, { hash: true });
  return status!;
}
