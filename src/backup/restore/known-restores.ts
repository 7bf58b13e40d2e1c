// The restores that were begun on the host, and the one that runs.

import { EtcdkeepError } from '../../base/errors.ts';
import type { Host } from '../../controlplane/host.ts';
import { noteRestore, runningRestores, sweepNotes } from '../running-backups.ts';
import { isUnfinished, type KnownRestore, knownRestores, RESTORES } from './journal.ts';

/**
 * Does something while no other restore of the host does anything.
 * @param stamp of the restore, for whoever comes second
 * @throws EtcdkeepError `restore-running`, `target-unwritable`, `disk-full`, `file-failed`
 */
export async function whileNoOtherRuns<T>(
  host: Host,
  stamp: string,
  use: () => Promise<T>,
): Promise<T> {
  await sweepNotes(host);
  const note = await noteRestore(host, stamp);
  try {
    const [other] = await runningRestores(host, note.order);
    if (other !== undefined) {
      throw new EtcdkeepError('restore-running', 'another restore of this host runs', {
        facts: [
          ['restore', other.what],
          ['since', other.since.toISOString()],
        ],
      });
    }
    return await use();
  } finally {
    await note.remove();
  }
}

/**
 * Demands that no earlier restore is left half done.
 * @throws EtcdkeepError `restore-unfinished`, `restore-journal-invalid`, `file-failed`
 */
export async function demandNoUnfinished(host: Host): Promise<void> {
  const open = (await knownRestores(host)).find(({ state }) => isUnfinished(state));
  if (open === undefined) return;
  const { stamp } = open.plan;
  throw new EtcdkeepError('restore-unfinished', `the restore ${stamp} has come to no end`, {
    path: `${RESTORES}/${stamp}`,
    advice:
      open.state.rollback === 'begun'
        ? `bring it to its end: etcdkeep restore --rollback ${stamp}`
        : `go on with it: etcdkeep restore --resume ${stamp}; or go back: etcdkeep restore --rollback ${stamp}`,
  });
}

/**
 * The restore of a stamp, or the newest that fits.
 * @throws EtcdkeepError `restore-not-found`, `restore-journal-invalid`, `file-failed`
 */
export async function findRestore(
  host: Host,
  stamp: string | undefined,
  fits: (known: KnownRestore) => boolean,
): Promise<KnownRestore> {
  const known = (await knownRestores(host)).filter(fits);
  const found = known.findLast(({ plan }) => stamp === undefined || plan.stamp === stamp);
  if (found !== undefined) return found;
  const which = stamp === undefined ? 'no restore' : `no restore ${stamp}`;
  throw new EtcdkeepError('restore-not-found', `there is ${which} that this could be done with`, {
    path: host.realPath(RESTORES),
    facts: known.map(({ plan }) => ['there is', plan.stamp]),
  });
}
