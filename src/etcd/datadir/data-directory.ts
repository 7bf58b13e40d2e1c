// A member's data directory, as it lies there: its log, its snapshots of the state, and its database. Nothing in it is
// written, and nothing that a member would do at its start is done.
// Source: etcd, server/etcdserver/bootstrap.go, server/storage/util.go; etcd-observed layouts in docs/architecture.md.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from '../../base/directory-names.ts';
import { EtcdkeepError, systemCodeOf } from '../../base/errors.ts';
import { openBucket } from '../../bbolt/cursor.ts';
import { openFileSource } from '../../bbolt/file-source.ts';
import { readMeta } from '../../bbolt/meta.ts';
import type { PageSource } from '../../bbolt/page-source.ts';
import type { ContentsFinding } from '../store/contents-finding.ts';
import type { Member } from '../store/member.ts';
import { mainRevision, revisionDefect } from '../store/revision-key.ts';
import { readStoreContents } from '../store/store-contents.ts';
import type { StoreNotes } from '../store/store-notes.ts';
import type { RaftSnapshot, SnapshotPosition } from './raft-reader.ts';
import { parseSnapName, readSnap } from './snap-reader.ts';
import { parseV2Members } from './v2-members.ts';
import { readWal, validSnapshots, type Wal } from './wal-reader.ts';

/** What a .snap file holds. */
export interface StateSnapshot extends SnapshotPosition {
  readonly name: string;
  /** Members of the old store, by which 3.4 and 3.5 start; what is wrong with them, as a sentence without a subject. */
  readonly v2Members: readonly Member[] | string;
  /** Whether there is anything in which to look for them: 3.4 to 3.6 do not start without it. */
  readonly hasV2Store: boolean;
}

/** A .snap file that cannot be used, and why, as a sentence without a subject. */
export interface BrokenSnapshot {
  readonly name: string;
  readonly defect: string;
}

/** What is noted in the database. */
export interface MemberDatabase {
  /** Size of the file, in bytes. */
  readonly bytes: number;
  readonly notes: StoreNotes;
  readonly members: readonly Member[];
  /** Revision that a member starts at with it: compactions count, and 1 is the least. */
  readonly revision: bigint;
  readonly findings: readonly ContentsFinding[];
}

export interface DataDirectory {
  /** The directory that `member` is in. */
  readonly path: string;
  readonly databasePath: string;
  readonly walDirectory: string;
  readonly wal: Wal;
  /**
   * From which etcd before 3.7 starts: the newest sound .snap file that the log tells of. Undefined if there is none:
   * then it begins with the first entry.
   */
  readonly snapshot: StateSnapshot | undefined;
  /** Names of .snap files of which the log does not tell. */
  readonly unknownSnapshots: readonly string[];
  /** Newer than the one that is used. */
  readonly brokenSnapshots: readonly BrokenSnapshot[];
  /** Indices of databases that a leader has sent and that have not taken the place of `db` yet. */
  readonly receivedDatabases: readonly bigint[];
  /** What is wrong where it cannot be read: `database-damaged`, `file-failed`, or that it is in use. */
  readonly database: MemberDatabase | EtcdkeepError;
}

export interface DataDirectoryOptions {
  /** Where the log is, if not in the directory. */
  readonly walDirectory?: string | undefined;
  /** Why its database is not to be read: a member writes to it. A log only grows, and is read all the same. */
  readonly inUse?: EtcdkeepError | undefined;
}

/**
 * Reads a data directory. What is damaged in it is part of the answer.
 * @throws EtcdkeepError `data-directory-invalid` if it is none; `file-failed`
 */
