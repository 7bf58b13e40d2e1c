// What backups there are in a directory, by the names of their files: our own, those of cluster-backup.sh and of its
// predecessors, and snapshots that carry no stamp. No database and no archive is opened.

import { type Dirent, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EtcdkeepError, readError, systemCodeOf } from '../base/errors.ts';
import { readRecord } from './record.ts';
import type { BackupRecord } from './schema.ts';
import { backupFiles, momentOfStamp } from './stamp.ts';
import { pathOf, type StoredBackup, type StoredFile } from './stored-backup.ts';

const STAMP = '(\\d{4}-\\d\\d-\\d\\d_\\d{6})(__POSSIBLY_DIRTY__)?';
const COMPRESSED = '(?:\\.gz|\\.zst)?';

/** Names that carry a stamp. The last is OpenShift 4.3.0's, of one archive with both. */
const NAMES = {
  snapshot: new RegExp(`^snapshot_${STAMP}\\.db${COMPRESSED}$`),
  resources: new RegExp(`^static_kuberesources_${STAMP}\\.tar\\.gz$`),
  record: new RegExp(`^backup_${STAMP}\\.json$`),
  both: new RegExp(`^snapshot_db_kuberesources_${STAMP}\\.tar\\.gz$`),
} as const;

type Kind = keyof typeof NAMES;

/** A snapshot that somebody named: `snapshot.db` of OpenShift 4.1 and 4.2, or a copy of a member's `db`. */
const UNSTAMPED = new RegExp(`(?:^db|\\.db)${COMPRESSED}$`);

/** Files of one stamp in one directory. */
interface Group {
  readonly stamp: string | undefined;
  readonly possiblyDirty: boolean;
  readonly directory: string;
  readonly files: Partial<Record<Kind, string>>;
}

const NO_DIRECTORY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such directory',
  ENOTDIR: 'it is a file, and backups are looked for in a directory',
};

export interface StoredOptions {
  /** Where archives lie that are kept apart from their snapshots, if not where the record says. */
  readonly resourcesDirectory?: string | undefined;
}

/**
 * The backups in a directory and in the directories below it, which is where OpenShift's jobs put each of theirs.
 * @returns the newest first
 * @throws EtcdkeepError `backup-not-found` if there is no such directory, `file-failed`
 */
export async function listBackups(
  directory: string,
  options: StoredOptions = {},
): Promise<StoredBackup[]> {
  const entries = await entriesOf(directory);
  const below = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
  const groups = groupsOf(directory, entries);
  for (const { name } of below) {
    const path = join(directory, name);
    // What belongs to others below it is none of its backups.
    const inner = await entriesOf(path).catch(() => []);
    groups.push(...groupsOf(path, inner).filter(({ stamp }) => stamp !== undefined));
  }
  const backups = await Promise.all(groups.map((group) => open(group, options)));
  return backups.sort((left, right) => right.at.getTime() - left.at.getTime());
}

/**
 * The backup that is meant by a path: of a directory the newest, or the one of a stamp; of a file the one it belongs to.
 * @throws EtcdkeepError `backup-not-found`, `file-failed`
 */
export async function findBackup(
  path: string,
  stamp: string | undefined,
  options: StoredOptions = {},
): Promise<StoredBackup> {
  const stats = look(path);
  if (!stats.isDirectory()) {
    const backup = await fileBackup(path, options);
    if (stamp === undefined || stamp === backup.stamp) return backup;
    throw new EtcdkeepError('backup-not-found', `this file is not of the backup of ${stamp}`, {
      path,
    });
  }
  const backups = await listBackups(path, options);
  const [found, other] =
    stamp === undefined ? backups : backups.filter((one) => one.stamp === stamp);
  if (found === undefined) throw notFound(path, stamp, backups);
  // A stamp names one backup, unless a marked one of the same second lies beside it.
  if (stamp === undefined || other === undefined) return found;
  throw new EtcdkeepError('backup-not-found', `there is more than one backup of ${stamp}`, {
    path,
    advice: `name one of its files: ${pathOf(found)} or ${pathOf(other)}`,
  });
}

function notFound(
  path: string,
  stamp: string | undefined,
  backups: readonly StoredBackup[],
): EtcdkeepError {
  const what = stamp === undefined ? 'there is no backup' : `there is no backup of ${stamp}`;
  const stamps = backups.slice(0, 3).map((one) => one.stamp ?? basename(pathOf(one)));
  return new EtcdkeepError('backup-not-found', `${what} in this directory`, {
    path,
    ...(stamps.length === 0 ? {} : { facts: [['there', stamps.join(', ')]] }),
  });
}

