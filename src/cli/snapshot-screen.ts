// How a snapshot looks while it is received, and what is said of it afterwards.

import type { BackupEvent } from '../backup/events.ts';
import type { Snapshot, SourceMember } from '../backup/save.ts';
import { formatBytes, formatCount } from '../base/units.ts';
import type { Screen } from './screen.ts';

/** Draws the events that every transfer of a snapshot has. */
export function drawTransfer(screen: Screen, event: BackupEvent): void {
  switch (event.kind) {
    case 'snapshot-started': {
      const { endpoint, name, version, isLearner } = event.member;
      screen.tell('member', `${name === '' ? '' : `${name} · `}etcd ${version} at ${endpoint}`);
      if (isLearner) screen.warn('the member is a learner: what it has may lag behind the cluster');
      screen.progress.start('snapshot');
      break;
    }
    case 'snapshot-progress':
      screen.progress.advance(event.bytes, event.totalBytes);
      break;
    case 'snapshot-received':
      screen.progress.start('walking');
      break;
    default:
      break;
  }
}

/** What was proven, and how. */
export function tellProof(screen: Screen, snapshot: Snapshot): void {
  const { status } = snapshot;
  screen.tell(
    'proven',
    `digest equal to the server's; ${formatCount(status.pagesReachable)} pages sound; ` +
      `revision ${status.revision}, ${formatCount(status.liveKeys)} keys, ${formatBytes(snapshot.bytes)}`,
  );
}

/** From 3.6 on, etcdctl counts live keys and names the storage version, if there is one. */
function countsLiveKeys({ version }: SourceMember): boolean {
  return version.localeCompare('3.6.0', 'en', { numeric: true }) >= 0;
}

/** totalKey as the etcdctl of the member's version counts; before 3.6, every key of every bucket. */
function totalKeyOf({ member, status }: Snapshot): number {
  return countsLiveKeys(member) ? status.liveKeys : status.entries;
}

/** The line of `snapshot status -w json`, as the etcdctl of the member's version prints it. */
export function statusLine(snapshot: Snapshot): string {
  const { member, status } = snapshot;
  return JSON.stringify({
    hash: status.hash,
    revision: Number(status.revision),
    totalKey: totalKeyOf(snapshot),
    totalSize: status.totalSize,
    ...(countsLiveKeys(member) ? { version: status.storageVersion ?? '' } : {}),
  });
}

/** A snapshot in `--output json`. */
export function snapshotDocument(snapshot: Snapshot): Record<string, unknown> {
  const { member, status } = snapshot;
  return {
    bytes: snapshot.bytes,
    sha256: snapshot.sha256,
    endpoint: member.endpoint,
    clusterId: member.clusterId.toString(16),
    memberId: member.memberId.toString(16),
    serverVersion: member.version,
    storageVersion: status.storageVersion,
    hash: status.hash,
    revision: status.revision.toString(),
    keys: status.liveKeys,
    totalKey: totalKeyOf(snapshot),
    totalSize: status.totalSize,
  };
}
