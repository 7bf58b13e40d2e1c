// A compacted copy of a snapshot: what its database holds and nothing else, with a digest of its own. It
// gets its name once it was read back and holds the same.

import { stat } from 'node:fs/promises';
import { createFile } from '../base/durable-files.ts';
import { EtcdkeepError, writeError } from '../base/errors.ts';
import { compactDatabase } from '../bbolt/compact.ts';
import { type FileSource, openFileSource } from '../bbolt/file-source.ts';
import { FileTarget } from '../bbolt/file-target.ts';
import type { PageSource } from '../bbolt/page-source.ts';
import { type DatabaseStatus, readDatabaseStatus } from '../etcd/store/database-status.ts';
import { type HashKV, hashKV } from '../etcd/store/hash-kv.ts';
import { compareDigest, DIGEST_SIZE, hashOf } from './digest.ts';
import { interruptible } from './interruptible.ts';
import { makeFile } from './new-file.ts';
import { fileError } from './snapshot-file.ts';

/** What is being done. */
export type DefragStep = 'comparing the digest' | 'reading' | 'copying' | 'reading the copy';

export interface DefragRequest {
  /** The snapshot, or a copy of a member's database; it is never changed. */
  readonly file: string;
  readonly to: string;
  /** Replace a file of that name. */
  readonly overwrite: boolean;
  /** Do not compare the digest at the end of the snapshot. */
  readonly skipHashCheck: boolean;
  readonly signal: AbortSignal;
  readonly report: (step: DefragStep) => void;
}

/** What is the same before and after, and how large each of them is. */
export interface Defragmented {
  /** Sizes of the files, in bytes. */
  readonly bytesBefore: number;
  readonly bytes: number;
  /** Whether the snapshot had a digest that was compared. */
  readonly digestCompared: boolean;
  readonly before: DatabaseStatus;
  readonly after: DatabaseStatus;
  readonly hashKV: HashKV;
  /** SHA-256 of the whole new file, hex. */
  readonly sha256: string;
}

/** What two databases are compared by. */
interface Held {
  readonly status: DatabaseStatus;
  readonly hashKV: HashKV;
}

/**
 * Writes the copy.
 * @throws EtcdkeepError; nothing is left behind, and a file of that name is as it was
 */
export async function defragSnapshot(request: DefragRequest): Promise<Defragmented> {
  const { file, to } = request;
  await refuseSameFile(file, to);
  return makeFile(to, request, async (partial) => {
    const source = openFileSource(file);
    try {
      return await copySnapshot(source, partial, request);
    } catch (reason) {
      throw fileError(reason, file);
    } finally {
      source.close();
    }
  });
}

async function copySnapshot(
  source: FileSource,
  partial: string,
  { file, skipHashCheck, signal, report }: DefragRequest,
): Promise<Defragmented> {
  report('comparing the digest');
  const digestCompared = !skipHashCheck && (await compareDigest(file, source.size, signal));
  report('reading');
  const pages = interruptible(source, signal);
  const before = await readHeld(pages);
  report('copying');
  const { size, sha256 } = await writeCopy(pages, partial, signal);
  report('reading the copy');
  const after = await readBack(partial, size, before, signal);
  return {
    bytesBefore: source.size,
    bytes: size + DIGEST_SIZE,
    digestCompared,
    before: before.status,
    after,
    hashKV: before.hashKV,
    sha256,
  };
}

async function readHeld(source: PageSource): Promise<Held> {
  return { status: await readDatabaseStatus(source), hashKV: await hashKV(source) };
}

/** Writes the database and its digest, and brings both to the disk. */
async function writeCopy(
  source: PageSource,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly size: number; readonly sha256: string }> {
  await using handle = await createFile(path);
  const target = new FileTarget(handle, path, signal);
  const { size } = await compactDatabase(source, target);
  await target.flush();
  // The metas are written last and come first in the file, so what is hashed is what was written.
  const { hash } = await hashOf(path, size, signal);
  const digest = hash.copy().digest();
  await target.write(digest, size);
  await target.flush();
  try {
    await handle.sync();
  } catch (reason) {
    throw writeError(reason, 'sync the file', path);
  }
  return { size, sha256: hash.update(digest).digest('hex') };
}

/**
 * Reads what was written, and expects it to hold the same.
 * @throws EtcdkeepError `file-failed`, and the signal's reason
 */
async function readBack(
  path: string,
  size: number,
  before: Held,
  signal: AbortSignal,
): Promise<DatabaseStatus> {
  const copy = openFileSource(path, size);
  try {
    const after = await readHeld(interruptible(copy, signal));
    const differing = DIFFERENCES.find((of) => of(before) !== of(after));
    if (differing === undefined) return after.status;
  } catch (reason) {
    if (!(reason instanceof EtcdkeepError) || reason.code !== 'database-damaged') throw reason;
  } finally {
    copy.close();
  }
  throw new EtcdkeepError(
    'file-failed',
    'the copy does not hold what the snapshot held when it was read first',
    { path, advice: 'see that nothing writes to the snapshot, and that the disks are sound' },
  );
}

/** The hash is over all buckets; HashKV is what members compare. */
const DIFFERENCES: readonly ((held: Held) => number | bigint)[] = [
  ({ status }) => status.hash,
  ({ status }) => status.revision,
  ({ status }) => status.entries,
  (held) => held.hashKV.hash,
  (held) => held.hashKV.hashRevision,
  (held) => held.hashKV.compactRevision,
];

/** Even with --overwrite: the snapshot is not replaced by its own copy. */
async function refuseSameFile(file: string, to: string): Promise<void> {
  const inodes = await Promise.all(
    [file, to].map((path) => stat(path, { bigint: true }).catch(() => undefined)),
  );
  const [source, target] = inodes;
  if (source === undefined || target === undefined) return;
  if (source.dev !== target.dev || source.ino !== target.ino) return;
  throw new EtcdkeepError('usage', 'the copy would take the place of the snapshot itself', {
    path: to,
    advice: 'name another file with --to',
  });
}
