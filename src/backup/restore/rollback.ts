// Goes back: the steps of a restore undone, the last one first, as long as nobody can have seen the restored data.

import { join } from 'node:path';
import { EtcdkeepError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import type { Host } from '../../controlplane/host.ts';
import { builtState } from './built-data.ts';
import { placesOf, putDataBack, takeDataOut } from './data.ts';
import { removeTree } from './directories.ts';
import { Journal, STEPS, type StepName } from './journal.ts';
import { findRestore, whileNoOtherRuns } from './known-restores.ts';
import { putManifest, returnManifest, takeManifestAway } from './manifest.ts';
import type { RestorePlan } from './plan.ts';
import { putResourcesBack, removeStaged } from './resources.ts';
import { type Run, type RunOptions } from './run.ts';
import { proveStopped } from './stopped.ts';
import { undoVendor } from './vendor.ts';

/**
 * Undoes a restore. etcd is started again if it ran before it.
 * @param stamp of the restore; that of the newest that is not rolled back if undefined
 * @throws EtcdkeepError `restore-served` where etcd has opened the restored data: nothing is changed then;
 * `restore-running`, `restore-not-found`, `restore-journal-invalid`, `etcd-running-again`, `manifest-written-back`, `disk-full`,
 * `target-unwritable`, `file-failed`, the signal's reason: it can be tried again
 */
export async function rollBack(
  host: Host,
  stamp: string | undefined,
  options: Omit<RunOptions, 'build'>,
): Promise<RestorePlan> {
  return await whileNoOtherRuns(host, stamp ?? 'the newest', async () => {
    const { plan } = await findRestore(host, stamp, ({ state }) => state.rollback !== 'done');
    const journal = await Journal.open(host, plan.stamp);
    const build = (): never => {
      throw new EtcdkeepError('internal', 'asked to build while it goes back');
    };
    const run: Run = { ...options, build, host, plan, journal };
    try {
      if (plan.method === 'vendor') {
        await undoVendor(run, options.now);
        return plan;
      }
      await demandUnseen(run);
      await undo(run, options.now);
      return plan;
    } catch (reason) {
      if (reason instanceof EtcdkeepError && reason.code !== 'restore-served') {
        reason.aftermath = `Nothing is lost. Try again: etcdkeep restore --rollback ${plan.stamp}`;
      }
      throw reason;
    } finally {
      await journal.close();
    }
  });
}

/**
 * Undoes every step that was begun.
 * @throws EtcdkeepError as `rollBack` does
 */
export async function undo(run: Run, now: () => Date): Promise<void> {
  const { journal, report } = run;
  await journal.add({ step: 'rollback', state: 'begun' }, now());
  try {
    for (const step of STEPS.toReversed()) {
      if (!journal.state.begun.has(step)) continue;
      await UNDOING[step](run);
      await journal.add({ step, state: 'undone' }, now());
      report({ kind: 'step-undone', step });
    }
  } catch (reason) {
    if (reason instanceof EtcdkeepError && reason.code === 'restore-served') await giveUp(run, now);
    throw reason;
  }
  await journal.add({ step: 'rollback', state: 'done' }, now());
}

/** etcd has opened the restored data while they were about to be taken out: there is no way back any more, only on. */
async function giveUp(run: Run, now: () => Date): Promise<void> {
  const { journal } = run;
  if (journal.state.begun.has('start')) await putManifest(run);
  await journal.add({ step: 'rollback', state: 'undone' }, now());
}

const UNDOING: Readonly<Record<StepName, (run: Run) => Promise<void>>> = {
  serve: () => Promise.resolve(),
  start: async (run) => {
    await takeManifestAway(run);
    await proveStopped(run);
    // It may have started at the last moment.
    await demandUnseen(run);
  },
  resources: async (run) => {
    await proveStopped(run);
    await putResourcesBack(run);
  },
  data: async (run) => {
    await proveStopped(run);
    await demandUnseen(run);
    await takeDataOut(run);
  },
  keep: async (run) => {
    await proveStopped(run);
    await putDataBack(run);
  },
  stop: returnManifest,
  build: async (run) => {
    const { host, plan } = run;
    await removeStaged(run);
    await removeTree(host.realPath(plan.data.build), plan.stamp);
  },
};

/** What etcd has opened may have been served, and what was served cannot be taken back without a bump. */
async function demandUnseen(run: Run): Promise<void> {
  const { plan, journal } = run;
  const { built, done, begun } = journal.state;
  if (built === undefined) return;
  const { member, build } = placesOf(run);
  const state = await builtState(member, built);
  const isElsewhere = begun.has('data') && state === 'missing' && !(await exists(build));
  if (state !== 'opened' && !isElsewhere && !done.has('serve')) return;
  const { kept } = plan.data;
  const first = done.has('start')
    ? ''
    : `bring this one to its end: etcdkeep restore --resume ${plan.stamp}; then `;
  throw new EtcdkeepError(
    'restore-served',
    isElsewhere
      ? 'the data of this restore are not in their place any more: a later one has replaced them'
      : 'the restored etcd has opened its data',
    {
      path: join(plan.data.directory, 'member'),
      facts: kept === undefined ? [] : [['kept', kept]],
      advice:
        kept === undefined
          ? `${first}restore another backup: there were no data before`
          : `${first}restore what was kept, with a bump of its own: etcdkeep restore ${kept}`,
    },
  );
}
