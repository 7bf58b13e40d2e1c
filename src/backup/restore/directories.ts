// Directories as a restore makes, moves and removes them: on the disk when the call returns, and nothing replaced.

import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../../base/durable-files.ts';
import { EtcdkeepError, systemCodeOf, writeError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';

/**
 * Makes a directory and those above it; what is there stays as it is.
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function makeDirectories(path: string, mode = 0o755): Promise<void> {
  if (await exists(path)) return;
  // Not by a recursive mkdir: of a read-only file system Node says there that the directory above is missing.
  await makeDirectories(dirname(path));
  try {
    await mkdir(path, { mode });
  } catch (reason) {
    throw writeError(reason, 'make the directory', path);
  }
  await syncDirectory(dirname(path));
}

/**
 * Gives a file or directory another name on its file system.
 * @throws EtcdkeepError `target-exists`, `target-unwritable`, `disk-full`, `file-failed`
 */
export async function moveTree(from: string, to: string): Promise<void> {
  if (!(await tryMoveTree(from, to))) {
    throw writeError(new Error('it is on another file system'), 'move it', to);
  }
}

/** The same; @returns false where that is on another file system. */
export async function tryMoveTree(from: string, to: string): Promise<boolean> {
  // rename(2) replaces a file, and a directory that is empty.
  if (await exists(to)) {
    throw new EtcdkeepError('target-exists', 'something of that name is there already', {
      path: to,
      advice: 'look at what it is; nothing is replaced',
    });
  }
  try {
    await rename(from, to);
  } catch (reason) {
    if (systemCodeOf(reason) === 'EXDEV') return false;
    throw writeError(reason, 'move it', to);
  }
  await syncDirectory(dirname(to));
  if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from));
  return true;
}

/**
 * Removes a file or a directory with all that is in it; it may be gone already.
 * @param mark a part of the name, without which nothing is removed: what is removed here is removed without a question
 * @throws EtcdkeepError `target-unwritable`, `file-failed`
 */
export async function removeTree(path: string, mark: string): Promise<void> {
  if (!path.includes(mark)) {
    throw new EtcdkeepError('internal', 'asked to remove what this restore has not made', { path });
  }
  if (!(await exists(path))) return;
  try {
    await rm(path, { recursive: true, force: true });
  } catch (reason) {
    throw writeError(reason, 'remove it', path);
  }
  await syncDirectory(dirname(path));
}
