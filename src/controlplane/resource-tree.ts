// What lies in a directory of static resources, seen without following or opening anything.

import { isUtf8 } from 'node:buffer';
import type { BigIntStats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { EtcdkeepError, readError, systemCodeOf } from '../base/errors.ts';
import { formatBytes } from '../base/units.ts';
import type { Host } from './host.ts';

export interface TreeEntry {
  /** As in the archive: `static-pod-resources/etcd-pod-3/secrets`, without a slash at either end. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  /** Zero but for files. */
  readonly sizeBytes: number;
  /** Permission bits, with setuid and its like. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modified: Date;
  /** Text of a symbolic link. */
  readonly target?: string;
  /** Differs as soon as the entry is written to, replaced, or given another mode or owner. */
  readonly version: string;
}

// A control plane has some 200 entries four levels deep.
const MAX_ENTRIES = 100_000;
const MAX_DEPTH = 64;
/** They are a few MB. What is more is none of theirs, such as a sparse file that would be read for hours. */
const MAX_BYTES = 2 ** 30;

/**
 * Lists files, and directories with all below them: a directory before what is in it, names in byte order.
 * @param resources as the host knows them, in the order in which they are to be listed
 * @throws EtcdkeepError `resources-changing` when something goes away meanwhile, `file-failed`
 */
export async function listTrees(
  host: Host,
  resources: readonly string[],
): Promise<readonly TreeEntry[]> {
  const entries: TreeEntry[] = [];
  let bytes = 0;
  // The next one to look at is the last.
  const pending = resources.map((path) => relative(host.archiveBase, path)).reverse();
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (entries.length >= MAX_ENTRIES)
      throw refused(host, path, `more than ${MAX_ENTRIES} entries`);
    if (path.split('/').length > MAX_DEPTH) throw refused(host, path, 'directories without an end');
    const entry = await lookAt(host, path);
    entries.push(entry);
    bytes += entry.sizeBytes;
    if (bytes > MAX_BYTES) throw refused(host, path, `more than ${formatBytes(MAX_BYTES)} in all`);
    if (entry.type !== 'directory') continue;
    const names = await namesIn(host, path);
    pending.push(...names.map((name) => `${path}/${name}`).reverse());
  }
  return entries;
}

/** Where an entry is reached from here. */
export function entryPath(host: Host, path: string): string {
  return host.realPath(join(host.archiveBase, path));
}

/** The version of an entry, from what the file system says of it. */
export function versionOf(found: BigIntStats): string {
  return [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(':');
}

/** The error of an entry that is no longer what it was when it was listed. */
export function changed(path: string, cause?: unknown): EtcdkeepError {
  return new EtcdkeepError('resources-changing', `${path} changed while it was archived`, {
    ...(cause === undefined ? {} : { cause }),
  });
}

async function lookAt(host: Host, path: string): Promise<TreeEntry> {
  const realPath = entryPath(host, path);
  const found = await listing(path, realPath, () => lstat(realPath, { bigint: true }));
  const type = found.isFile()
    ? 'file'
    : found.isDirectory()
      ? 'directory'
      : found.isSymbolicLink()
        ? 'symlink'
        : undefined;
  if (type === undefined) throw refused(host, path, 'a socket, a pipe or a device');
  const common = {
    path,
    type,
    sizeBytes: type === 'file' ? Number(found.size) : 0,
    mode: Number(found.mode & 0o7777n),
    uid: Number(found.uid),
    gid: Number(found.gid),
    modified: new Date(Number(found.mtimeMs)),
    version: versionOf(found),
  } as const;
  if (type !== 'symlink') return common;
  const target = await listing(path, realPath, () => readlink(realPath, { encoding: 'buffer' }));
  return { ...common, target: textOf(host, path, target) };
}

async function namesIn(host: Host, path: string): Promise<readonly string[]> {
  const realPath = entryPath(host, path);
  const names = await listing(path, realPath, () => readdir(realPath, { encoding: 'buffer' }));
  return names.sort((left, right) => left.compare(right)).map((name) => textOf(host, path, name));
}

/** Names are bytes to Linux; those that are not UTF-8 would not come back as they were. */
function textOf(host: Host, path: string, bytes: Buffer): string {
  if (!isUtf8(bytes)) throw refused(host, path, 'a name that is not UTF-8');
  return bytes.toString('utf8');
}

async function listing<Answer>(
  path: string,
  realPath: string,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await ask();
  } catch (reason) {
    if (['ENOENT', 'ENOTDIR', 'EINVAL'].includes(systemCodeOf(reason) ?? '')) {
      throw changed(path, reason);
    }
    throw readError(reason, `list ${path}`, realPath);
  }
}

function refused(host: Host, path: string, what: string): EtcdkeepError {
  return new EtcdkeepError('file-failed', `cannot archive ${what}`, {
    path: entryPath(host, path),
    advice: 'static resources are files and directories; look at what this one is',
  });
}
