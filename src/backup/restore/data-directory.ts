// etcd's data directory as it is: what is in it, whose it is, and whether a restore can set it aside by renaming it.

import { execFile } from 'node:child_process';
import type { Stats } from 'node:fs';
import { access, constants, lstat, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { namesIn } from '../../base/directory-names.ts';
import { readError, systemCodeOf } from '../../base/errors.ts';
import { nearestDirectory } from '../../base/room.ts';
import type { Host } from '../../controlplane/host.ts';
import { KEPT_BY_CLUSTER_RESTORE } from '../../controlplane/stopped-etcd.ts';
import { failed, type Outcome, passed } from '../checks/result.ts';
import type { OwnHost } from './own-host.ts';

export interface DataDirectory {
  /** As the host knows it. */
  readonly path: string;
  readonly isMount: boolean;
  /** Whether there is a `member` in it. */
  readonly hasMember: boolean;
  readonly uid: number;
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
  readonly selinux: string | undefined;
  /** What earlier restores have kept, as the host knows it: ours, and that of cluster-restore.sh. */
  readonly safetyCopies: readonly string[];
  /** Why it cannot be set aside. */
  readonly defect: string | undefined;
}

/** How our own begin; a stamp follows. */
export const KEPT_PREFIX = 'member-before-';

/** etcd makes its directories like this (client/pkg/fileutil, PrivateDirMode). */
const PRIVATE_MODE = 0o700;

/** @throws EtcdkeepError `file-failed` */
export async function lookAtDataDirectory(own: OwnHost): Promise<DataDirectory> {
  const { host, member, walDirectory } = own;
  const path = member.dataDirectory;
  const real = host.realPath(path);
  const isMountPoint = await mountsOf(host.root);
  const stats = await look(join(real, 'member'), stat);
  const outside = walDirectory === undefined ? [] : [`the write-ahead log is in ${walDirectory}`];
  const defects = [...outside, ...(await foreignParts(host, path, isMountPoint))];
  return {
    path,
    isMount: isMountPoint(host.root === '/' ? await realpath(real).catch(() => path) : path),
    hasMember: stats !== undefined,
    uid: stats?.uid ?? 0,
    gid: stats?.gid ?? 0,
    mode: stats === undefined ? PRIVATE_MODE : stats.mode & 0o7777,
    selinux: await selinuxLabel(stats === undefined ? real : join(real, 'member')),
    safetyCopies: await safetyCopies(host, path),
    defect: defects[0],
  };
}

export function checkDataDirectory({ path, defect, isMount, hasMember }: DataDirectory): Outcome {
  if (defect !== undefined) return failed(defect);
  const what = hasMember ? 'member is a plain directory in it' : 'there is no member in it';
  return passed(`${path}${isMount ? ', a mount' : ''}: ${what}`);
}

/** As root, a mount that is read-only is all that there is to find. */
export async function checkWritable(host: Host, paths: readonly string[]): Promise<Outcome> {
  for (const path of paths) {
    const place = await nearestDirectory(host.realPath(path));
    try {
      await access(place, constants.W_OK);
    } catch (reason) {
      if (systemCodeOf(reason) === 'EROFS') return failed(`${place} is on a read-only file system`);
      return failed(`${place} cannot be written`);
    }
  }
  return passed(`${paths.join(', ')}: can be written`);
}

/** Whether a path of the host is a mount point. */
type IsMountPoint = (hostPath: string) => boolean;

/** Parts of the data that are mounted or linked: a rename of `member` would leave them, or fail. */
async function foreignParts(
  host: Host,
  path: string,
  isMountPoint: IsMountPoint,
): Promise<string[]> {
  const real = host.realPath(path);
  const home = await look(real, stat);
  // Seen from elsewhere it would lead to a place that is not the host's.
  if (host.root !== '/' && (await look(real, lstat))?.isSymbolicLink() === true) {
    return [
      `${path} is a symbolic link: run etcdkeep on the host itself, with chroot ${host.root}`,
    ];
  }
  const defects: string[] = [];
  for (const name of ['member', 'member/wal', 'member/snap', 'member/snap/db']) {
    const found = await look(join(real, name), lstat);
    if (found === undefined) continue;
    const shown = join(path, name);
    if (found.isSymbolicLink()) defects.push(`${shown} is a symbolic link`);
    else if (isMountPoint(shown)) defects.push(`${shown} is a mount of its own`);
    else if (found.dev !== home?.dev)
      defects.push(`${shown} is on another file system than ${path}`);
  }
  return defects;
}

/** As the root of another process shows them, where the host is seen through one (proc(5), /proc/pid/root). */
async function mountsOf(root: string): Promise<IsMountPoint> {
  const [, pid = 'self', below = ''] = /^\/proc\/(\w+)\/root(\/.*)?$/.exec(root) ?? [];
  const prefix = pid === 'self' ? await realpath(root).catch(() => root) : below;
  const text = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
  const octal = /\\([0-7]{3})/g;
  // Its field 5, in which some characters are octal. A bind mount has no device of its own to be known by.
  const points = text.split('\n').flatMap((line) => line.split(' ')[4] ?? []);
  const mounts = new Set(
    points.map((point) =>
      point.replaceAll(octal, (_, code: string) => String.fromCharCode(parseInt(code, 8))),
    ),
  );
  return (hostPath) => mounts.has(join(prefix, hostPath));
}

async function safetyCopies(host: Host, path: string): Promise<string[]> {
  const names = await namesIn(host.realPath(path));
  const own = names.filter((name) => name.startsWith(KEPT_PREFIX)).toSorted();
  const directory = dirname(KEPT_BY_CLUSTER_RESTORE);
  // And what would have been destroyed there, and was set aside under a longer name.
  const vendor = (await namesIn(host.realPath(directory)))
    .filter((name) => name.startsWith(basename(KEPT_BY_CLUSTER_RESTORE)))
    .toSorted();
  return [...own.map((name) => join(path, name)), ...vendor.map((name) => join(directory, name))];
}

/** Node has no call for it; `?` is what stat(1) says where there is none. */
async function selinuxLabel(path: string): Promise<string | undefined> {
  const place = (await look(path, stat)) === undefined ? dirname(path) : path;
  try {
    const { stdout } = await promisify(execFile)('stat', ['-c', '%C', '--', place]);
    const label = stdout.trim();
    return /^[^:\s]+(:[^:\s]+){2,}$/.test(label) ? label : undefined;
  } catch {
    return undefined;
  }
}

async function look(
  path: string,
  call: (path: string) => Promise<Stats>,
): Promise<Stats | undefined> {
  try {
    return await call(path);
  } catch (reason) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(reason) ?? '')) return undefined;
    throw readError(reason, 'look at it', path);
  }
}
