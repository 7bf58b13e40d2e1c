// A file that appears under its name only when all of it is written and proven.

import { randomBytes } from 'node:crypto';
import { lstat, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { moveFile } from '../base/durable-files.ts';
import { EtcdkeepError, systemCodeOf, writeError } from '../base/errors.ts';

export interface NewFileOptions {
  /** Replace a file of that name. */
  readonly overwrite: boolean;
  readonly signal: AbortSignal;
}

/**
 * Makes a file.
 * @param write makes it under the name that it is given, and brings it to the disk
 * @throws EtcdkeepError; nothing is left behind, and a file of that name is as it was
 */
export async function makeFile<T>(
  path: string,
  { overwrite, signal }: NewFileOptions,
  write: (partial: string) => Promise<T>,
): Promise<T> {
  // A name of its own: two runs that make one file do not disturb each other.
  const partial = `${path}.${randomBytes(4).toString('hex')}.part`;
  try {
    await checkTarget(path, overwrite);
    const result = await write(partial);
    signal.throwIfAborted();
    await moveFile(partial, path, { replace: overwrite });
    return result;
  } catch (reason) {
    // If this cannot be done, what failed before is still the one to tell.
    await rm(partial, { force: true }).catch(() => undefined);
    if (reason instanceof EtcdkeepError) reason.aftermath = await aftermathOf(partial);
    throw reason;
  }
}

/** What is seen once this run has cleaned up after itself. */
async function aftermathOf(partial: string): Promise<string> {
  const isThere = await lstat(partial).then(
    () => true,
    () => false,
  );
  return isThere ? `${partial} could not be removed.` : 'Nothing was written.';
}

async function checkTarget(path: string, overwrite: boolean): Promise<void> {
  let isDirectory: boolean;
  try {
    isDirectory = (await lstat(path)).isDirectory();
  } catch (reason) {
    if (systemCodeOf(reason) === 'ENOENT') {
      await checkParent(path);
      return;
    }
    throw writeError(reason, 'save a snapshot there', path);
  }
  if (isDirectory) {
    throw new EtcdkeepError('target-unwritable', 'the file to save to is a directory', {
      path,
      advice: 'name a file in it, such as snapshot.db',
    });
  }
  if (!overwrite) throw new EtcdkeepError('target-exists', 'the file exists already', { path });
}

async function checkParent(path: string): Promise<void> {
  const parent = dirname(path);
  try {
    await lstat(parent);
  } catch (reason) {
    throw writeError(reason, 'save a snapshot there', parent);
  }
}
