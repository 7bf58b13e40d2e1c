// The database of a data directory that is being made: changed to that of a new cluster, copied for its other members, and
// looked at again.

import { constants, copyFile, type FileHandle, open, stat } from 'node:fs/promises';
import { EtcdkeepError, writeError } from '../base/errors.ts';
import { DatabaseEdit } from '../bbolt/edit.ts';
import { openFileSource } from '../bbolt/file-source.ts';
import { FileTarget } from '../bbolt/file-target.ts';
import { readMeta } from '../bbolt/meta.ts';
import { editForRestore, type RestoreEdits } from '../etcd/datadir/restore-edits.ts';
import { readStoreContents } from '../etcd/store/store-contents.ts';
import { hashOf } from './digest.ts';

/**
 * Changes a copied database, brings it to the disk, and reads back what was changed.
 * @returns its size in bytes
 * @throws EtcdkeepError `database-damaged`, `disk-full`, `file-failed`
 */
export async function editDatabase(path: string, edits: RestoreEdits): Promise<number> {
  const source = openFileSource(path);
  try {
    await using file = await openForWriting(path);
    const target = new FileTarget(file, path);
    const edit = await DatabaseEdit.open(source);
    editForRestore(edit, edits);
    await edit.commit(target);
    await target.flush();
    await sync(file, path);
  } finally {
    source.close();
  }
  await demandEdited(path, edits);
  return (await stat(path)).size;
}

/** Reads the members and how far raft has come from what was written. */
async function demandEdited(path: string, { cluster, bumpTo }: RestoreEdits): Promise<void> {
  const source = openFileSource(path);
  try {
    const contents = await readStoreContents(source, await readMeta(source), () => undefined);
    const { members, membersRemoved, notes } = contents;
    const ids = members.map(({ id }) => id).sort((left, right) => (left < right ? -1 : 1));
    const isAsWanted =
      ids.join() === cluster.members.map(({ id }) => id).join() &&
      membersRemoved.length === 0 &&
      notes.consistentIndex === BigInt(ids.length) &&
      (bumpTo === undefined || notes.scheduledCompactRevision === bumpTo);
    if (isAsWanted) return;
  } finally {
    source.close();
  }
  throw differs('what was written to the database is not there when it is read again', path);
}

/** Copies the database of one member for another. @throws EtcdkeepError `disk-full`, `file-failed` */
export async function copyDatabase(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    await using file = await open(to, 'r+');
    await file.sync();
  } catch (reason) {
    throw writeError(reason, 'write the file', to);
  }
}

/**
 * Members that start on databases that are not the same would differ for ever, and no etcd would tell.
 * @throws EtcdkeepError `file-failed`, and the signal's reason
 */
export async function compareDatabases(
  [first, ...others]: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (others.length === 0) return;
  const digest = await digestOf(first!, signal);
  for (const other of others) {
    if ((await digestOf(other, signal)) === digest) continue;
    throw differs('the database of this member is not that of the others', other);
  }
}

async function digestOf(path: string, signal: AbortSignal): Promise<string> {
  const { size } = await stat(path);
  return (await hashOf(path, size, signal)).hash.digest('hex');
}

function differs(message: string, path: string): EtcdkeepError {
  const advice = 'see that nothing else writes there, and that the disk is sound';
  return new EtcdkeepError('file-failed', message, { path, advice });
}

async function openForWriting(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (reason) {
    throw writeError(reason, 'write the file', path);
  }
}

async function sync(file: FileHandle, path: string): Promise<void> {
  try {
    await file.sync();
  } catch (reason) {
    throw writeError(reason, 'sync the file', path);
  }
}
