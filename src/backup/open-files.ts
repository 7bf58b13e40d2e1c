// Which processes have a file open, as far as this one can see: those of its own pid namespace, and of all users if it is
// root's. Source: proc(5), /proc/PID/fd.

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from '../base/directory-names.ts';
import { EtcdkeepError } from '../base/errors.ts';

export interface FileHolder {
  readonly pid: number;
  /** Name of its program; '' if it ended meanwhile. */
  readonly program: string;
}

/** @param paths files that need not be there */
export async function holdersOf(paths: readonly string[], proc = '/proc'): Promise<FileHolder[]> {
  const wanted = new Set<string>();
  for (const path of paths) {
    const identity = await identityOf(path);
    if (identity !== undefined) wanted.add(identity);
  }
  if (wanted.size === 0) return [];
  const holders: FileHolder[] = [];
  for (const name of await namesIn(proc)) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    if (!(await holdsAny(join(proc, name, 'fd'), wanted))) continue;
    holders.push({ pid, program: await programOf(join(proc, name)) });
  }
  return holders;
}

async function holdsAny(directory: string, wanted: ReadonlySet<string>): Promise<boolean> {
  for (const descriptor of await openNames(directory)) {
    const identity = await identityOf(join(directory, descriptor));
    if (identity !== undefined && wanted.has(identity)) return true;
  }
  return false;
}

/** None of a process that has ended, or is another user's. */
async function openNames(directory: string): Promise<string[]> {
  try {
    return await namesIn(directory);
  } catch (reason) {
    if (reason instanceof EtcdkeepError) return [];
    throw reason;
  }
}

/** Device and inode, by which a file is the same whatever its path. */
async function identityOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found?.isFile() === true ? `${found.dev}:${found.ino}` : undefined;
}

async function programOf(directory: string): Promise<string> {
  return (await readFile(join(directory, 'comm'), 'utf8').catch(() => '')).trim();
}
