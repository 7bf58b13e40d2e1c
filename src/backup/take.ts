// Takes a backup on a control-plane host: the snapshot first, the static resources after it (the
// encryption keys must not be older than the data), and the record last, which makes it a backup.

import { mkdir, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  makeStagingDirectory,
  moveFile,
  removeStagingDirectory,
  writeFileDurably,
} from '../base/durable-files.ts';
import { EtcdkeepError, systemCodeOf, writeError } from '../base/errors.ts';
import { findHost, type Host } from '../controlplane/host.ts';
import { findLocalEtcd, type LocalEtcd } from '../controlplane/local-etcd.ts';
import { lookAtStaticResources, type StaticResources } from '../controlplane/static-resources.ts';
import { EtcdClient } from '../etcd/client/client.ts';
import { encodeRecord } from '../record/record.ts';
import type { BackupRecord } from '../record/schema.ts';
import { type BackupFiles, backupFiles, stampOf, stampOfFile } from '../record/stamp.ts';
import { archiveResources } from './archive-resources.ts';
import { buildRecord } from './build-record.ts';
import { checkThrough, type HostRequest, requireRoot } from './check.ts';
import { refusalOf } from './checks/preflight.ts';
import type { CheckResult } from './checks/result.ts';
import type { Report } from './events.ts';
import { type BackupNote, noteBackup, sweepNotes } from './running-backups.ts';
import { receiveSnapshot, type Snapshot, type TransferLimits } from './save.ts';
import { sweepStaging } from './staging.ts';

export interface TakeRequest extends HostRequest {
  /** Where the backup goes; made if it does not exist. */
  readonly directory: string;
  /** Refuse nothing, and mark the files as possibly dirty, as OpenShift's --force does. */
  readonly force: boolean;
  /** Program and version, for the record. */
  readonly tool: string;
  readonly limits: TransferLimits;
  readonly report: Report;
}

/** A backup on the disk. */
export interface Backup {
  readonly directory: string;
  readonly files: BackupFiles;
  readonly snapshot: Snapshot;
  readonly record: BackupRecord;
}

/**
 * Takes a backup of the host.
 * @throws EtcdkeepError; nothing new is left in the directory, and earlier backups are as they were
 */
export async function takeBackup(request: TakeRequest): Promise<Backup> {
  requireRoot(request.uid, 'backed up');
  const before = await namesIn(request.directory);
  try {
    return await takeFromHost(request);
  } catch (reason) {
    if (reason instanceof EtcdkeepError) {
      reason.aftermath = await aftermathIn(request.directory, before);
    }
    throw reason;
  }
}

function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

/** What is seen once this run has cleaned up after itself. */
async function aftermathIn(directory: string, before: readonly string[]): Promise<string> {
  const names = await namesIn(directory);
  const added = names.filter((name) => !before.includes(name));
  if (added.length > 0) {
    return `In ${directory} since this run began, and no backup unless another run's: ${added.join(', ')}`;
  }
  const earlier = names.filter((name) => /^backup_.*\.json$/.test(name)).length;
  if (earlier === 0) return 'Nothing was written.';
  const backups = earlier === 1 ? 'the earlier backup' : `the ${earlier} earlier backups`;
  return `Nothing was written; ${backups} in ${directory} ${earlier === 1 ? 'is' : 'are'} untouched.`;
}

function takeFromHost(request: TakeRequest): Promise<Backup> {
  return withDirectory(resolve(request.directory), async () => {
    const host = await findHost(request.root);
    const member = await findLocalEtcd(host, request.hostName);
    request.report({ kind: 'host-found', name: member.name, layout: host.layout });
    const firstLook = await lookAtStaticResources(host);
    const options = await request.connectTo(host, member);
    const client = await EtcdClient.connect(options);
    const note = await leaveNote(host, request);
    try {
      const { directory, policy, now } = request;
      const resources = firstLook;
      const facts = { host, local: member, resources, directory, note, now: now() };
      const checks = await checkThrough(client, options, facts, policy);
      request.report({ kind: 'checks-made', checks, skipped: policy.skipped });
      const refusal = refusalOf(checks);
      if (refusal !== undefined && !request.force) throw refusal;
      return await takeInto(request, { host, member, client, firstLook, checks });
    } finally {
      client.close();
      if (!(note instanceof EtcdkeepError)) await note.remove();
    }
  });
}

