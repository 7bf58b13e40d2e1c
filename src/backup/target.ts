// The one or two directories that a backup goes to: made if need be, and left as they were if it fails.

import { mkdir, readdir, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { syncDirectory } from '../base/durable-files.ts';
import { EtcdkeepError, systemCodeOf, writeError } from '../base/errors.ts';

export interface Target {
  /** Of the snapshot and the record, as the user named it. */
  readonly directory: string;
  /** Of the archive: the same one, or another where the keys are kept apart. */
  readonly resources: string;
}

export function targetOf(directory: string, resources: string | undefined): Target {
  const isApart = resources !== undefined && resolve(resources) !== resolve(directory);
  return { directory, resources: isApart ? resources : directory };
}

/** The directories, each once. */
export function directoriesOf({ directory, resources }: Target): readonly string[] {
  return directory === resources ? [directory] : [directory, resources];
}

/**
 * Makes the directories while it is used, takes them away again if they were made in vain, and adds to an
 * error what is seen in them then.
 * @throws EtcdkeepError `target-not-directory`, `target-unwritable`, and what `use` throws
 */
export async function withTarget<T>(target: Target, use: () => Promise<T>): Promise<T> {
  const directories = directoriesOf(target);
  const before = await Promise.all(directories.map(namesIn));
  try {
    return await directories.reduceRight(
      (inner, directory) => () => withDirectory(resolve(directory), inner),
      use,
    )();
  } catch (reason) {
    if (reason instanceof EtcdkeepError) reason.aftermath = await aftermathOf(directories, before);
    throw reason;
  }
}

/** What is seen once a run has cleaned up after itself. */
async function aftermathOf(
  directories: readonly string[],
  before: readonly (readonly string[])[],
): Promise<string> {
  const after = await Promise.all(directories.map(namesIn));
  for (const [index, directory] of directories.entries()) {
    const added = after[index]!.filter((name) => !before[index]!.includes(name));
    if (added.length === 0) continue;
    return `In ${directory} since this run began, and no backup unless another run's: ${added.join(', ')}`;
  }
  // The record of a backup lies beside its snapshot.
  const earlier = after[0]!.filter((name) => /^backup_.*\.json$/.test(name)).length;
  if (earlier === 0) return 'Nothing was written.';
  const backups = earlier === 1 ? 'the earlier backup' : `the ${earlier} earlier backups`;
  return `Nothing was written; ${backups} in ${directories[0]!} ${earlier === 1 ? 'is' : 'are'} untouched.`;
}

function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

async function withDirectory<T>(directory: string, use: () => Promise<T>): Promise<T> {
  const firstMade = await makeDirectory(directory);
  try {
    return await use();
  } catch (reason) {
    if (firstMade !== undefined) await removeEmpty(directory, firstMade);
    throw reason;
  }
}

/** @returns the topmost directory that had to be made */
async function makeDirectory(directory: string): Promise<string | undefined> {
  try {
    const made = await mkdir(directory, { recursive: true });
    if (made !== undefined) await syncMade(directory, made);
    if (made !== undefined || (await stat(directory)).isDirectory()) return made;
  } catch (reason) {
    if (!['EEXIST', 'ENOTDIR'].includes(systemCodeOf(reason) ?? '')) {
      throw writeError(reason, 'make the directory for the backup', directory);
    }
  }
  throw notDirectory(directory);
}

/**
 * For who makes nothing.
 * @throws EtcdkeepError `target-not-directory`
 */
export async function demandDirectories(target: Target): Promise<void> {
  for (const directory of directoriesOf(target)) {
    const isOther = await stat(directory).then(
      (found) => !found.isDirectory(),
      // What is not there would be made, but not below a file.
      (reason: unknown) => systemCodeOf(reason) === 'ENOTDIR',
    );
    if (isOther) throw notDirectory(resolve(directory));
  }
}

function notDirectory(path: string): EtcdkeepError {
  const words = 'the place for the backup is a file, or below one';
  return new EtcdkeepError('target-not-directory', words, { path });
}

/** A directory is on the disk once the one that it is in is synced. */
async function syncMade(directory: string, firstMade: string): Promise<void> {
  for (let path = directory; path.startsWith(firstMade); path = dirname(path)) {
    await syncDirectory(dirname(path));
  }
}

async function removeEmpty(directory: string, firstMade: string): Promise<void> {
  for (let path = directory; path.startsWith(firstMade); path = join(path, '..')) {
    try {
      await rmdir(path);
    } catch {
      // Somebody else has put something there meanwhile: it stays.
      return;
    }
  }
}
