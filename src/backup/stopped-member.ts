// Whether a member runs on a data directory: what it has open, and the lock on its database.

import { join } from 'node:path';
import { EtcdkeepError } from '../base/errors.ts';
import { type FileLock, lockShared } from './file-lock.ts';
import { type OpenFile, openFilesBelow } from './open-files.ts';

/** Where the database is in a data directory. */
export function databaseOf(dataDirectory: string): string {
  return join(dataDirectory, 'member', 'snap', 'db');
}

/**
 * Keeps a member from starting on a data directory on which none runs.
 * @throws EtcdkeepError `data-directory-in-use`, `file-failed`
 */
export async function holdStopped(dataDirectory: string): Promise<FileLock> {
  const database = databaseOf(dataDirectory);
  const holders = await openFilesBelow([database]);
  if (holders.length > 0) throw inUse(dataDirectory, holders);
  const lock = await lockShared(database);
  if (lock !== undefined) return lock;
  throw inUse(dataDirectory, await openFilesBelow([database]));
}

/** The error of a directory on which a member runs. */
export function inUse(dataDirectory: string, holders: readonly OpenFile[]): EtcdkeepError {
  const who =
    holders.length === 0
      ? 'a process that cannot be seen from here has its database locked'
      : `${holders.map(({ pid, program }) => `${program} (process ${pid})`).join(', ')} has its database open`;
  return new EtcdkeepError('data-directory-in-use', `a member runs on this directory: ${who}`, {
    path: dataDirectory,
  });
}
