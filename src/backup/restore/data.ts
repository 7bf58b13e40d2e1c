// The data of etcd: today's are kept, and the new ones take their place. On one file system, by names alone.

import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../../base/durable-files.ts';
import { EtcdkeepError, writeError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import { builtState } from './built-data.ts';
import { makeDirectories, moveTree } from './directories.ts';
import { freeName, type Run } from './run.ts';

/**
 * Keeps today's data. Where they are kept already, what is in their place was made meanwhile, and is kept as well.
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function keepData(run: Run): Promise<void> {
  const { member, kept } = placesOf(run);
  if (!(await exists(member))) return;
  if (kept === undefined || (await exists(kept))) await keepMeanwhile(run);
  else await moveTree(member, kept);
}

/**
 * Moves the new data in.
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function placeData(run: Run): Promise<void> {
  const { host, plan, journal } = run;
  const { member, build } = placesOf(run);
  const isIn = (await builtState(member, journal.state.built!)) !== 'missing';
  if (!isIn) {
    if (!(await exists(build))) throw lost(run, build);
    if (await exists(member)) await keepMeanwhile(run);
    await moveTree(build, member);
  }
  const left = host.realPath(plan.data.build);
  if (!(await exists(left))) return;
  try {
    await rmdir(left);
  } catch (reason) {
    throw writeError(reason, 'remove what the new data were built in', left);
  }
  await syncDirectory(host.realPath(plan.data.directory));
}

/**
 * Moves the new data out again.
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function takeDataOut(run: Run): Promise<void> {
  const { host, plan, journal } = run;
  const { member, build } = placesOf(run);
  if ((await builtState(member, journal.state.built!)) === 'missing') return;
  await makeDirectories(host.realPath(plan.data.build), 0o700);
  await moveTree(member, build);
}

/**
 * Gives the data of before their name back. What was made in their place meanwhile is kept.
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function putDataBack(run: Run): Promise<void> {
  const { member, kept } = placesOf(run);
  if (kept === undefined) return;
  if (await exists(kept)) {
    if (await exists(member)) await keepMeanwhile(run);
    await moveTree(kept, member);
  } else if (!(await exists(member))) throw lost(run, kept);
}

/** Where the new data are, as it is seen from here: in their place, or not yet. */
export function placesOf({ host, plan }: Pick<Run, 'host' | 'plan'>) {
  const { directory, build, kept } = plan.data;
  return {
    member: host.realPath(join(directory, 'member')),
    build: host.realPath(join(build, 'member')),
    kept: kept === undefined ? undefined : host.realPath(kept),
  };
}

/** Data that nobody had planned: an etcd that something has started between two steps made them. */
async function keepMeanwhile({ host, plan, report }: Run): Promise<void> {
  const path = join(plan.data.directory, 'member');
  const name = join(plan.data.directory, `member-meanwhile-${plan.stamp}`);
  const free = await freeName(host, name);
  await moveTree(host.realPath(path), host.realPath(free));
  report({ kind: 'appeared-meanwhile', path, keptAs: free });
}

/** Somebody has moved or removed what is to be moved. */
function lost({ plan }: Run, path: string): EtcdkeepError {
  return new EtcdkeepError(
    'restore-journal-invalid',
    'the data that are to be put in place are gone',
    {
      path,
      advice: `give them this name again, wherever they are; then etcdkeep restore --resume ${plan.stamp}, or --rollback ${plan.stamp}`,
    },
  );
}
