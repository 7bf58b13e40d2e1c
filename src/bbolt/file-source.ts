// A database in a file. Reads are synchronous: a page is read in less time than a callback takes.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
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
  // Without O_NONBLOCK the opening of a pipe waits for a writer, and that of a terminal may take it over.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
  const file = attempt('open the database', path, () => openSync(path, flags));
  const fileSize = attempt('read the database', path, () => sizeOfFile(file));
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

/** Closes what is no file: a device has no size, and a pipe no places. */
function sizeOfFile(file: number): number {
  const found = fstatSync(file);
  if (found.isFile()) return found.size;
  closeSync(file);
  throw new Error(found.isDirectory() ? 'it is a directory' : 'it is not a file');
}

function attempt<T>(operation: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (reason) {
    throw readError(reason, operation, path);
  }
}
