// Who has files of a directory open: every process of the machine, whatever container it runs in.

import { lstat, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../base/errors.ts';
import type { Host } from '../controlplane/host.ts';

export interface OpenFile {
  readonly pid: number;
  /** Name of its program, `etcd`; '' if it ended meanwhile. */
  readonly program: string;
  /** A file of the directory, as it is seen from here. */
  readonly path: string;
  readonly how: 'open' | 'mapped' | 'its working directory';
}

/**
 * The processes that hold some files, or what is in some directories, by device and inode: a container sees the same files
 * under other paths. Only the first file of each process is told. This process is none of them.
 * @param paths those that do not exist are held by nobody
 * @param proc whose processes are asked; of other users they are seen by root alone
 */
export async function openFilesBelow(
  paths: readonly string[],
  proc = '/proc',
): Promise<readonly OpenFile[]> {
  const files = new Map<string, string>();
  for (const path of paths) await collect(path, files);
  if (files.size === 0) return [];
  const self = Number(await readlink(join(proc, 'self')).catch(() => process.pid));
  const pids = (await readdir(proc)).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: OpenFile[] = [];
  for (const pid of pids) {
    if (pid === self) continue;
    const held = await heldBy(join(proc, `${pid}`), files);
    if (held === undefined) continue;
    found.push({ pid, program: await nameOf(join(proc, `${pid}`)), ...held });
  }
  return found;
}

/**
 * Where the processes of a host are seen: in its own /proc where that is mounted, which shows those of every pid namespace
 * below its own; else in this one's.
 */
export async function procOf(host: Host): Promise<string> {
  const own = host.realPath('/proc');
  return await readlink(join(own, 'self')).then(
    () => own,
    () => '/proc',
  );
}

/** A directory and all that is in it, by device and inode. Links are not followed. */
async function collect(path: string, files: Map<string, string>): Promise<void> {
  const found = await lstat(path, { bigint: true }).catch(ifGone);
  if (found === undefined || found.isSymbolicLink()) return;
  files.set(`${found.dev}:${found.ino}`, path);
  if (!found.isDirectory()) return;
  for (const name of (await readdir(path).catch(ifGone)) ?? [])
    await collect(join(path, name), files);
}

/** Files come and go while they are looked at, and so do processes. */
function ifGone(reason: unknown): undefined {
  if (['ENOENT', 'ENOTDIR', 'ESRCH'].includes(systemCodeOf(reason) ?? '')) return undefined;
  throw reason;
}

type Held = Omit<OpenFile, 'pid' | 'program'>;

async function heldBy(
  directory: string,
  files: ReadonlyMap<string, string>,
): Promise<Held | undefined> {
  const descriptors = await readdir(join(directory, 'fd')).catch(() => []);
  for (const descriptor of descriptors) {
    const path = files.get(await identityOf(join(directory, 'fd', descriptor)));
    if (path !== undefined) return { path, how: 'open' };
  }
  const path = files.get(await identityOf(join(directory, 'cwd')));
  if (path !== undefined) return { path, how: 'its working directory' };
  const mapped = (await readFile(join(directory, 'maps'), 'latin1').catch(() => ''))
    .split('\n')
    .map((line) => files.get(identityOfMapping(line)))
    .find((file) => file !== undefined);
  return mapped === undefined ? undefined : { path: mapped, how: 'mapped' };
}

async function identityOf(link: string): Promise<string> {
  const found = await stat(link, { bigint: true }).catch(() => undefined);
  return found === undefined ? '' : `${found.dev}:${found.ino}`;
}

/** `7f..-7f.. r--s 00000000 fe:00 9986238  /path`: the device as major and minor number, hex (proc_pid_maps(5)). */
function identityOfMapping(line: string): string {
  const [, major, minor, inode] = /^\S+ \S+ \S+ ([0-9a-f]+):([0-9a-f]+) (\d+)/.exec(line) ?? [];
  if (major === undefined || inode === '0') return '';
  return `${deviceOf(BigInt(`0x${major}`), BigInt(`0x${minor!}`))}:${inode!}`;
}

/** As stat(2) gives it (glibc, bits/sysmacros.h, makedev). */
function deviceOf(major: bigint, minor: bigint): bigint {
  return (
    ((major & 0xfffff000n) << 32n) |
    ((major & 0xfffn) << 8n) |
    ((minor & 0xffffff00n) << 12n) |
    (minor & 0xffn)
  );
}

async function nameOf(directory: string): Promise<string> {
  return (await readFile(join(directory, 'comm'), 'utf8').catch(() => '')).trim();
}
