// A moment whose stamp no backup in the target has yet, finished or under way. Stamps have no more than
// seconds: where this one's is taken, the next one is waited for.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { namesIn } from '../base/directory-names.ts';
import { stagingOwner } from '../base/durable-files.ts';
import { EtcdkeepError } from '../base/errors.ts';
import { stampOf, stampOfFile } from '../record/stamp.ts';
import { directoriesOf, type Target } from './target.ts';

/** A clock that was set back can meet a series of stamps; nobody takes a backup every second for long. */
const MAX_WAITS = 10;

/**
 * Waits for a second of which there is no backup.
 * @throws EtcdkeepError `target-exists` after ten seconds, `file-failed`; the signal's reason
 */
export async function findFreeMoment(
  { now, signal }: { readonly now: () => Date; readonly signal: AbortSignal },
  target: Target,
): Promise<Date> {
  for (let waits = 0; waits < MAX_WAITS; waits += 1) {
    const moment = now();
    if (!(await takenStamps(target)).has(stampOf(moment))) return moment;
    await sleep(1000 - moment.getMilliseconds(), undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }
  throw new EtcdkeepError('target-exists', `each of the last ${MAX_WAITS} seconds has a backup`, {
    path: target.directory,
    advice: 'was the clock set back? Run it again, or name another directory',
  });
}

async function takenStamps(target: Target): Promise<ReadonlySet<string>> {
  const stamps = new Set<string>();
  for (const directory of directoriesOf(target)) {
    for (const name of await namesIn(directory)) {
      // Another run's staging directory goes when that run ends.
      const staged = stagingOwner(name) === undefined ? [] : await namesIn(join(directory, name));
      for (const file of [name, ...staged]) {
        const stamp = stampOfFile(file);
        if (stamp !== undefined) stamps.add(stamp);
      }
    }
  }
  return stamps;
}
