// Where a backup is put together before anyone can see it: a hidden directory inside the target,
// which may be a mount of its own. What a killed run left there is swept by the next one.

import { readFileSync, readlinkSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  makeStagingDirectory,
  removeStagingDirectory,
  STAGING_PREFIX,
  syncDirectory,
  writeFileDurably,
} from '../base/durable-files.ts';
import { readError } from '../base/errors.ts';
import { backupFiles, stampOfFile } from '../record/stamp.ts';

const OWNER_FILE = 'owner.json';

/** The process that a staging directory belongs to, so that a live one is never swept. */
interface Owner {
  readonly pid: number;
  /** When the process started, in clock ticks since boot: a pid alone may be another's by now. */
  readonly startTicks: string;
  readonly bootId: string;
  /** A pid means something only in its own pid namespace. */
  readonly pidNamespace: string;
}

/**
 * Makes a staging directory that says whose it is.
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function makeOwnedStaging(target: string): Promise<string> {
  const staging = await makeStagingDirectory(target);
  try {
    await writeFileDurably(join(staging, OWNER_FILE), JSON.stringify(thisProcess()));
    return staging;
  } catch (reason) {
    await removeStagingDirectory(staging);
    throw reason;
  }
}

/**
 * Removes what killed runs left in the target: their staging directories, and the files of a stamp
 * that were published without the record that would have made them a backup.
 * @throws EtcdkeepError `target-unwritable`, `file-failed`
 */
export async function sweepStaging(target: string): Promise<void> {
  for (const name of await namesIn(target)) {
    if (!name.startsWith(STAGING_PREFIX)) continue;
    const staging = join(target, name);
    if (isAlive(ownerOf(staging))) continue;
    for (const staged of await namesIn(staging)) await sweepUnrecorded(target, staged);
    await syncDirectory(target);
    // The last trace of the run goes last: a sweep that is killed itself is done again.
    await removeStagingDirectory(staging);
  }
}

/** A file that is still staged names a stamp that was never completed. */
async function sweepUnrecorded(target: string, staged: string): Promise<void> {
  const stamp = stampOfFile(staged);
  if (stamp === undefined) return;
  const { record, snapshot, resources } = backupFiles(stamp);
  if ((await namesIn(target)).includes(record)) return;
  await rm(join(target, snapshot), { force: true });
  await rm(join(target, resources), { force: true });
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (reason) {
    throw readError(reason, 'list the directory', directory);
  }
}

function thisProcess(): Owner {
  return {
    pid: process.pid,
    startTicks: startTicksOf(process.pid),
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    pidNamespace: readlinkSync('/proc/self/ns/pid'),
  };
}

/** Undefined when the run was killed before it could say. */
function ownerOf(staging: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(join(staging, OWNER_FILE), 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

function isAlive(owner: Owner | undefined): boolean {
  if (owner === undefined) return false;
  const here = thisProcess();
  if (owner.bootId !== here.bootId) return false;
  // From another container nothing can be said of it, so it is left alone.
  if (owner.pidNamespace !== here.pidNamespace) return true;
  return owner.startTicks === startTicksOf(owner.pid);
}

/** Field 22 of /proc/PID/stat (proc(5)); '' if there is no such process. */
function startTicksOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is a name in parentheses, which may hold spaces.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
