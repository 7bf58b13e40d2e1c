// What is wrong with a data directory, before a member is started on it. That one boots proves little: there are
// directories on which every version starts and serves, and whose next member comes up healthy with nothing in it.
// Which version reads what was seen on 3.4.23, 3.5.35, 3.6.16 and 3.7.3.

import { EtcdkeepError } from '../../base/errors.ts';
import { compareMinors } from '../store/notes.ts';
import { checkDirectoryMembers } from './check-directory-members.ts';
import type { DataDirectory, MemberDatabase } from './data-directory.ts';
import { type DirectoryFinding, directoryError, directoryWarning } from './directory-finding.ts';
import { readsSnapFiles, type Start, startOf, versionOf } from './directory-start.ts';
import { validSnapshots } from './wal-reader.ts';

/**
 * Checks a data directory on which no member runs.
 * @param version of the etcd that is to start on it, such as `3.6.16`; the one that the cluster has agreed on if left
 * out
 */
export function* checkDataDirectory(
  directory: DataDirectory,
  version = versionOf(directory),
): Generator<DirectoryFinding> {
  const start = startOf(directory, version);
  yield* checkWal(start);
  yield* checkSnapshots(start);
  const { database } = directory;
  if (database instanceof EtcdkeepError) {
    const message = `the database cannot be read: ${database.message}`;
    yield directoryError('database', message, database.advice);
    return;
  }
  for (const { message, severity } of database.findings) {
    if (severity === 'error') yield directoryError('database', message, 'restore a snapshot');
  }
  yield* checkConsistentIndex(start, database);
  yield* checkRevisions(start, database);
  yield* checkVersions(start, database);
  yield* checkDirectoryMembers(start, database);
}

function* checkWal({ directory, version, from, lastIndex }: Start): Generator<DirectoryFinding> {
  const { end, metadata, hardState, log } = directory.wal;
  const place = end.segment === '' ? '' : ` (${end.segment}, byte ${end.offset})`;
  if (end.kind === 'torn') {
    const message = `the last write to the log is not there as a whole: ${end.reason}${place}; etcd cuts it off`;
    yield directoryWarning(
      'wal',
      message,
      'what is cut off was never on this disk: other members may have it',
    );
  } else if (end.kind === 'damaged') {
    const message = `the log is damaged, and etcd does not start on it: ${end.reason}${place}`;
    yield directoryError('wal', message, 'use another member, or restore a snapshot');
  }
  if (metadata === undefined) {
    yield directoryError(
      'wal',
      'the log does not say whose it is',
      'use another member, or restore a snapshot',
    );
  }
  if (hardState === undefined && from.index > 0n && readsSnapFiles(version)) {
    const message = 'the log has no state of raft: this etcd would never have a leader';
    yield directoryError('log', message, 'restore a snapshot');
  }
  if ((hardState?.commit ?? 0n) > lastIndex) {
    const message = `the log says that entry ${hardState!.commit} is committed, and ends with ${lastIndex}: etcd panics at its start`;
    yield directoryError('log', message, 'use another member, or restore a snapshot');
  }
  if (!log.isEmpty && log.firstIndex > from.index + 1n) {
    const message = `the log begins with entry ${log.firstIndex}, and this etcd would start from ${from.index}: what is between is missing`;
    yield directoryError('log', message, 'use another member, or restore a snapshot');
  }
}

function* checkSnapshots({ directory, version }: Start): Generator<DirectoryFinding> {
  if (!readsSnapFiles(version)) return;
  const { snapshot, brokenSnapshots } = directory;
  for (const { name, defect } of brokenSnapshots) {
    yield directoryWarning(
      'snapshot',
      `${name} ${defect}: etcd goes on without it`,
      'look at the disk',
    );
  }
  if (snapshot === undefined) return;
  const { name, members, hasV2Store, v2Members } = snapshot;
  if (members === undefined) {
    const message = `${name} does not say who votes: this etcd would never have a leader`;
    yield directoryError('snapshot', message, 'restore a snapshot');
  }
  if (!hasV2Store || typeof v2Members === 'string') {
    const defect = hasV2Store && typeof v2Members === 'string' ? v2Members : 'is missing';
    const message = `${name} has a store of etcd 2 that ${defect}: etcd panics at its start`;
    yield directoryError('snapshot', message, 'restore a snapshot');
  }
}

