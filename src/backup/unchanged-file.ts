// A file that must stay as it is while it is read: what was found out of one half may be wrong of the other else.

import { type Stats, statSync } from 'node:fs';
import { EtcdkeepError, readError } from '../base/errors.ts';

/** @throws EtcdkeepError `file-failed`, also if it is no file */
export function lookAtFile(path: string): Stats {
  try {
    const stats = statSync(path);
    if (stats.isFile()) return stats;
  } catch (reason) {
    throw readError(reason, 'read the snapshot', path);
  }
  throw new EtcdkeepError('file-failed', 'cannot read the snapshot: it is no file', { path });
}

/** @throws EtcdkeepError `file-failed` */
export function demandUnchanged(path: string, before: Stats): void {
  const after = lookAtFile(path);
  if (after.size === before.size && after.mtimeMs === before.mtimeMs && after.ino === before.ino) {
    return;
  }
  throw new EtcdkeepError('file-failed', 'the file was changed while it was read', {
    path,
    advice: 'wait until nothing writes to it any more; a copy of a running member is never whole',
  });
}
