// Makes data directories from a snapshot, as `etcdutl snapshot restore` does, for the members of a cluster that is new.
// What is made appears under its name when all of it is written, looked at again and on the disk.

import { EtcdkeepError } from '../base/errors.ts';
import { roomFor } from '../base/room.ts';
import { formatBytes } from '../base/units.ts';
import { type NewCluster, newCluster } from '../etcd/datadir/new-member.ts';
import { storageVersionAt } from '../etcd/datadir/restore-edits.ts';
import { WAL_SIZE } from '../etcd/datadir/wal-writer.ts';
import type { Alarm } from '../etcd/store/alarm.ts';
import type { Member } from '../etcd/store/member.ts';
import { compareMinors } from '../etcd/store/notes.ts';
import { compactRevisionOf } from '../etcd/store/revision-bounds.ts';
import { type MemberDirectory, NewDataDirectory } from './new-data-directory.ts';
import { compareDatabases, copyDatabase, editDatabase } from './restored-database.ts';
import { copySnapshot, type SnapshotCopy } from './snapshot-copy.ts';
import { lookAtFile } from './unchanged-file.ts';

export interface RestoreSnapshotRequest {
  /** The snapshot, or a copy of a member's database; it is never changed. */
  readonly file: string;
  /** Those members that a directory is made for; all get the same database. */
  readonly directories: readonly MemberDirectory[];
  /** Of every member of the new cluster by its name: sorted, and none twice (peer-urls.ts). */
  readonly peerUrls: ReadonlyMap<string, readonly string[]>;
  readonly token: string;
  /** By how much revisions rise; all that was before is compacted then. */
  readonly bump?: bigint | undefined;
  readonly clearAlarms?: boolean;
  /** Minor version of the etcd that is to start on it, such as `3.6`, if not any that knows the snapshot's. */
  readonly targetVersion?: string | undefined;
  /** Do not compare the digest; it need not have one. The history of every key is followed instead. */
  readonly skipDigest?: boolean;
  readonly progress?: (bytes: number, totalBytes: number) => void;
  readonly signal: AbortSignal;
}

/** What was made. */
export interface RestoredSnapshot {
  readonly cluster: NewCluster;
  /** What the snapshot holds. */
  readonly snapshot: SnapshotCopy;
  /** Size of the database of each directory, in bytes. */
  readonly bytes: number;
  /** Revision that etcd starts at, and up to where it is compacted; -1 if it never was. */
  readonly revision: bigint;
  readonly compactRevision: bigint;
  /** A compaction that is left for etcd to finish. */
  readonly isCompactionPending: boolean;
  /** Members of the old cluster; none of them is in the new one. */
  readonly dropped: readonly Member[];
  readonly alarms: readonly Alarm[];
  readonly alarmsCleared: boolean;
  /** Cluster and storage version, as they are now; undefined where the database has none. */
  readonly clusterVersion: string | undefined;
  readonly storageVersion: string | undefined;
  /** Whether they had to be lowered. */
  readonly versionsLowered: boolean;
}

/** Half of what there is: what is left is never used up. */
const REVISION_MAX = 2n ** 62n;

/** What the changes of the database and the small files take, and more. */
const SPARE_BYTES = 8 << 20;

/** Versions that start on what is made here. */
const TARGETS = ['3.4', '3.5', '3.6', '3.7'];
const NEWEST_TARGET = '3.7';

/**
 * Restores a snapshot.
 * @throws EtcdkeepError; then nothing is left behind, and what was there is as it was. `snapshot-damaged`,
 * `snapshot-without-digest`, `data-dir-not-empty`, `target-exists` (the directory of the log), `target-version-unknown`,
 * `usage` (a bump that revisions have no room for), `disk-full`, `target-unwritable`, `file-failed`, and the signal's reason
 */
export async function restoreSnapshot(request: RestoreSnapshotRequest): Promise<RestoredSnapshot> {
  const { directories, peerUrls, token, targetVersion } = request;
  if (targetVersion !== undefined && !TARGETS.includes(targetVersion)) {
    throw unknownTarget(
      `etcd ${targetVersion} is none that a restored database was ever started with`,
    );
  }
  const cluster = newCluster(peerUrls, token);
  const undo = new AsyncDisposableStack();
  const places: NewDataDirectory[] = [];
  try {
    for (const directory of directories) {
      places.push(undo.use(await NewDataDirectory.begin(directory)));
    }
    await demandRoom(request);
    const restored = await build(request, cluster, places);
    request.signal.throwIfAborted();
    for (const place of places) await place.publish();
    for (const place of places) await place.keep();
    return restored;
  } catch (reason) {
    await undo.disposeAsync();
    if (reason instanceof EtcdkeepError) reason.aftermath ??= await aftermathOf(places);
    throw reason;
  }
}