export async function readDataDirectory(
  path: string,
  { walDirectory = join(path, 'member', 'wal'), inUse }: DataDirectoryOptions = {},
): Promise<DataDirectory> {
  const snapDirectory = join(path, 'member', 'snap');
  const names = await namesIn(snapDirectory);
  const wal = await readWal(walDirectory);
  const databasePath = join(snapDirectory, 'db');
  if (wal.segments.length === 0 && !names.includes('db')) throw await notOne(path);
  const snaps = await readSnaps(snapDirectory, names, wal);
  return {
    path,
    databasePath,
    walDirectory,
    wal,
    ...snaps,
    receivedDatabases: names.flatMap((name) => {
      const index = /^([0-9a-f]{16})\.snap\.db$/.exec(name)?.[1];
      return index === undefined ? [] : [BigInt(`0x${index}`)];
    }),
    database: inUse ?? (await readDatabase(databasePath)),
  };
}

async function notOne(path: string): Promise<EtcdkeepError> {
  const isThere = await stat(path).then(
    () => true,
    (reason: unknown) => !['ENOENT', 'ENOTDIR'].includes(systemCodeOf(reason) ?? ''),
  );
  const isMember = (await namesIn(path)).some((name) => name === 'snap' || name === 'wal');
  const message = isThere
    ? 'this is no data directory of etcd: there is neither member/wal nor member/snap/db in it'
    : 'there is no such data directory';
  const advice = isMember ? 'name the directory that "member" is in' : undefined;
  return new EtcdkeepError('data-directory-invalid', message, {
    path,
    ...(advice === undefined ? {} : { advice }),
  });
}

/** In the order in which etcd tries them (snapshotter.go, LoadNewestAvailable). */
async function readSnaps(
  directory: string,
  names: readonly string[],
  wal: Wal,
): Promise<Pick<DataDirectory, 'snapshot' | 'unknownSnapshots' | 'brokenSnapshots'>> {
  const known = new Set(validSnapshots(wal).map(({ index, term }) => `${index} ${term}`));
  const snaps = names
    .toSorted()
    .reverse()
    .flatMap((name) => parseSnapName(name) ?? []);
  const unknownSnapshots: string[] = [];
  const brokenSnapshots: BrokenSnapshot[] = [];
  for (const { name } of snaps) {
    const read = await readSnap(join(directory, name));
    if (typeof read === 'string') brokenSnapshots.push({ name, defect: read });
    else if (!known.has(`${read.index} ${read.term}`)) unknownSnapshots.push(name);
    else return { snapshot: stateOf(name, read), unknownSnapshots, brokenSnapshots };
  }
  return { snapshot: undefined, unknownSnapshots, brokenSnapshots };
}

function stateOf(name: string, { index, term, members, data }: RaftSnapshot): StateSnapshot {
  const v2Members = parseV2Members(data);
  return { name, index, term, members, v2Members, hasV2Store: data.length > 0 };
}

/** Reads what a database notes; bucket `key` is looked at only for its last revision. */
export async function readDatabase(path: string): Promise<MemberDatabase | EtcdkeepError> {
  try {
    const source = openFileSource(path);
    try {
      return await readMemberDatabase(source);
    } finally {
      source.close();
    }
  } catch (reason) {
    if (!(reason instanceof EtcdkeepError)) throw reason;
    return new EtcdkeepError(reason.code, reason.message, { ...reason.position, path });
  }
}

async function readMemberDatabase(source: PageSource): Promise<MemberDatabase> {
  const meta = await readMeta(source);
  const findings: ContentsFinding[] = [];
  const contents = await readStoreContents(source, meta, (finding) => findings.push(finding));
  const { notes, members } = contents;
  const revision = [
    await lastRevision(source),
    notes.scheduledCompactRevision ?? 0n,
    notes.finishedCompactRevision ?? 0n,
  ].reduce((left, right) => (left > right ? left : right), 1n);
  return { bytes: source.size, notes, members, revision, findings };
}

async function lastRevision(source: PageSource): Promise<bigint> {
  const cursor = await openBucket(source, [Buffer.from('key')]);
  for (let there = (await cursor?.last()) ?? false; there; there = await cursor!.prev()) {
    const { bytes, keyStart, valueStart } = cursor!;
    if (revisionDefect(bytes, keyStart, valueStart) !== undefined) continue;
    return mainRevision(new DataView(bytes.buffer, bytes.byteOffset), keyStart);
  }
  return 0n;
}
