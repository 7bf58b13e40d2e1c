// The .snap file of a new cluster: raft's snapshot after all members have joined.
// Source: etcd, server/etcdserver/api/snap/snapshotter.go (save).

import { checksum } from './checksum.ts';
import { MessageWriter } from './message-writer.ts';
import type { NewCluster } from './new-member.ts';
import { RESTORE_TERM, raftSnapshot } from './raft-messages.ts';
import { v2Store } from './v2-store.ts';

export interface WrittenSnap {
  readonly name: string;
  readonly bytes: Buffer;
}

export function writeSnap(cluster: NewCluster): WrittenSnap {
  const { members } = cluster;
  const index = BigInt(members.length);
  const voters = members.map(({ id }) => id);
  const data = raftSnapshot(v2Store(cluster), index, voters);
  const bytes = new MessageWriter().number(1, checksum(0, data)).bytes(2, data).finish();
  return { name: `${hex(RESTORE_TERM)}-${hex(index)}.snap`, bytes };
}

function hex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}
