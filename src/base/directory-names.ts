// The names in a directory that may not be there.

import { readdir } from 'node:fs/promises';
import { readError, systemCodeOf } from './errors.ts';

/**
 * Lists a directory.
 * @returns nothing if there is none
 * @throws EtcdkeepError `file-failed`
 */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (reason) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(reason) ?? '')) return [];
    throw readError(reason, 'list the directory', directory);
  }
}
