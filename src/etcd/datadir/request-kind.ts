// What an entry of the log asks etcd for, as far as a data directory is judged by it.
// Source: etcd, api/etcdserverpb/raft_internal.proto (InternalRaftRequest), etcdserver.proto (Request).

import { MessageReader } from '../store/message-reader.ts';

/**
 * `write`: it may have made a revision. `v2`: a request to etcd's old store, which 3.4 and 3.5 still make for their
 * own notes and which 3.7 cannot read. `other`: a lease, an alarm, a compaction, a new leader, ...
 */
export type RequestKind = 'write' | 'v2' | 'other';

/** Fields of InternalRaftRequest: put, delete_range, txn, lease_revoke, which deletes the keys of the lease. */
const WRITES = new Set([4, 5, 6, 9]);

/** Methods of the old store (server/etcdserver/v2_server.go). */
const V2_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'QGET', 'SYNC']);

const METHOD_LENGTH_MAX = 6;

function isV2Method(bytes: Uint8Array): boolean {
  return bytes.length <= METHOD_LENGTH_MAX && V2_METHODS.has(Buffer.from(bytes).toString('latin1'));
}

export class RequestReader {
  readonly #reader = new MessageReader();

  /** @param data of a normal entry */
  kindOf(data: Uint8Array): RequestKind {
    const reader = this.#reader.open(data);
    while (reader.next()) {
      const { field, isVarint, start, end } = reader;
      if (isVarint) continue;
      // In the old form this is the method; in InternalRaftRequest it was a whole request of the old form.
      if (field === 2) return isV2Method(data.subarray(start, end)) ? 'v2' : 'other';
      if (WRITES.has(field)) return 'write';
    }
    return 'other';
  }
}
