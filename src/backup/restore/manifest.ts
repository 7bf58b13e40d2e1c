// The manifest of etcd's static pod: taken away, which stops etcd, and put there in one step, which starts it.
//
// The kubelet starts every file of its manifests directory, whatever its suffix, but for those whose names begin with a
// dot (kubernetes, pkg/kubelet/config/file.go, extractFromDir; file_linux.go, produceWatchEvent). A name with a dot in the
// same directory is thus a place to move a manifest through, and always on the same file system.

import { chmod, chown, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, parse } from 'node:path';
import {
  moveFile,
  readSmallFile,
  syncDirectory,
  writeFileAtomically,
} from '../../base/durable-files.ts';
import { EtcdkeepError, readError, writeError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import { sweepStaged } from '../staged-directory.ts';
import { makeDirectories } from './directories.ts';
import type { RestorePlan } from './plan.ts';
import { freeName, type Run } from './run.ts';

const MANIFEST_BYTES_MAX = 4 << 20;

/** The copy that etcd is started from, as the host knows it: `.../manifests-stopped/etcd-pod-20261123-170200.yaml`. */
export function stoppedManifest({ etcd, stamp }: RestorePlan): string {
  const { name, ext } = parse(etcd.manifest);
  return join(etcd.stopped, `${name}-${stamp}${ext}`);
}

/**
 * The copy of the manifest that is taken away, where etcd is to be started from another one, as after a run of
 * cluster-restore.sh that has left the one of its own pod.
 */
function replacedManifest(plan: RestorePlan): string {
  const { dir, name, ext } = parse(stoppedManifest(plan));
  return join(dir, `${name}-replaced${ext}`);
}

interface Manifest {
  readonly bytes: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Copies the manifest that etcd is to be started from. What is copied already stays as it is; one that comes out of the
 * backup may not be there yet.
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function keepSource({ host, plan }: Run): Promise<void> {
  const copy = host.realPath(stoppedManifest(plan));
  if ((await exists(copy)) || !(await exists(host.realPath(plan.etcd.source)))) return;
  await write(copy, await read(host.realPath(plan.etcd.source)));
}

/**
 * The same before the first stop, and the manifest that is there, if it is another one.
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function keepManifests(run: Run): Promise<void> {
  const { host, plan } = run;
  await keepSource(run);
  const replaced = host.realPath(replacedManifest(plan));
  if (!(await hasManifest(run)) || (await exists(replaced))) return;
  const found = await read(host.realPath(plan.etcd.manifest));
  if (!(await isCopiedAs(run, found, stoppedManifest(plan)))) await write(replaced, found);
}

/**
 * Takes the manifest away, once it is copied. One that is another by now, as an installer or a configuration management
 * may write it back, is kept beside the copy.
 * @returns what it was kept as, as the host knows it, if it was not the one that is copied; undefined if it was, or
 * if there was none
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function takeManifestAway(run: Run): Promise<{ readonly keptAs: string } | undefined> {
  const manifest = run.host.realPath(run.plan.etcd.manifest);
  if (await exists(manifest)) {
    try {
      await rename(manifest, takenManifest(run));
    } catch (reason) {
      throw writeError(reason, 'take the manifest of etcd away', manifest);
    }
    await syncDirectory(dirname(manifest));
  }
  return await settleTaken(run);
}

/** The name that a manifest is taken away through. */
function takenManifest({ host, plan }: Run): string {
  const manifest = host.realPath(plan.etcd.manifest);
  return join(dirname(manifest), `.${basename(manifest)}-${plan.stamp}.taken`);
}

/** Whether a run was cut off while it took the manifest away. */
export function isTakenHalfway(run: Run): Promise<boolean> {
  return exists(takenManifest(run));
}

async function settleTaken(run: Run): Promise<{ readonly keptAs: string } | undefined> {
  const { host, plan } = run;
  const taken = takenManifest(run);
  if (!(await exists(taken))) return undefined;
  const found = await read(taken);
  const copies = [stoppedManifest(plan), replacedManifest(plan)];
  const isCopied = await Promise.all(copies.map((copy) => isCopiedAs(run, found, copy)));
  let keptAs: string | undefined;
  if (!isCopied.includes(true)) {
    const { dir, name, ext } = parse(copies[0]!);
    keptAs = await freeName(host, join(dir, `${name}-written-back${ext}`));
    await write(host.realPath(keptAs), found);
  }
  await remove(taken);
  return keptAs === undefined ? undefined : { keptAs };
}

async function isCopiedAs({ host }: Run, { bytes }: Manifest, copy: string): Promise<boolean> {
  const path = host.realPath(copy);
  return (await exists(path)) && bytes.equals((await read(path)).bytes);
}

/** Whether a manifest is there that the kubelet would start. */
export function hasManifest({ host, plan }: Run): Promise<boolean> {
  return exists(host.realPath(plan.etcd.manifest));
}

/**
 * Puts a copy in its place, in one step: the kubelet sees all of it or nothing. What is there already, and is the same,
 * stays.
 * @throws EtcdkeepError `manifest-written-back` if another one is there, `target-unwritable`, `disk-full`, `file-failed`
 */
export async function putManifest(run: Run, from = stoppedManifest(run.plan)): Promise<void> {
  const { host, plan } = run;
  const manifest = host.realPath(plan.etcd.manifest);
  const copy = await read(host.realPath(from));
  const name = `.${basename(manifest)}-${plan.stamp}`;
  const directory = dirname(manifest);
  // Where the manifests are a mount of their own, a move out of another directory would copy.
  const isOneFileSystem = (await deviceOf(directory)) === (await deviceOf(dirname(directory)));
  const staged = join(isOneFileSystem ? dirname(directory) : directory, name);
  // What a run that was killed here has left.
  await remove(staged);
  await sweepStaged(dirname(staged));
  if (await exists(manifest)) {
    if ((await read(manifest)).bytes.equals(copy.bytes)) return;
    throw writtenBack(plan, 'another manifest of etcd is where this one is to be put');
  }
  await write(staged, copy);
  try {
    await moveFile(staged, manifest);
  } catch (reason) {
    await rm(staged, { force: true }).catch(() => undefined);
    if (!(reason instanceof EtcdkeepError && reason.code === 'target-exists')) throw reason;
    throw writtenBack(plan, 'another manifest of etcd appeared where this one is to be put');
  }
}

/**
 * Gives the manifest of before its place back, and removes the copies. Where another one has been written meanwhile, all
 * stay; where there was none, there is none again.
 * @throws EtcdkeepError `manifest-written-back`, `target-unwritable`, `disk-full`, `file-failed`
 */
export async function returnManifest(run: Run): Promise<void> {
  const { host, plan, report } = run;
  const { manifest: path, source } = plan.etcd;
  const replaced = replacedManifest(plan);
  const keptAs = (await exists(host.realPath(replaced))) ? replaced : stoppedManifest(plan);
  const wasThere = keptAs === replaced || source === path;
  const other = await settleTaken(run);
  if (other !== undefined) report({ kind: 'manifest-written-back', path, keptAs: other.keptAs });
  // Killed before anything was copied, the manifest was never taken away.
  if (wasThere && (await exists(host.realPath(keptAs)))) {
    if (!(await hasManifest(run))) await putManifest(run, keptAs);
    else if (!(await isCopiedAs(run, await read(host.realPath(path)), keptAs))) {
      report({ kind: 'appeared-meanwhile', path, keptAs });
      return;
    }
  }
  await dropCopies(run);
}

/** Removes the copies. @throws EtcdkeepError `target-unwritable`, `file-failed` */
export async function dropCopies({ host, plan }: Run): Promise<void> {
  for (const copy of [replacedManifest(plan), stoppedManifest(plan)]) {
    if (await exists(host.realPath(copy))) await remove(host.realPath(copy));
  }
  await sweepStaged(host.realPath(plan.etcd.stopped));
}

/** The error of a manifest that comes back whatever is done. */
export function writtenBack(plan: RestorePlan, message: string): EtcdkeepError {
  const { etcd, stamp } = plan;
  return new EtcdkeepError('manifest-written-back', message, {
    path: etcd.manifest,
    facts: [['kept in', etcd.stopped]],
    advice: `stop what writes it (an installer pod, the machine config daemon, a configuration management), then go on: etcdkeep restore --resume ${stamp}`,
  });
}

async function read(path: string): Promise<Manifest> {
  try {
    const { mode, uid, gid } = await stat(path);
    const bytes = await readSmallFile(path, 'read the manifest of etcd', MANIFEST_BYTES_MAX);
    return { bytes, mode: mode & 0o7777, uid, gid };
  } catch (reason) {
    throw readError(reason, 'read the manifest of etcd', path);
  }
}

/** All of it or nothing, with its owner and mode. */
async function write(path: string, { bytes, mode, uid, gid }: Manifest): Promise<void> {
  await makeDirectories(dirname(path));
  await sweepStaged(dirname(path));
  try {
    await writeFileAtomically(path, bytes);
    await chown(path, uid, gid);
    await chmod(path, mode);
  } catch (reason) {
    throw writeError(reason, 'copy the manifest of etcd', path);
  }
  await syncDirectory(dirname(path));
}

async function remove(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (reason) {
    throw writeError(reason, 'remove it', path);
  }
  await syncDirectory(dirname(path));
}

async function deviceOf(path: string): Promise<number> {
  try {
    return (await stat(path)).dev;
  } catch (reason) {
    throw readError(reason, 'look at it', path);
  }
}
