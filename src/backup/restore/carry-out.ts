// Carries out the plan of a restore, step by step. Each step is written down before its effect and after, and each can tell
// from what it finds whether it was made already: a run that was killed anywhere is gone on with.

import { EtcdkeepError } from '../../base/errors.ts';
import type { Host } from '../../controlplane/host.ts';
import { buildAll } from './build.ts';
import { keepData, placeData } from './data.ts';
import { isUnfinished, Journal, STEPS, type StepName } from './journal.ts';
import { keptOf } from './kept.ts';
import { demandNoUnfinished, findRestore, whileNoOtherRuns } from './known-restores.ts';
import { keepManifests, keepSource, putManifest } from './manifest.ts';
import type { RestorePlan } from './plan.ts';
import { placeResources, removeStaged } from './resources.ts';
import { undo } from './rollback.ts';
import type { Restored, Run, RunOptions } from './run.ts';
import { waitUntilServing } from './serve.ts';
import { proveStopped } from './stopped.ts';

/**
 * Carries out a plan.
 * @returns when etcd serves what was restored
 * @throws EtcdkeepError `restore-running`, `restore-unfinished`, `etcd-still-running` and what the building fails with: then
 * nothing is changed; `etcd-running-again`, `manifest-written-back`, `disk-full`, `target-unwritable`, `file-failed`: it can be
 * gone on with, and gone back from; `etcd-not-serving`; the signal's reason
 */
export async function carryOut(
  host: Host,
  plan: RestorePlan,
  options: RunOptions,
): Promise<Restored> {
  return await whileNoOtherRuns(host, plan.stamp, async () => {
    await demandNoUnfinished(host);
    return await withJournal(await Journal.create(host, plan), host, options, makeAll);
  });
}

/**
 * Goes on with a restore that has come to no end, or watches on where etcd does not serve yet.
 * @param stamp of the restore; that of the newest if undefined
 * @throws EtcdkeepError `restore-running`, `restore-not-found`, `restore-unfinished` (it is being rolled back),
 * `restore-journal-invalid`, and what `carryOut` throws
 */
export async function resume(
  host: Host,
  stamp: string | undefined,
  options: RunOptions,
): Promise<Restored> {
  return await whileNoOtherRuns(host, stamp ?? 'the newest', async () => {
    const known = await findRestore(
      host,
      stamp,
      ({ state }) => state.rollback !== 'done' && !state.done.has('serve'),
    );
    if (known.state.rollback === 'begun') {
      const message = `the restore ${known.plan.stamp} is on its way back`;
      throw new EtcdkeepError('restore-unfinished', message, {
        advice: `etcdkeep restore --rollback ${known.plan.stamp} brings it to its end`,
      });
    }
    // A script cannot be gone on with: it would destroy what it has kept.
    if (known.plan.method === 'vendor' && isUnfinished(known.state)) {
      const message = 'the run of cluster-restore.sh was cut off, and it cannot be gone on with';
      throw new EtcdkeepError('restore-unfinished', message, {
        advice: `etcdkeep restore --rollback ${known.plan.stamp} puts back what it has set aside; then begin again`,
      });
    }
    return await withJournal(await Journal.open(host, known.plan.stamp), host, options, makeAll);
  });
}

async function withJournal<T>(
  journal: Journal,
  host: Host,
  options: RunOptions,
  use: (run: Run) => Promise<T>,
): Promise<T> {
  const run: Run = { ...options, host, plan: journal.plan, journal };
  try {
    return await use(run);
  } finally {
    await journal.close();
  }
}

async function makeAll(run: Run): Promise<Restored> {
  const { plan, journal } = run;
  try {
    for (const step of STEPS) {
      // Of the host's own script only the watching can be left.
      if (step === 'serve' || plan.method === 'vendor' || journal.state.done.has(step)) continue;
      run.signal.throwIfAborted();
      await make(run, step);
    }
    run.report({ kind: 'step-begun', step: 'serve' });
    const served = await waitUntilServing(run);
    await journal.add({ step: 'serve', state: 'done' }, run.now());
    run.report({ kind: 'step-done', step: 'serve' });
    return { plan, served, kept: await keptOf(run.host, plan) };
  } catch (reason) {
    throw await afterFailure(run, reason);
  }
}

async function make(run: Run, step: Exclude<StepName, 'serve'>): Promise<void> {
  const { journal, report, now } = run;
  report({ kind: 'step-begun', step });
  await journal.add({ step, state: 'begun' }, now());
  if (step === 'build') {
    await journal.add({ step, state: 'done', built: await buildAll(run) }, now());
  } else {
    await MOVES[step](run);
    await journal.add({ step, state: 'done' }, now());
  }
  report({ kind: 'step-done', step });
}

const MOVES: Readonly<Record<Exclude<StepName, 'build' | 'serve'>, (run: Run) => Promise<void>>> = {
  stop: async (run) => {
    await keepManifests(run);
    await proveStopped(run);
  },
  keep: async (run) => {
    await proveStopped(run);
    await keepData(run);
  },
  data: async (run) => {
    await proveStopped(run);
    await placeData(run);
  },
  resources: async (run) => {
    await proveStopped(run);
    await placeResources(run);
    await removeStaged(run);
  },
  start: async (run) => {
    await keepSource(run);
    await proveStopped(run);
    await putManifest(run);
  },
};

/**
 * Before anything was moved it is undone at once: the host is as it was. From then on it is left as it is, and the way
 * on and the way back are told.
 */
async function afterFailure(run: Run, reason: unknown): Promise<unknown> {
  const { plan, journal, now } = run;
  const { begun, done } = journal.state;
  const { stamp } = plan;
  if (!(reason instanceof EtcdkeepError)) return reason;
  if (done.has('start')) {
    reason.aftermath = `The restored data are in place, and etcd was told to start: etcdkeep restore --resume ${stamp} watches on.`;
    return reason;
  }
  if (begun.has('keep')) {
    const where = begun.has('start') ? 'The restored data are in place' : 'etcd is stopped';
    reason.aftermath = `${where}, and nothing is lost. Go on: etcdkeep restore --resume ${stamp}; or go back: etcdkeep restore --rollback ${stamp}`;
    return reason;
  }
  try {
    // The signal has ended the run, not this.
    await undo({ ...run, signal: new AbortController().signal }, now);
    reason.aftermath = begun.has('stop')
      ? 'Nothing was changed: the manifest of etcd is back, and its data were not touched.'
      : 'Nothing was changed.';
  } catch (second) {
    const why = second instanceof Error ? second.message : String(second);
    reason.aftermath = `It could not be undone: ${why}. Try again: etcdkeep restore --rollback ${stamp}`;
  }
  return reason;
}
