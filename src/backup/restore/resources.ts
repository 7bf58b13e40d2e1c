// The static resources: extracted beside where they belong while etcd still runs, and then moved in one by one. What was
// there is kept.

import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import { extractMembers } from '../../controlplane/archive-extraction.ts';
import { type Host, MANIFESTS } from '../../controlplane/host.ts';
import { copyTree } from './copy-tree.ts';
import { makeDirectories, moveTree, removeTree, tryMoveTree } from './directories.ts';
import type { PlacedResource, RestorePlan } from './plan.ts';
import { freeName, type Run } from './run.ts';

/** A resource on its way. */
interface Placement {
  /** Where it belongs, as it is seen from here. */
  readonly path: string;
  readonly member: string;
  /** Where it waits until etcd has stopped: on the file system where it belongs. */
  readonly staged: string;
  /** Where what it replaces is kept. */
  readonly kept: string;
  /** As the host knows them. */
  readonly hostPath: string;
  readonly hostKept: string;
}

/**
 * Extracts what the plan puts in place; what an earlier try has left of it goes.
 * @returns for each resource that is moved the directory where it waits, as the host knows it
 * @throws EtcdkeepError `archive-unusable`, `disk-full`, `target-unwritable`, `file-failed`; the signal's reason
 */
export async function stageResources(run: Run): Promise<readonly string[]> {
  const { host, plan, signal } = run;
  const directories = await stagingDirectories(host, plan);
  const placements = placementsOf(host, plan, directories);
  for (const directory of directories) await removeTree(host.realPath(directory), plan.stamp);
  if (placements.length === 0) return directories;
  for (const { staged } of placements) await makeDirectories(dirname(staged), 0o700);
  const wanted = placements.map(({ member, staged: to }) => ({ member, to }));
  await extractMembers(plan.backup.resources!, wanted, signal);
  return directories;
}

/** Removes what is staged. @throws EtcdkeepError `target-unwritable`, `file-failed` */
export async function removeStaged({ host, plan, journal }: Run): Promise<void> {
  const directories = journal.state.built?.staging ?? (await stagingDirectories(host, plan));
  for (const directory of new Set(directories)) {
    await removeTree(host.realPath(directory), plan.stamp);
  }
}

/**
 * Moves them in, each in one step. Those that are in already stay.
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function placeResources(run: Run): Promise<void> {
  const { host, plan, journal } = run;
  for (const placement of placementsOf(host, plan, journal.state.built!.staging)) {
    const { path, staged } = placement;
    // Moved in by a run that was killed then.
    if (!(await exists(staged))) continue;
    if (await exists(path)) await setAside(run, placement);
    await makeDirectories(dirname(path));
    await moveTree(staged, path);
  }
}

/**
 * Puts back what was there. What was moved in goes, and can be extracted again.
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function putResourcesBack(run: Run): Promise<void> {
  const { host, plan, journal } = run;
  const placements = placementsOf(host, plan, journal.state.built!.staging);
  for (const { path, staged, kept } of placements.toReversed()) {
    // Where the new one is still staged, what is in its place is what was there, or was set aside a moment ago.
    if (!(await exists(staged))) {
      await makeDirectories(dirname(staged), 0o700);
      if (await exists(path)) await moveTree(path, staged);
    }
    if (!(await exists(kept)) || (await exists(path))) continue;
    if (await tryMoveTree(kept, path)) continue;
    const copy = `${staged}-old`;
    await removeTree(copy, plan.stamp);
    await copyTree(kept, copy);
    await moveTree(copy, path);
  }
}

/** Moves what is in the way to where it is kept; by a copy, where that is another file system. */
async function setAside({ host, plan, report }: Run, placement: Placement): Promise<void> {
  const { path, hostPath, staged, hostKept } = placement;
  const free = await freeName(host, hostKept);
  // What was there is kept already: this one came meanwhile.
  if (free !== hostKept) {
    report({ kind: 'appeared-meanwhile', path: hostPath, keptAs: free });
  }
  const kept = host.realPath(free);
  await makeDirectories(dirname(kept), 0o700);
  if (await tryMoveTree(path, kept)) return;
  const partial = `${kept}.${plan.stamp}.part`;
  await removeTree(partial, plan.stamp);
  await copyTree(path, partial);
  await moveTree(partial, kept);
  const old = `${staged}-old`;
  await removeTree(old, plan.stamp);
  await moveTree(path, old);
}

/** The manifest of etcd is none of them: it appears when everything else is in place. */
function movedOf(plan: RestorePlan): readonly PlacedResource[] {
  return plan.resources.filter(
    ({ action, path }) => action !== 'leave' && path !== plan.etcd.manifest,
  );
}

function placementsOf(
  host: Host,
  plan: RestorePlan,
  directories: readonly string[],
): readonly Placement[] {
  return movedOf(plan).map(({ path, member }, index) => ({
    path: host.realPath(path),
    hostPath: path,
    member,
    staged: join(host.realPath(directories[index]!), `${index}`),
    // By its path on the host: a manifest may come out of a directory that is replaced as well.
    kept: host.realPath(join(plan.keptResources, path)),
    hostKept: join(plan.keptResources, path),
  }));
}

async function stagingDirectories(host: Host, plan: RestorePlan): Promise<readonly string[]> {
  const directories: string[] = [];
  for (const { path } of movedOf(plan)) directories.push(await stagingFor(host, path, plan));
  return directories;
}

/**
 * A hidden directory on the file system of what is to be moved there. What is made below /etc/kubernetes gets the SELinux
 * type that files there have, and keeps it when it is moved.
 */
async function stagingFor(
  host: Host,
  path: PlacedResource['path'],
  { stamp }: RestorePlan,
): Promise<string> {
  let directory = dirname(path);
  while (!(await host.isDirectory(directory))) directory = dirname(directory);
  // The kubelet does not look into directories, but nothing has to be in this one that is no manifest.
  if (directory === MANIFESTS && (await isOneFileSystem(host, directory, dirname(directory)))) {
    directory = dirname(directory);
  }
  return join(directory, `.etcdkeep-restore-${stamp}`);
}

async function isOneFileSystem(host: Host, left: string, right: string): Promise<boolean> {
  try {
    const [one, two] = await Promise.all([stat(host.realPath(left)), stat(host.realPath(right))]);
    return one.dev === two.dev;
  } catch (reason) {
    throw readError(reason, 'look at it', host.realPath(left));
  }
}
