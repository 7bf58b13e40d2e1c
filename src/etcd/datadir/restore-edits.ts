// What a restore changes in the database of a snapshot, so that it is that of a new cluster: its members, how far raft has
// come, and on request its revision, its alarms and its versions. Records of keys are never touched.
// Source: etcd, etcdutl/snapshot/v3_snapshot.go; server/storage/schema (membership.go, cindex.go, version.go, alarm.go).

import type { DatabaseEdit } from '../../bbolt/edit.ts';
import type { NewCluster } from './new-member.ts';
import { memberJson } from './new-member.ts';
import { RESTORE_TERM } from './raft-messages.ts';

export interface RestoreEdits {
  readonly cluster: NewCluster;
  /** Whether the database has raft's own list of members, as since 3.5. */
  readonly hasConfState: boolean;
  /** Revision that becomes the newest; all before it is compacted. */
  readonly bumpTo?: bigint | undefined;
  readonly clearAlarms: boolean;
  /** Minor version of etcd that is to start on it, such as `3.6`, where the database is of a newer one. */
  readonly lowerTo?: string | undefined;
}

const NAMES = {
  key: bytesOf('key'),
  meta: bytesOf('meta'),
  cluster: bytesOf('cluster'),
  members: bytesOf('members'),
  removed: bytesOf('members_removed'),
  alarm: bytesOf('alarm'),
};

/** Minor versions that know no storage version; 3.4 stops at one that is newer than itself. */
const WITHOUT_STORAGE_VERSION = ['3.4', '3.5'];

export function editForRestore(edit: DatabaseEdit, wish: RestoreEdits): void {
  const { cluster, bumpTo, lowerTo } = wish;
  replaceMembers(edit, cluster);
  const meta = edit.bucket(NAMES.meta);
  // Each member has joined by one entry: etcd goes on behind it, and does not hold writes back for older ones.
  meta.put(bytesOf('consistent_index'), bigEndian(BigInt(cluster.members.length)));
  meta.put(bytesOf('term'), bigEndian(RESTORE_TERM));
  if (wish.hasConfState) meta.put(bytesOf('confState'), confStateJson(cluster));
  if (wish.clearAlarms) edit.bucket(NAMES.alarm).clear();
  if (bumpTo !== undefined) {
    const revision = revisionKey(bumpTo);
    edit.bucket(NAMES.key).put(revision, new Uint8Array(0));
    // A member that starts finishes the compaction by itself, and cancels who watches what is before it.
    meta.put(bytesOf('scheduledCompactRev'), revision);
  }
  if (lowerTo !== undefined) lowerVersions(edit, lowerTo);
}

function replaceMembers(edit: DatabaseEdit, cluster: NewCluster): void {
  edit.bucket(NAMES.removed).clear();
  const members = edit.bucket(NAMES.members).clear();
  for (const member of cluster.members) {
    members.put(bytesOf(member.id.toString(16)), memberJson(member));
  }
}

/** What a database of a minor version has as its storage version; undefined if it has none. */
export function storageVersionAt(minor: string): string | undefined {
  return WITHOUT_STORAGE_VERSION.includes(minor) ? undefined : `${minor}.0`;
}

function lowerVersions(edit: DatabaseEdit, minor: string): void {
  const name = bytesOf('storageVersion');
  const version = storageVersionAt(minor);
  const meta = edit.bucket(NAMES.meta);
  if (version === undefined) meta.delete(name);
  else meta.put(name, bytesOf(version));
  edit.bucket(NAMES.cluster).put(bytesOf('clusterVersion'), bytesOf(`${minor}.0`));
  // It is done, whatever was asked for.
  edit.bucket(NAMES.cluster).delete(bytesOf('downgrade'));
}

/** Sources: server/storage/schema/confstate.go; raftpb.ConfState as JSON. */
function confStateJson({ members }: NewCluster): Uint8Array {
  return bytesOf(`{"voters":[${members.map(({ id }) => id).join(',')}],"auto_leave":false}`);
}

/** The key of a record (server/storage/mvcc/revision.go), of sub revision 0. */
function revisionKey(revision: bigint): Buffer {
  return Buffer.concat([bigEndian(revision), bytesOf('_'), bigEndian(0n)]);
}

function bigEndian(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text);
}
