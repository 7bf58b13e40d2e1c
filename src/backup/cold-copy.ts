// A snapshot of a member that does not run: its database as it lies on the disk, looked at as a whole, with a digest behind
// it. What is left to be taken when certificates have expired, and nothing answers any more.

import { open, stat } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { EtcdkeepError, writeError } from '../base/errors.ts';
import { roomFor } from '../base/room.ts';
import { formatBytes } from '../base/units.ts';
import { databaseDamaged } from '../bbolt/damage.ts';
import { openFileSource } from '../bbolt/file-source.ts';
import { readMeta } from '../bbolt/meta.ts';
import { checkDataDirectory } from '../etcd/datadir/check-data-directory.ts';
import { type DataDirectory, readDataDirectory } from '../etcd/datadir/data-directory.ts';
import type { DirectoryFinding } from '../etcd/datadir/directory-finding.ts';
import { checkStore } from '../etcd/store/check-store.ts';
import type { DatabaseStatus } from '../etcd/store/database-status.ts';
import { isError } from '../etcd/store/store-finding.ts';
import { DIGEST_SIZE } from './digest.ts';
import { interruptible } from './interruptible.ts';
import { makeFile } from './new-file.ts';
import { copyPages } from './snapshot-copy.ts';
import { holdStopped } from './stopped-member.ts';
import { demandUnchanged, lookAtFile } from './unchanged-file.ts';

export interface ColdCopyRequest {
  /** The data directory of a member that does not run; nothing in it is written. */
  readonly dataDirectory: string;
  /** Where its log is, if not in it. */
  readonly walDirectory?: string | undefined;
  readonly to: string;
  /** Replace a file of that name. */
  readonly overwrite: boolean;
  readonly progress: (bytes: number, totalBytes: number) => void;
  readonly signal: AbortSignal;
}

/** What of the log the database does not have yet. */
export interface EntriesBeyond {
  /** How many entries lie behind the last one that is in the database. */
  readonly entries: number;
  /** How many of them may have made a revision. */
  readonly writes: number;
  /** Of those, how many the member knew to be agreed on by the cluster. */
  readonly committedWrites: number;
}

export interface ColdCopy {
  /** Size of the file: the database and the 32 bytes of its digest. */
  readonly bytes: number;
  /** SHA-256 of the database, which ends the file, hex. */
  readonly trailer: string;
  readonly status: Omit<DatabaseStatus, 'hash'>;
  readonly directory: DataDirectory;
  readonly beyond: EntriesBeyond;
  /** What is wrong with the directory beside its database; the copy is none the worse for it. */
  readonly findings: readonly DirectoryFinding[];
  /** Whether its database was locked meanwhile; else only no process that can be seen had it open. */
  readonly wasLocked: boolean;
}

/**
 * Makes the copy, which appears under its name only when all of it is proven.
 * @throws EtcdkeepError `data-directory-in-use`, `data-directory-invalid`, `database-damaged`, and those of a new file; then
 * nothing is left behind
 */
export async function saveColdCopy(request: ColdCopyRequest): Promise<ColdCopy> {
  try {
    return await save(request);
  } catch (reason) {
    if (reason instanceof EtcdkeepError) reason.aftermath ??= 'Nothing was written.';
    throw reason;
  }
}

async function save(request: ColdCopyRequest): Promise<ColdCopy> {
  const { dataDirectory, walDirectory, to } = request;
  refuseInside(to, dataDirectory);
  const directory = await readDataDirectory(dataDirectory, { walDirectory });
  if (directory.database instanceof EtcdkeepError) throw directory.database;
  await using lock = await holdStopped(dataDirectory);
  const { status, sha256, bytes } = await makeFile(to, request, (partial) =>
    copyDatabase(directory, partial, request),
  );
  return {
    bytes,
    trailer: sha256,
    status,
    directory,
    beyond: entriesBeyond(directory),
    findings: [...checkDataDirectory(directory)],
    wasLocked: lock.state === 'held',
  };
}

/** @throws EtcdkeepError `usage` */
function refuseInside(to: string, dataDirectory: string): void {
  if (!resolve(to).startsWith(`${resolve(dataDirectory)}${sep}`)) return;
  throw new EtcdkeepError('usage', 'the copy would be written into the data directory itself', {
    path: to,
    advice: 'name a file on another disk, if there is one',
  });
}

async function copyDatabase(
  { databasePath }: DataDirectory,
  to: string,
  { progress, signal }: ColdCopyRequest,
): Promise<{ readonly status: DatabaseStatus; readonly sha256: string; readonly bytes: number }> {
  const before = lookAtFile(databasePath);
  const size = await databaseSize(databasePath);
  await demandRoom(to, size);
  const source = openFileSource(databasePath, size);
  try {
    const { status, sha256 } = await copyPages(source, { to, progress, signal });
    // No digest of the member's own vouches for the bytes: the history of every key has to.
    await checkStore(interruptible(source, signal), (finding) => {
      if (isError(finding)) throw databaseDamaged(finding.message, finding);
    });
    demandUnchanged(databasePath, before);
    await appendDigest(to, Buffer.from(sha256, 'hex'));
    return { status, sha256, bytes: size + DIGEST_SIZE };
  } catch (reason) {
    throw located(reason, databasePath);
  } finally {
    source.close();
  }
}

/** bbolt makes its file longer than the pages in it; a snapshot has those alone. */
async function databaseSize(path: string): Promise<number> {
  const source = openFileSource(path);
  try {
    const { pages, pageSize } = await readMeta(source);
    return pages * pageSize;
  } catch (reason) {
    throw located(reason, path);
  } finally {
    source.close();
  }
}

function located(reason: unknown, path: string): unknown {
  if (!(reason instanceof EtcdkeepError) || reason.code !== 'database-damaged') return reason;
  return new EtcdkeepError('database-damaged', reason.message, { ...reason.position, path });
}

async function demandRoom(to: string, bytes: number): Promise<void> {
  const [room] = await roomFor([{ directory: resolve(to, '..'), bytes }]);
  if (room === undefined || room.free >= room.needed) return;
  const message = `the copy needs ${formatBytes(room.needed)}, and ${formatBytes(room.free)} are free there`;
  throw new EtcdkeepError('disk-full', message, { path: to });
}

async function appendDigest(path: string, digest: Uint8Array): Promise<void> {
  try {
    await using file = await open(path, 'r+');
    const { size } = await stat(path);
    await file.write(digest, 0, digest.length, size);
    await file.sync();
  } catch (reason) {
    throw writeError(reason, 'write the digest', path);
  }
}

/** What of the log is not in the database. */
export function entriesBeyond({ wal, database }: DataDirectory): EntriesBeyond {
  const { log, hardState } = wal;
  if (database instanceof EtcdkeepError) throw database;
  const from = (database.notes.consistentIndex ?? 0n) + 1n;
  const last = log.lastIndex;
  const commit = hardState?.commit ?? 0n;
  return {
    entries: last < from || log.isEmpty ? 0 : Number(last - from + 1n),
    writes: log.writes(from, last),
    committedWrites: log.writes(from, commit < last ? commit : last),
  };
}