/** A host whose /run cannot be written is backed up all the same. */
async function leaveNote(
  host: Host,
  { directory }: TakeRequest,
): Promise<BackupNote | EtcdkeepError> {
  try {
    const note = await noteBackup(host, directory);
    await sweepNotes(host);
    return note;
  } catch (reason) {
    if (reason instanceof EtcdkeepError) return reason;
    throw reason;
  }
}

interface Source {
  readonly host: Host;
  readonly member: LocalEtcd;
  readonly client: EtcdClient;
  readonly firstLook: StaticResources;
  readonly checks: readonly CheckResult[];
}

async function takeInto(
  request: TakeRequest,
  { host, member, client, firstLook, checks }: Source,
): Promise<Backup> {
  const { directory, report, signal } = request;
  await sweepStaging(directory);
  const started = await findFreeSecond(request);
  const stamp = stampOf(started);
  const files = backupFiles(stamp, { possiblyDirty: request.force });
  const staging = await makeStagingDirectory(directory);
  try {
    for (const { name, path } of firstLook.pods)
      report({ kind: 'static-pod-found', pod: name, path });
    const snapshot = await receiveSnapshot(client, join(staging, files.snapshot), request);
    const resources = await archiveResources(
      host,
      firstLook,
      join(staging, files.resources),
      request,
    );
    signal.throwIfAborted();
    const record = buildRecord({
      stamp,
      files,
      tool: request.tool,
      hostName: member.name,
      layout: host.layout,
      snapshot,
      resources,
      checks,
      skipped: request.policy.skipped,
      started,
      finished: request.now(),
    });
    await writeFileDurably(join(staging, files.record), encodeRecord(record));
    await publish(staging, directory, files);
    return { directory, files, snapshot, record };
  } finally {
    await removeStagingDirectory(staging);
  }
}

/** A stamp has no more than seconds: where a backup of this one exists, the next one is waited for. */
async function findFreeSecond({ directory, now, signal }: TakeRequest): Promise<Date> {
  const moment = now();
  const taken = (await readdir(directory)).map(stampOfFile);
  if (!taken.includes(stampOf(moment))) return moment;
  await sleep(1000 - moment.getMilliseconds(), undefined, { signal }).catch(() => undefined);
  signal.throwIfAborted();
  return now();
}

/** Moves the files to their names, the record last; what was moved goes if a later one fails. */
async function publish(staging: string, directory: string, files: BackupFiles): Promise<void> {
  const published: string[] = [];
  try {
    for (const name of [files.resources, files.snapshot, files.record]) {
      await moveFile(join(staging, name), join(directory, name));
      published.push(name);
    }
  } catch (reason) {
    // The first failure is the one to tell.
    for (const name of published) {
      await rm(join(directory, name), { force: true }).catch(() => undefined);
    }
    if (!(reason instanceof EtcdkeepError && reason.code === 'target-exists')) throw reason;
    throw new EtcdkeepError('target-exists', 'another run began a backup in the same second', {
      ...reason.position,
      advice: 'run it again',
      cause: reason,
    });
  }
}

/** Makes the directory if need be, and takes it away again if it was made in vain. */
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
    if (made !== undefined || (await stat(directory)).isDirectory()) return made;
  } catch (reason) {
    if (systemCodeOf(reason) !== 'EEXIST') {
      throw writeError(reason, 'make the directory for the backup', directory);
    }
  }
  throw new EtcdkeepError('target-not-directory', 'the place for the backup is a file', {
    path: directory,
  });
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