function* checkConsistentIndex(
  { directory, from, lastIndex }: Start,
  { notes }: MemberDatabase,
): Generator<DirectoryFinding> {
  const { consistentIndex } = notes;
  const index = consistentIndex ?? 0n;
  if (from.index > index && !directory.receivedDatabases.includes(from.index)) {
    const has =
      consistentIndex === undefined ? 'does not say at which entry it is' : `is at entry ${index}`;
    const message = `the database ${has}, and the state that etcd starts from is of entry ${from.index}: it panics, as the database of that entry is not there`;
    yield directoryError('consistent-index', message, 'restore a snapshot');
  }
  if (index > lastIndex) {
    const message = `the database is at entry ${index}, and the log ends with ${lastIndex}: etcd starts, and drops without a word what is written until its log has come that far`;
    yield directoryError('consistent-index', message, 'restore a snapshot of this database');
  }
}

/**
 * A member that joins gets entries from the first one on where the leader's log begins there, and never the database.
 * So everything in the database must have come from the log.
 */
function* checkRevisions(
  { directory, version, from }: Start,
  { notes, revision }: MemberDatabase,
): Generator<DirectoryFinding> {
  const { log } = directory.wal;
  // Where the log does not begin there, etcd does not start at all.
  if (from.index > 0n || (!log.isEmpty && log.firstIndex > 1n)) return;
  const writes = log.writes(1n, notes.consistentIndex ?? 0n);
  // The first revision is 1, and nothing has written it.
  if (revision - 1n <= BigInt(writes)) return;
  const { unknownSnapshots } = directory;
  const known = validSnapshots(directory.wal).findLast(({ index }) => index > 0n);
  const why =
    unknownSnapshots.length > 0
      ? `the log does not tell of ${unknownSnapshots[0]!}`
      : known !== undefined && readsSnapFiles(version)
        ? `the .snap file of entry ${known.index} is not there`
        : 'the log tells of no snapshot of its state';
  const message = `the database is at revision ${revision}, and the log has ${writes} writes from its first entry on, as ${why}: members that join would come up healthy and empty`;
  const advice =
    'start nothing on it, or add no member to it; restore the snapshot once more, or one of this database';
  yield directoryError('snapshot', message, advice);
}

function* checkVersions(
  { directory, version, from, lastIndex }: Start,
  { notes: { storageVersion, clusterVersion } }: MemberDatabase,
): Generator<DirectoryFinding> {
  const is = (noted: string | undefined): noted is string =>
    noted !== undefined && compareMinors(noted, version) > 0;
  const advice = `start etcd ${clusterVersion ?? storageVersion}, or restore a snapshot for this version`;
  if (compareMinors(version, '3.6.0') < 0) {
    if (is(storageVersion)) {
      const message = `the storage version is ${storageVersion}: etcd ${minorOf(version)} leaves it there, and an upgrade to a version before that will fail`;
      yield directoryWarning('version', message, 'restore a snapshot for this version');
    }
    return;
  }
  if (is(storageVersion)) {
    const message = `the storage version is ${storageVersion}: etcd ${minorOf(version)} refuses to start`;
    yield directoryError('version', message, advice);
  }
  if (is(clusterVersion)) {
    const message = `the cluster version is ${clusterVersion}: etcd ${minorOf(version)} panics at its start`;
    yield directoryError('version', message, advice);
  }
  if (readsSnapFiles(version)) return;
  const old = directory.wal.log.v2Requests(from.index + 1n, lastIndex);
  if (old === 0) return;
  const message = `${old} entries behind the last snapshot of the state are of an etcd before 3.6: etcd ${minorOf(version)} panics at its start`;
  yield directoryError(
    'version',
    message,
    `start etcd ${minorOf(clusterVersion ?? '3.6.0')} until it has made a snapshot of its state (--snapshot-count)`,
  );
}

function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}
