// What a restore writes of raft: the entries by which the members join, and the state after them. Byte for byte as etcd
// 3.4 to 3.6 write it, which 3.7 reads as well.
// Source: etcd, api (raft), raftpb/raft.proto; server/storage/wal/walpb/record.proto; server/etcdserver/api/snap/snappb/snap.proto.

import { MessageWriter } from './message-writer.ts';

const ENTRY_CONF_CHANGE = 1;
const CONF_CHANGE_ADD_NODE = 0;

/** The one term in which everything happens before the restored cluster starts. */
export const RESTORE_TERM = 1n;

/** walpb has no message for it: etcdserverpb.Metadata, the first record of a WAL that says whose it is. */
export function metadata(nodeId: bigint, clusterId: bigint): Buffer {
  return new MessageWriter().number(1, nodeId).number(2, clusterId).finish();
}

/**
 * raftpb.Entry: a member that joins.
 * @param index of the entry, from 1 on
 * @param context the member as JSON
 */
export function addNodeEntry(index: bigint, nodeId: bigint, context: Uint8Array): Buffer {
  const change = new MessageWriter()
    .number(1, 0)
    .number(2, CONF_CHANGE_ADD_NODE)
    .number(3, nodeId)
    .bytes(4, context)
    .finish();
  return new MessageWriter()
    .number(1, ENTRY_CONF_CHANGE)
    .number(2, RESTORE_TERM)
    .number(3, index)
    .bytes(4, change)
    .finish();
}

/** raftpb.HardState. @param commit index up to which entries are agreed on */
export function hardState(vote: bigint, commit: bigint): Buffer {
  return new MessageWriter().number(1, RESTORE_TERM).number(2, vote).number(3, commit).finish();
}

/** raftpb.ConfState, without learners. */
export function confState(voters: readonly bigint[]): Buffer {
  const writer = new MessageWriter();
  for (const voter of voters) writer.number(1, voter);
  return writer.number(5, 0).finish();
}

/** walpb.Snapshot: that there is a snapshot of raft's up to an index. @param voters none for the beginning of all */
export function snapshotRecord(index: bigint, voters?: readonly bigint[]): Buffer {
  const term = voters === undefined ? 0n : RESTORE_TERM;
  const writer = new MessageWriter().number(1, index).number(2, term);
  return (voters === undefined ? writer : writer.bytes(3, confState(voters))).finish();
}

/** raftpb.Snapshot. @param data the v2 store as JSON */
export function raftSnapshot(data: Uint8Array, index: bigint, voters: readonly bigint[]): Buffer {
  const about = new MessageWriter()
    .bytes(1, confState(voters))
    .number(2, index)
    .number(3, RESTORE_TERM)
    .finish();
  return new MessageWriter().bytes(1, data).bytes(2, about).finish();
}
