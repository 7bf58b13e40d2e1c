// What BACKUP is: a pair, a snapshot alone, or the data that an earlier restore or a stopped member has left.

import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { compressionOf, MAGIC_BYTES } from '../../base/decompressor.ts';
import { readFully } from '../../base/durable-files.ts';
import { EtcdkeepError, readError } from '../../base/errors.ts';
import { pathOf, type StoredBackup, type StoredFile } from '../../record/stored-backup.ts';
import { findBackup } from '../../record/stored-backups.ts';

export interface RestoreSource {
  readonly backup: StoredBackup;
  readonly snapshot: StoredFile;
  /** `data`: the data directory of a member that does not run; its write-ahead log is not replayed. */
  readonly kind: 'pair' | 'snapshot' | 'data';
  /** Of the write-ahead log that lies with the data, as a directory; undefined for every other kind. */
  readonly walDirectory: string | undefined;
}

/** Where the database is in a data directory, and in its `member`, which is what a restore keeps. */
const DATABASES = ['member/snap/db', 'snap/db'] as const;

export interface SourceRequest {
  readonly path: string;
  readonly stamp: string | undefined;
  readonly resourcesDirectory: string | undefined;
}

/**
 * Finds the files.
 * @throws EtcdkeepError `backup-not-found`, `backup-bad` without a snapshot, `snapshot-packed`, `file-failed`
 */
export async function findRestoreSource(request: SourceRequest): Promise<RestoreSource> {
  const { path, stamp, resourcesDirectory } = request;
  const data = stamp === undefined ? dataIn(path) : undefined;
  if (data !== undefined) return data;
  const backup = await findBackup(path, stamp, { resourcesDirectory });
  const { snapshot, resources } = backup;
  if (snapshot === undefined) {
    throw new EtcdkeepError('backup-bad', 'there is no snapshot in this backup', {
      path: pathOf(backup),
    });
  }
  await demandPlain(snapshot.path);
  const kind = backup.stamp === undefined && resources === undefined ? 'snapshot' : 'pair';
  return { backup, snapshot, kind, walDirectory: undefined };
}

/**
 * Data that a member may be writing to is no backup.
 * @param database that the host's own etcd uses, as it is reached from here
 * @throws EtcdkeepError `usage`
 */
export function demandNotOwnData({ snapshot }: RestoreSource, database: string): void {
  const [own, named] = [database, snapshot.path].map((path) =>
    statSync(path, { throwIfNoEntry: false }),
  );
  if (own === undefined || own.dev !== named?.dev || own.ino !== named.ino) return;
  throw new EtcdkeepError(
    'usage',
    "this is the data that the host's own etcd runs on, and no backup",
    {
      path: snapshot.path,
      advice: 'name a backup, or what an earlier restore has kept: member-before-STAMP',
    },
  );
}

function dataIn(directory: string): RestoreSource | undefined {
  for (const name of DATABASES) {
    const path = join(directory, name);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isFile() !== true) continue;
    const snapshot = { path, bytes: stats.size };
    const backup: StoredBackup = {
      stamp: undefined,
      possiblyDirty: false,
      directory,
      at: stats.mtime,
      snapshot,
      resources: undefined,
      record: undefined,
      recordPath: undefined,
      recordDefect: undefined,
    };
    return { backup, snapshot, kind: 'data', walDirectory: join(path, '../../wal') };
  }
  return undefined;
}

async function demandPlain(path: string): Promise<void> {
  const start = Buffer.alloc(MAGIC_BYTES);
  try {
    await using file = await open(path, 'r');
    await readFully(file, start);
  } catch (reason) {
    throw readError(reason, 'read the snapshot', path);
  }
  const compression = compressionOf(start);
  if (compression === undefined) return;
  throw new EtcdkeepError('snapshot-packed', `the snapshot is packed with ${compression}`, {
    path,
  });
}
