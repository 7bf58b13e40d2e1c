// Whether there is anything at a path.

import { lstat, stat } from 'node:fs/promises';
import { readError, systemCodeOf } from './errors.ts';

/** Whether there is anything of that name, a link that leads nowhere included. @throws EtcdkeepError `file-failed` */
export function exists(path: string): Promise<boolean> {
  return isFound(path, lstat);
}

/** The same of what a link leads to. @throws EtcdkeepError `file-failed` */
export function leadsSomewhere(path: string): Promise<boolean> {
  return isFound(path, stat);
}

async function isFound(path: string, look: (path: string) => Promise<unknown>): Promise<boolean> {
  try {
    await look(path);
    return true;
  } catch (reason) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(reason) ?? '')) return false;
    throw readError(reason, 'look at it', path);
  }
}
