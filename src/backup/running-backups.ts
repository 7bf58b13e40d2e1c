// Which backups and restores run on the host: each leaves a note under /run while it does. A note is named after
// its process, so that one left by a killed run is known and no two runs ever fight over a file; and after
// the moment it was left, so that of two runs that begin at once just one gives way.

import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { namesIn } from '../base/directory-names.ts';
import { readError, systemCodeOf, writeError } from '../base/errors.ts';
import { mayStillRun, processLabel } from '../base/process-label.ts';
import type { Host } from '../controlplane/host.ts';

/** Emptied at every boot. A debug pod sees the host's own under /host. */
const NOTES = '/run/etcdkeep';

/** `backup-<process label>~<nanoseconds of the machine's own clock, which nobody sets>`. */
const NAME = /^(backup|restore)-(.+)~(\d+)$/;

type RunKind = 'backup' | 'restore';

/** What a run has said of itself. */
export interface BackupNote {
  /** Greater than that of every run that was there before. */
  readonly order: bigint;
  readonly remove: () => Promise<void>;
}

export interface RunningBackup {
  /** Its target and its process, in words. */
  readonly what: string;
  readonly since: Date;
}

/**
 * Leaves a note that a backup runs.
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export function noteBackup(host: Host, directory: string): Promise<BackupNote> {
  return leaveNote(host, 'backup', `to ${resolve(directory)}, process ${process.pid}`);
}

/**
 * Leaves a note that a restore runs.
 * @param stamp of the restore
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export function noteRestore(host: Host, stamp: string): Promise<BackupNote> {
  return leaveNote(host, 'restore', `${stamp}, process ${process.pid}`);
}

async function leaveNote(host: Host, kind: RunKind, what: string): Promise<BackupNote> {
  const order = process.hrtime.bigint();
  const path = join(host.realPath(NOTES), `${kind}-${processLabel()}~${order}`);
  try {
    await mkdir(host.realPath(NOTES), { recursive: true, mode: 0o700 });
    await writeFile(path, what, { mode: 0o600 });
  } catch (reason) {
    throw writeError(reason, `note that a ${kind} runs`, path);
  }
  // If it cannot be removed, the process's end makes it void all the same.
  return { order, remove: () => rm(path, { force: true }).catch(() => undefined) };
}

/**
 * The backups that run on the host.
 * @param before of this run's note: only those that were there before it; undefined for all
 * @throws EtcdkeepError `file-failed`
 */
export function runningBackups(
  host: Host,
  before: bigint | undefined,
): Promise<readonly RunningBackup[]> {
  return running(host, 'backup', before);
}

/** The restores that run on the host, in the same way. @throws EtcdkeepError `file-failed` */
export function runningRestores(
  host: Host,
  before: bigint | undefined,
): Promise<readonly RunningBackup[]> {
  return running(host, 'restore', before);
}

async function running(
  host: Host,
  kind: RunKind,
  before: bigint | undefined,
): Promise<readonly RunningBackup[]> {
  const directory = host.realPath(NOTES);
  const found: RunningBackup[] = [];
  for (const name of await namesIn(directory)) {
    const [, itsKind, label = '', order = '0'] = NAME.exec(name) ?? [];
    if (itsKind !== kind || mayStillRun(label) !== true) continue;
    if (before !== undefined && BigInt(order) >= before) continue;
    found.push(...(await readNote(join(directory, name))));
  }
  return found;
}

/** Removes the notes of processes that are no more. */
export async function sweepNotes(host: Host): Promise<void> {
  const directory = host.realPath(NOTES);
  for (const name of await namesIn(directory)) {
    const label = NAME.exec(name)?.[2];
    if (label === undefined || mayStillRun(label) !== false) continue;
    await rm(join(directory, name), { force: true }).catch(() => undefined);
  }
}

/** @returns nothing if the backup ended just now */
async function readNote(path: string): Promise<readonly RunningBackup[]> {
  try {
    const what = await readFile(path, 'utf8');
    return [{ what, since: (await stat(path)).mtime }];
  } catch (reason) {
    if (systemCodeOf(reason) === 'ENOENT') return [];
    throw readError(reason, 'read what runs', path);
  }
}