/** What is seen once this run has cleaned up after itself. */
async function aftermathOf(places: readonly NewDataDirectory[]): Promise<string> {
  const left = (await Promise.all(places.map((place) => place.left()))).flat();
  return left.length === 0 ? 'Nothing was written.' : `What is left: ${left.join(', ')}.`;
}

/**
 * Where there is not enough room, nothing need be written to find that out.
 * @throws EtcdkeepError `disk-full`
 */
async function demandRoom({ file, directories }: RestoreSnapshotRequest): Promise<void> {
  const bytes = lookAtFile(file).size + SPARE_BYTES;
  const wanted = directories.flatMap(({ dataDirectory, walDirectory }) => [
    { directory: dataDirectory, bytes },
    { directory: walDirectory ?? dataDirectory, bytes: WAL_SIZE },
  ]);
  for (const { path, needed, free } of await roomFor(wanted)) {
    if (free >= needed) continue;
    const message = `the data directory needs ${formatBytes(needed)}, and ${formatBytes(free)} are free there`;
    throw new EtcdkeepError('disk-full', message, { path });
  }
}

async function build(
  request: RestoreSnapshotRequest,
  cluster: NewCluster,
  [first, ...others]: readonly NewDataDirectory[],
): Promise<RestoredSnapshot> {
  const { bump, signal, targetVersion, clearAlarms = false } = request;
  const snapshot = await copySnapshot({ ...request, to: first!.database });
  const { status, contents } = snapshot;
  const bumpTo = bump === undefined ? undefined : bumped(status.currentRevision, bump);
  const lowerTo = versionToLower(snapshot, targetVersion);
  const bytes = await editDatabase(first!.database, {
    cluster,
    hasConfState: contents.confState !== undefined,
    bumpTo,
    clearAlarms,
    lowerTo,
  });
  for (const other of others) {
    signal.throwIfAborted();
    await copyDatabase(first!.database, other.database);
  }
  await compareDatabases(
    [first!, ...others].map(({ database }) => database),
    signal,
  );
  for (const place of [first!, ...others]) await place.writeRaft(cluster);
  const { finishedCompactRevision: finished = -1n } = status;
  const compactRevision = bumpTo ?? compactRevisionOf(status);
  return {
    cluster,
    snapshot,
    bytes,
    revision: bumpTo ?? status.currentRevision,
    compactRevision,
    isCompactionPending: compactRevision > finished,
    dropped: contents.members,
    alarms: contents.alarms,
    alarmsCleared: clearAlarms,
    clusterVersion: lowerTo === undefined ? status.clusterVersion : `${lowerTo}.0`,
    storageVersion: lowerTo === undefined ? status.storageVersion : storageVersionAt(lowerTo),
    versionsLowered: lowerTo !== undefined,
  };
}

/** @throws EtcdkeepError `usage` */
function bumped(revision: bigint, bump: bigint): bigint {
  const to = revision + bump;
  if (bump > 0n && to <= REVISION_MAX) return to;
  throw new EtcdkeepError('usage', `revisions cannot go on ${bump} above ${revision}`, {
    advice: `name a --bump-revision from 1 to ${REVISION_MAX - revision}; OpenShift's own is 1000000000`,
  });
}

/**
 * The minor version that the versions in the database are to be lowered to; undefined where nothing keeps the target from
 * starting on it. A member stops at a cluster version above its own since 3.6, at a storage version that it does not know
 * since 3.6 and 3.4.31, and 3.5 leaves one there for the 3.6 after it to stop at.
 * @throws EtcdkeepError `target-version-unknown`
 */
function versionToLower(
  { status: { clusterVersion = '3.4.0', storageVersion = '3.4.0' } }: SnapshotCopy,
  target: string | undefined,
): string | undefined {
  if (target === undefined) return undefined;
  const newest = [clusterVersion, storageVersion].sort(compareMinors).at(-1)!;
  if (compareMinors(newest, target) <= 0) return undefined;
  if (compareMinors(newest, NEWEST_TARGET) <= 0) return target;
  throw unknownTarget(`what etcd ${newest} keeps in a database is not known`);
}

function unknownTarget(message: string): EtcdkeepError {
  return new EtcdkeepError('target-version-unknown', message);
}
