// A database in a file. Reads are synchronous: a page is read in less time than a callback takes.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { EtcdkeepError, readError } from '../base/errors.ts';
import type { PageSource } from './page-source.ts';

export interface FileSource extends PageSource {
  close(): void;
}

/**
 * Opens a database file for reading.
 * @param size of the database, where less of the file is meant than all of it: what a snapshot
 * carries behind its database is no part of it
 * @throws EtcdkeepError `file-failed`
 */
export function openFileSource(path: string, size?: number): FileSource {
  const file = attempt('open the database', path, () => openSync(path, 'r'));
  const fileSize = attempt('read the size of the database', path, () => fstatSync(file).size);
  return {
    size: Math.min(size ?? fileSize, fileSize),
    read(into, offset) {
      let filled = 0;
      while (filled < into.length) {
        const at = offset + filled;
        const length = into.length - filled;
        const count = attempt('read the database', path, () =>
          readSync(file, into, filled, length, at),
        );
        if (count === 0) {
          throw new EtcdkeepError('file-failed', 'the file became shorter while it was read', {
            path,
            offset: at,
          });
        }
        filled += count;
      }
      return undefined;
    },
    close: () => closeSync(file),
  };
}

function attempt<T>(operation: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (reason) {
    throw readError(reason, operation, path);
  }
}
