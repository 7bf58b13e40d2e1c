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
import { makeDirectories } from './directories.ts';
import type { RestorePlan } from './plan.ts';
import { exists, freeName, type Run } from './run.ts';

const MANIFEST_BYTES_MAX = 4 << 20;

/** The copy that etcd is started from, as the host knows it: `.../manifests-stopped/etcd-pod-20261123-170200.yaml`. */
export function stoppedManifest({ etcd, stamp }: RestorePlan): string {
  const { name, ext } = parse(etcd.manifest);
  return join(etcd.stopped, `${name}-${stamp}${ext}`);
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
export async function keepManifest({ host, plan }: Run): Promise<void> {
  const copy = host.realPath(stoppedManifest(plan));
  if ((await exists(copy)) || !(await exists(host.realPath(plan.etcd.source)))) return;
  await write(copy, await read(host.realPath(plan.etcd.source)));
}

/**
 * Takes the manifest away, once it is copied. One that is another by now, as an installer or a configuration management
 * may write it back, is kept beside the copy.
 * @returns what it was kept as, as the host knows it, if it was not the one that is copied; undefined if it was, or
 * if there was none
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function takeManifestAway(run: Run): Promise<{ readonly keptAs: string } | undefined> {
  const { host, plan } = run;
  const manifest = host.realPath(plan.etcd.manifest);
  const taken = join(dirname(manifest), `.${basename(manifest)}-${plan.stamp}.taken`);
  if (await exists(manifest)) {
    try {
      await rename(manifest, taken);
    } catch (reason) {
      throw writeError(reason, 'take the manifest of etcd away', manifest);
    }
    await syncDirectory(dirname(manifest));
  }
  if (!(await exists(taken))) return undefined;
  const copy = stoppedManifest(plan);
  const found = await read(taken);
  let keptAs: string | undefined;
  const isCopied =
    (await exists(host.realPath(copy))) &&
    found.bytes.equals((await read(host.realPath(copy))).bytes);
  if (!isCopied) {
    const { dir, name, ext } = parse(copy);
    const free = await freeName(host.realPath(join(dir, `${name}-written-back${ext}`)));
    await write(free, found);
    keptAs = join(dir, basename(free));
  }
  await remove(taken);
  return keptAs === undefined ? undefined : { keptAs };
}

/** Whether a manifest is there that the kubelet would start. */
export function hasManifest({ host, plan }: Run): Promise<boolean> {
  return exists(host.realPath(plan.etcd.manifest));
}

/**
 * Puts the copy in its place, in one step: the kubelet sees all of it or nothing. What is there already, and is the same,
 * stays.
 * @throws EtcdkeepError `manifest-written-back` if another one is there, `target-unwritable`, `disk-full`, `file-failed`
 */
export async function putManifest(run: Run): Promise<void> {
  const { host, plan } = run;
  const manifest = host.realPath(plan.etcd.manifest);
  const copy = await read(host.realPath(stoppedManifest(plan)));
  if (await exists(manifest)) {
    if ((await read(manifest)).bytes.equals(copy.bytes)) return;
    throw writtenBack(plan, 'another manifest of etcd is where this one is to be put');
  }
  const name = `.${basename(manifest)}-${plan.stamp}`;
  const directory = dirname(manifest);
  // Where the manifests are a mount of their own, a move out of another directory would copy.
  const isOneFileSystem = (await deviceOf(directory)) === (await deviceOf(dirname(directory)));
  const staged = join(isOneFileSystem ? dirname(directory) : directory, name);
  await remove(staged);
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
 * Gives the manifest its place back, and removes the copy. Where another one has been written meanwhile, both stay.
 * @throws EtcdkeepError `manifest-written-back`, `target-unwritable`, `disk-full`, `file-failed`
 */
export async function returnManifest(run: Run): Promise<void> {
  const { host, plan, report } = run;
  const path = plan.etcd.manifest;
  const keptAs = stoppedManifest(plan);
  // Killed before anything was copied.
  if (!(await exists(host.realPath(keptAs)))) return;
  if (await hasManifest(run)) {
    const [now, before] = [await read(host.realPath(path)), await read(host.realPath(keptAs))];
    if (!now.bytes.equals(before.bytes)) {
      report({ kind: 'appeared-meanwhile', path, keptAs });
      return;
    }
  } else await putManifest(run);
  await dropCopy(run);
}

/** Removes the copy of the manifest. @throws EtcdkeepError `target-unwritable`, `file-failed` */
export async function dropCopy({ host, plan }: Run): Promise<void> {
  const copy = host.realPath(stoppedManifest(plan));
  if (await exists(copy)) await remove(copy);
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
