// What killed runs left in a directory of backups, and its removal by the next one.

import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn as namesInIfAny } from '../base/directory-names.ts';
import { removeStagingDirectory, stagingOwner, syncDirectory } from '../base/durable-files.ts';
import { readError, systemCodeOf, writeError } from '../base/errors.ts';
import { mayStillRun } from '../base/process-label.ts';
import { filesBeside } from '../record/stamp.ts';
import { directoriesOf, type Target } from './target.ts';

/**
 * Removes what killed runs left in the target: their staging directories, and the files of a stamp
 * that were published without the record that would have made them a backup. An archive that was
 * published to another place is found only if that is this run's place, too.
 * @throws EtcdkeepError `target-unwritable`, `file-failed`
 */
export async function sweepStaging(target: Target): Promise<void> {
  for (const directory of directoriesOf(target)) {
    for (const name of await namesIn(directory)) {
      const owner = stagingOwner(name);
      if (owner === undefined || mayStillRun(owner) !== false) continue;
      // Or an empty file, that a snapshot was to be unpacked into (plain-snapshot.ts).
      const staging = join(directory, name);
      for (const staged of await namesInIfAny(staging)) await sweepUnrecorded(target, staged);
      for (const one of directoriesOf(target)) await syncDirectory(one);
      // The last trace of the run goes last: a sweep that is killed itself is done again.
      await removeStagingDirectory(staging);
    }
  }
}

/** A file that is still staged names a stamp that was never completed. */
async function sweepUnrecorded(target: Target, staged: string): Promise<void> {
  const files = filesBeside(staged);
  if (files === undefined) return;
  const record = join(target.directory, files.record);
  if (await isPublished(record)) return;
  await removeFile(join(target.directory, files.snapshot));
  await removeFile(join(target.resources, files.resources));
  await removeFile(record);
}

/** An empty file only took the name, where there are no hard links (durable-files.ts, moveFile). */
async function isPublished(record: string): Promise<boolean> {
  try {
    return (await stat(record)).size > 0;
  } catch (reason) {
    if (systemCodeOf(reason) === 'ENOENT') return false;
    throw readError(reason, 'look at it', record);
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (reason) {
    throw writeError(reason, 'remove what a killed run left', path);
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (reason) {
    throw readError(reason, 'list the directory', directory);
  }
}
