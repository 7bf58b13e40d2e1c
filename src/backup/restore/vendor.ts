// `--method vendor`: the host's own cluster-restore.sh does the restoring, on a directory with exactly our pair. What it
// would destroy is set aside first, and etcd is watched afterwards as after a restore of ours.
//
// Facts of the script: cluster-etcd-operator, bindata/etcd/cluster-restore.sh. It takes the last snapshot and the last archive
// of its directory, each for itself; it removes /var/lib/etcd-backup/member, if there is one, and moves today's data there.

import { spawn } from 'node:child_process';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { EtcdkeepError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import type { Host } from '../../controlplane/host.ts';
import { findHostCommand } from '../../controlplane/host-command.ts';
import { CLUSTER_RESTORE, KEPT_BY_CLUSTER_RESTORE } from '../../controlplane/stopped-etcd.ts';
import { copyTree } from './copy-tree.ts';
import { placesOf } from './data.ts';
import { makeDirectories, moveTree, removeTree } from './directories.ts';
import { Journal, RESTORES } from './journal.ts';
import { keptOf } from './kept.ts';
import { demandNoUnfinished, whileNoOtherRuns } from './known-restores.ts';
import { dropCopies, hasManifest, keepManifests, returnManifest } from './manifest.ts';
import type { RestorePlan } from './plan.ts';
import { freeName, type Restored, type Run, type RunOptions } from './run.ts';
import { sampleKeys } from './sample.ts';
import { waitUntilServing } from './serve.ts';
import { proveStopped } from './stopped.ts';

/**
 * Carries out a plan by the host's own script.
 * @throws EtcdkeepError `restore-running`, `restore-unfinished`, `vendor-script-failed`, `etcd-not-serving`, `disk-full`,
 * `target-unwritable`, `file-failed`; the signal's reason
 */
export async function carryOutByVendor(
  host: Host,
  plan: RestorePlan,
  options: Omit<RunOptions, 'build'>,
): Promise<Restored> {
  return await whileNoOtherRuns(host, plan.stamp, async () => {
    await demandNoUnfinished(host);
    const script = await findHostCommand(host, CLUSTER_RESTORE);
    if (script === undefined) {
      const error = new EtcdkeepError(
        'vendor-script-failed',
        'this host has no cluster-restore.sh',
        {
          path: host.realPath(CLUSTER_RESTORE),
          advice: 'restore without it: --method direct',
        },
      );
      error.aftermath = 'Nothing was changed.';
      throw error;
    }
    const journal = await Journal.create(host, plan);
    try {
      const build = (): never => {
        throw new EtcdkeepError('internal', 'asked to build where the script does');
      };
      return await make({ ...options, build, host, plan, journal }, script);
    } finally {
      await journal.close();
    }
  });
}

async function make(
  run: Run,
  script: { readonly file: string; readonly args: readonly string[] },
): Promise<Restored> {
  const { plan, journal, now, report } = run;
  const pair = join(RESTORES, plan.stamp, 'pair');
  const step = async (
    name: 'build' | 'keep' | 'start',
    effect: () => Promise<void>,
  ): Promise<void> => {
    run.signal.throwIfAborted();
    report({ kind: 'step-begun', step: name });
    await journal.add({ step: name, state: 'begun' }, now());
    await effect();
    const built = { files: {}, staging: [], sample: await sampleKeys(plan.backup.snapshot) };
    await journal.add({ step: name, state: 'done', ...(name === 'build' && { built }) }, now());
    report({ kind: 'step-done', step: name });
  };
  try {
    await step('build', () => copyPair(run, pair));
    await step('keep', async () => {
      await keepManifests(run);
      await setAside(run);
    });
  } catch (reason) {
    await removeTree(run.host.realPath(pair), plan.stamp).catch(() => undefined);
    await dropCopies(run).catch(() => undefined);
    await journal.add({ step: 'rollback', state: 'done' }, now()).catch(() => undefined);
    if (reason instanceof EtcdkeepError) reason.aftermath = 'Nothing was changed.';
    throw reason;
  }
  await step('start', () => runScript(run, script, pair));
  await removeTree(run.host.realPath(pair), plan.stamp);
  const served = await waitUntilServing(run);
  await journal.add({ step: 'serve', state: 'done' }, now());
  return { plan, served, kept: await keptOf(run.host, plan) };
}

/**
 * Puts back what a script that has failed left aside, as long as it has not told etcd to start.
 * @throws EtcdkeepError `restore-served` if it has, and what proveStopped throws
 */
export async function undoVendor(run: Run, now: () => Date): Promise<void> {
  const { host, plan, journal } = run;
  if (await hasManifest(run)) {
    throw new EtcdkeepError('restore-served', 'cluster-restore.sh has told etcd to start', {
      path: plan.etcd.manifest,
      facts: [['kept', KEPT_BY_CLUSTER_RESTORE]],
      advice: `restore what was kept, with a bump of its own: etcdkeep restore ${KEPT_BY_CLUSTER_RESTORE}`,
    });
  }
  await journal.add({ step: 'rollback', state: 'begun' }, now());
  await proveStopped(run);
  const { member } = placesOf(run);
  const kept = host.realPath(KEPT_BY_CLUSTER_RESTORE);
  if (!(await exists(member)) && (await exists(kept))) await moveTree(kept, member);
  await removeTree(host.realPath(join(RESTORES, plan.stamp, 'pair')), plan.stamp);
  await returnManifest(run);
  await journal.add({ step: 'rollback', state: 'done' }, now());
}

/** A directory with exactly these two files, with names that belong together. */
async function copyPair({ host, plan }: Run, pair: string): Promise<void> {
  const { snapshot, resources } = plan.backup;
  await makeDirectories(host.realPath(pair), 0o700);
  for (const file of [snapshot, ...(resources === undefined ? [] : [resources])]) {
    await copyTree(file, join(host.realPath(pair), basename(file)));
  }
}

async function setAside({ host, plan }: Run): Promise<void> {
  if (!(await exists(host.realPath(KEPT_BY_CLUSTER_RESTORE)))) return;
  const free = await freeName(host, `${KEPT_BY_CLUSTER_RESTORE}-before-${plan.stamp}`);
  await moveTree(host.realPath(KEPT_BY_CLUSTER_RESTORE), host.realPath(free));
}

/** Its output is shown as it comes. */
async function runScript(
  { report, signal, plan }: Run,
  { file, args }: { readonly file: string; readonly args: readonly string[] },
  pair: string,
): Promise<void> {
  // A variable such as ETCD_ETCDCTL_RESTORE would change what the script does.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD')),
  );
  const child = spawn(file, [...args, pair], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const onAbort = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', onAbort, { once: true });
  const read = async (stream: Readable): Promise<void> => {
    for await (const line of createInterface({ input: stream })) {
      report({ kind: 'script-output', line });
    }
  };
  try {
    const ended = new Promise<string>((resolve) => {
      child.once('error', (reason) => resolve(reason.message));
      child.once('close', (code, killedBy) => resolve(killedBy ?? `${code ?? ''}`));
    });
    await Promise.all([read(child.stdout), read(child.stderr)]);
    const how = await ended;
    if (how === '0') return;
    throw failed(plan, how, signal);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function failed({ stamp }: RestorePlan, how: string, signal: AbortSignal): EtcdkeepError {
  const stopped = signal.aborted ? ', as this run was told to stop' : '';
  const error = new EtcdkeepError(
    'vendor-script-failed',
    `cluster-restore.sh ended with ${how}${stopped}`,
    {
      facts: [
        ['pair', join(RESTORES, stamp, 'pair')],
        ['kept by it', KEPT_BY_CLUSTER_RESTORE],
      ],
      advice: `its output says how far it came: docs/restore.md#when-the-script-fails; then etcdkeep restore --rollback ${stamp} puts data and manifest back, as long as etcd was not started`,
    },
  );
  error.aftermath = 'The script does not undo what it has done.';
  return error;
}
