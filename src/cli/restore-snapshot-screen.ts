// What is said of a snapshot that was restored: etcdutl's own event lines, and what a person should know.

import type { RestoredSnapshot } from '../backup/restore-snapshot.ts';
import { formatBytes, formatCount } from '../base/units.ts';
import type { Screen } from './screen.ts';

/** A data directory that was made. */
export interface RestoredDirectory {
  readonly name: string;
  readonly dataDirectory: string;
  readonly walDirectory: string;
}

const COLUMN = '\t';

/** The lines that etcdutl writes to its log (zap's console encoder), for who waits for them. */
export function tellEvents(
  screen: Screen,
  file: string,
  { cluster }: RestoredSnapshot,
  directories: readonly RestoredDirectory[],
  now: Date,
): void {
  const time = `${now.toISOString().slice(0, 19)}Z`;
  const event = (message: string, fields: Record<string, unknown>): void =>
    screen.line([time, 'info', 'etcdkeep', message, zapJson(fields)].join(COLUMN));
  for (const { dataDirectory, walDirectory } of directories) {
    for (const { id, peerUrls } of cluster.members) {
      event('added member', {
        'cluster-id': hex(cluster.id),
        'local-member-id': '0',
        'added-peer-id': hex(id),
        'added-peer-peer-urls': peerUrls,
        'added-peer-is-learner': false,
      });
    }
    const [dataDir, snapDir] = [dataDirectory, `${dataDirectory}/member/snap`];
    const places = { 'wal-dir': walDirectory, 'data-dir': dataDir, 'snap-dir': snapDir };
    event('restored snapshot', { path: file, ...places });
  }
}

/** zap puts a space behind colons and commas. */
function zapJson(fields: Record<string, unknown>): string {
  const parts = Object.entries(fields).map(([name, value]) => {
    const items = Array.isArray(value) ? value : undefined;
    const json = items?.map((item) => JSON.stringify(item)).join(', ');
    return `${JSON.stringify(name)}: ${json === undefined ? JSON.stringify(value) : `[${json}]`}`;
  });
  return `{${parts.join(', ')}}`;
}

export function tellRestored(
  screen: Screen,
  file: string,
  restored: RestoredSnapshot,
  directories: readonly RestoredDirectory[],
): void {
  const { cluster, snapshot, bytes } = restored;
  const { status, digestCompared } = snapshot;
  screen.tell(
    'snapshot',
    `${file}: revision ${status.revision}, ${formatCount(status.liveKeys)} keys; ` +
      (digestCompared
        ? 'its digest is right'
        : 'no digest was compared, the history of every key was followed'),
  );
  for (const { name, dataDirectory } of directories) {
    const { id } = cluster.members.find((member) => member.name === name)!;
    screen.tell('restored', `${dataDirectory}: member ${name} (${hex(id)}), ${formatBytes(bytes)}`);
  }
  const others = cluster.members.length === 1 ? 'alone' : `of ${cluster.members.length} members`;
  screen.tell('cluster', `${hex(cluster.id)}, ${others}`);
  if (directories.length > 1)
    screen.tellMore('the databases of all directories are the same, byte for byte');
  tellRevisions(screen, restored);
  tellDropped(screen, restored);
  tellAlarms(screen, restored);
  tellVersions(screen, restored);
}

function tellRevisions(screen: Screen, restored: RestoredSnapshot): void {
  const { revision, compactRevision, isCompactionPending, snapshot } = restored;
  const compacted = compactRevision < 0n ? 'never compacted' : `compacted up to ${compactRevision}`;
  screen.tell('revisions', `go on above ${revision}; ${compacted}`);
  if (revision !== snapshot.status.currentRevision) {
    screen.tellMore('who watches from before is told so, and lists again');
  } else if (isCompactionPending) {
    screen.tellMore('that compaction was not finished: etcd finishes it as it starts');
  }
}

function tellDropped(screen: Screen, { dropped }: RestoredSnapshot): void {
  const names = (isLearner: boolean): string[] =>
    dropped
      .filter((member) => member.isLearner === isLearner)
      .map(({ id, name }) => name || hex(id))
      .sort();
  const gone = [named('member', names(false)), named('learner', names(true))].flat();
  if (gone.length === 0) return;
  screen.tell('dropped', `${gone.join('; ')}: of the old cluster, and unknown to the new one`);
}

function named(noun: string, names: readonly string[]): string[] {
  return names.length === 0 ? [] : [`${noun}${names.length === 1 ? '' : 's'} ${names.join(', ')}`];
}

function tellAlarms(screen: Screen, { alarms, alarmsCleared }: RestoredSnapshot): void {
  for (const { type, memberId } of alarms) {
    const alarm = `alarm ${type} of member ${hex(memberId)}`;
    if (alarmsCleared) screen.tell('alarms', `${alarm}: cleared`);
    else
      screen.warn(
        `${alarm} is still raised: etcd takes no writes until etcdctl alarm disarm; --clear-alarms`,
      );
  }
}

function tellVersions(screen: Screen, restored: RestoredSnapshot): void {
  const { clusterVersion, storageVersion, versionsLowered } = restored;
  if (clusterVersion === undefined) return;
  const minor = clusterVersion.replace(/\.\d+$/, '');
  const storage = storageVersion === undefined ? '' : `, storage ${storageVersion}`;
  const lowered = versionsLowered ? '; both were lowered' : '';
  screen.tell(
    'versions',
    `cluster ${clusterVersion}${storage}: for etcd ${minor} and later${lowered}`,
  );
}

/** The restore in `--output json`. */
export function restoredDocument(
  file: string,
  restored: RestoredSnapshot,
  directories: readonly RestoredDirectory[],
): Record<string, unknown> {
  const { cluster, snapshot, bytes, dropped, alarms } = restored;
  const { status, digestCompared, sha256 } = snapshot;
  return {
    file,
    digestCompared,
    sha256,
    clusterId: hex(cluster.id),
    members: cluster.members.map(({ id, name, peerUrls }) => ({ id: hex(id), name, peerUrls })),
    directories: directories.map((directory) => ({ ...directory, bytes })),
    snapshotRevision: status.currentRevision.toString(),
    keys: status.liveKeys,
    revision: restored.revision.toString(),
    compactRevision:
      restored.compactRevision < 0n ? undefined : restored.compactRevision.toString(),
    isCompactionPending: restored.isCompactionPending,
    dropped: dropped.map(({ id, name, isLearner }) => ({ id: hex(id), name, isLearner })),
    alarms: alarms.map(({ memberId, type }) => ({ memberId: hex(memberId), type })),
    alarmsCleared: restored.alarmsCleared,
    clusterVersion: restored.clusterVersion,
    storageVersion: restored.storageVersion,
    versionsLowered: restored.versionsLowered,
  };
}

function hex(id: bigint): string {
  return id.toString(16);
}