async function fileBackup(path: string, options: StoredOptions): Promise<StoredBackup> {
  const directory = dirname(path);
  const named = parseName(basename(path));
  const group: Group = { stamp: undefined, possiblyDirty: false, directory, files: {} };
  if (named === undefined) return open({ ...group, files: { snapshot: basename(path) } }, options);
  const groups = groupsOf(directory, await entriesOf(directory));
  const { stamp, possiblyDirty } = named;
  return open(
    groups.find((one) => one.stamp === stamp && one.possiblyDirty === possiblyDirty)!,
    options,
  );
}

function groupsOf(directory: string, entries: readonly Dirent[]): Group[] {
  const groups = new Map<string, Group>();
  for (const entry of entries) {
    if (entry.isDirectory()) continue;
    const named = parseName(entry.name);
    const isUnstamped = named === undefined && UNSTAMPED.test(entry.name);
    if ((named === undefined && !isUnstamped) || entry.name.startsWith('.')) continue;
    const { kind, stamp, possiblyDirty } = named ?? { kind: 'snapshot', possiblyDirty: false };
    const key = stamp === undefined ? entry.name : `${stamp}/${possiblyDirty}`;
    const group = groups.get(key) ?? { stamp, possiblyDirty, directory, files: {} };
    groups.set(key, { ...group, files: { ...group.files, [kind]: entry.name } });
  }
  return [...groups.values()];
}

interface Named {
  readonly kind: Kind;
  readonly stamp: string | undefined;
  readonly possiblyDirty: boolean;
}

function parseName(name: string): Named | undefined {
  for (const [kind, pattern] of Object.entries(NAMES)) {
    const match = pattern.exec(name);
    if (match === null) continue;
    return { kind: kind as Kind, stamp: match[1]!, possiblyDirty: match[2] !== undefined };
  }
  return undefined;
}

async function open(group: Group, options: StoredOptions): Promise<StoredBackup> {
  const { stamp, possiblyDirty, directory, files } = group;
  const recordPath = files.record && join(directory, files.record);
  const record = recordPath === undefined ? undefined : await readOrDefect(recordPath);
  const isDefect = record instanceof EtcdkeepError;
  const known = isDefect ? undefined : record;
  const snapshot = fileAt(directory, files.snapshot ?? files.both);
  const archive = files.resources ?? files.both;
  const resources = fileAt(directory, archive) ?? fileApart(group, known, options);
  return {
    stamp,
    possiblyDirty,
    directory,
    at: momentOf(group, known, snapshot ?? resources),
    snapshot,
    resources,
    record: known,
    recordPath,
    recordDefect: isDefect ? record : undefined,
  };
}

/** The archive where it was put apart from the snapshot. */
function fileApart(
  { stamp, possiblyDirty }: Group,
  record: BackupRecord | undefined,
  { resourcesDirectory }: StoredOptions,
): StoredFile | undefined {
  const directory = resourcesDirectory ?? record?.resources.directory;
  if (directory === undefined || stamp === undefined) return undefined;
  const name = record?.resources.file ?? backupFiles(stamp, { possiblyDirty }).resources;
  return fileAt(directory, name);
}

function momentOf(
  { stamp }: Group,
  record: BackupRecord | undefined,
  file: StoredFile | undefined,
): Date {
  if (record !== undefined) return new Date(record.started);
  if (stamp !== undefined) return momentOfStamp(stamp);
  return file === undefined ? new Date(0) : statSync(file.path).mtime;
}

async function readOrDefect(path: string): Promise<BackupRecord | EtcdkeepError> {
  try {
    return await readRecord(path);
  } catch (reason) {
    if (reason instanceof EtcdkeepError) return reason;
    throw reason;
  }
}

/** A link is followed; what cannot be looked at is not there. */
function fileAt(directory: string, name: string | undefined): StoredFile | undefined {
  if (name === undefined) return undefined;
  const path = join(directory, name);
  try {
    const stats = statSync(path);
    return stats.isFile() ? { path, bytes: stats.size } : undefined;
  } catch {
    return undefined;
  }
}

async function entriesOf(directory: string): Promise<Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (reason) {
    const why = NO_DIRECTORY[systemCodeOf(reason) ?? ''];
    if (why === undefined) throw readError(reason, 'look for backups', directory);
    throw new EtcdkeepError('backup-not-found', why, {
      path: directory,
      advice: 'name the directory that etcdkeep backup or cluster-backup.sh was given',
      cause: reason,
    });
  }
}

function look(path: string) {
  try {
    return statSync(path);
  } catch (reason) {
    if (systemCodeOf(reason) !== 'ENOENT') throw readError(reason, 'look for a backup', path);
    throw new EtcdkeepError('backup-not-found', 'there is no such file or directory', {
      path,
      cause: reason,
    });
  }
}
