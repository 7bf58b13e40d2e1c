// A snapshot as a file that somebody has: what is wrong with it is the file's fault, and no member's.

import { EtcdkeepError } from '../base/errors.ts';
import { openFileSource } from '../bbolt/file-source.ts';
import type { PageSource } from '../bbolt/page-source.ts';
import { type CheckedStore, checkStore } from '../etcd/store/check-store.ts';
import { type DatabaseStatus, readDatabaseStatus } from '../etcd/store/database-status.ts';
import { type HashKV, hashKV } from '../etcd/store/hash-kv.ts';
import type { StoreFinding } from '../etcd/store/store-finding.ts';

/**
 * The status of a snapshot, or of a copy of a member's database: its trailer is not looked at. The file is
 * opened for reading, without a lock.
 * @throws EtcdkeepError `snapshot-damaged`, `file-failed`
 */
export function statusOfFile(path: string): Promise<DatabaseStatus> {
  return readSnapshotFile(path, readDatabaseStatus);
}

/**
 * Checks a snapshot to its end: its structure, and the history that etcd keeps in it. Findings are no errors.
 * @param found told of each as it is met
 * @param options.structureOnly to look at the pages, and not at what etcd keeps in them
 * @throws EtcdkeepError `file-failed`
 */
export function checkFile(
  path: string,
  found: (finding: StoreFinding) => void,
  options: { readonly structureOnly?: boolean } = {},
): Promise<CheckedStore> {
  return readSnapshotFile(path, (source) => checkStore(source, found, options));
}

/**
 * HashKV of a snapshot.
 * @param revision 0 for the newest
 * @throws EtcdkeepError `revision-compacted`, `revision-future`, `snapshot-damaged`, `file-failed`
 */
export function hashKVOfFile(path: string, revision: bigint): Promise<HashKV> {
  return readSnapshotFile(path, (source) => hashKV(source, revision));
}

async function readSnapshotFile<T>(
  path: string,
  read: (source: PageSource) => Promise<T>,
): Promise<T> {
  const source = openFileSource(path);
  try {
    return await read(source);
  } catch (reason) {
    if (!(reason instanceof EtcdkeepError) || reason.code !== 'database-damaged') throw reason;
    throw new EtcdkeepError('snapshot-damaged', reason.message, { ...reason.position, path });
  } finally {
    source.close();
  }
}
