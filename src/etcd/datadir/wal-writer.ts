// The write-ahead log of a new cluster: its members join, one entry each, all of it is agreed on, and a snapshot of
// raft's lies behind it. Without that last record, and the .snap file that it names, members that are added later are sent
// the log from its beginning and never get the keys.
// Source: etcd, etcdutl/snapshot/v3_snapshot.go (saveWALAndSnap); server/storage/wal/encoder.go.

import { checksum } from './checksum.ts';
import { MessageWriter } from './message-writer.ts';
import { memberJson, type NewCluster } from './new-member.ts';
import { addNodeEntry, hardState, metadata, snapshotRecord } from './raft-messages.ts';

/** The first file of a log: sequence number and index of its first entry. */
export const FIRST_WAL = '0000000000000000-0000000000000000.wal';

/** What etcd preallocates, with zeros behind the last record (wal.go, SegmentSizeBytes). */
export const WAL_SIZE = 64_000_000;

/** walpb.Record.Type (wal.go). */
const METADATA = 1;
const ENTRY = 2;
const STATE = 3;
const CRC = 4;
const SNAPSHOT = 5;

const FRAME_ALIGNMENT = 8;
const LENGTH_SIZE = 8;
/** In the highest byte of a length: that there is padding, and how much. */
const PADDED = 0x80;

/** The records of a member's log. Those of other members of the cluster differ in nothing but whose they are. */
export function writeWal({ id: clusterId, members }: NewCluster, nodeId: bigint): Buffer {
  const voters = members.map(({ id }) => id);
  const commit = BigInt(members.length);
  const log = new Log();
  log.add(CRC, undefined);
  log.add(METADATA, metadata(nodeId, clusterId));
  log.add(SNAPSHOT, snapshotRecord(0n));
  for (const [index, member] of members.entries()) {
    log.add(ENTRY, addNodeEntry(BigInt(index + 1), member.id, memberJson(member)));
  }
  log.add(STATE, hardState(voters[0]!, commit));
  // Behind the state: a snapshot beyond what is agreed on is not taken for one (wal.go, ValidSnapshotEntries).
  log.add(SNAPSHOT, snapshotRecord(commit, voters));
  return log.finish();
}

class Log {
  readonly #frames: Buffer[] = [];
  /** Over the data of all records so far. */
  #crc = 0;

  add(type: number, data: Uint8Array | undefined): void {
    if (data !== undefined) this.#crc = checksum(this.#crc, data);
    const record = new MessageWriter().number(1, type).number(2, this.#crc);
    this.#frames.push(frame((data === undefined ? record : record.bytes(3, data)).finish()));
  }

  finish(): Buffer {
    return Buffer.concat(this.#frames);
  }
}

/** Frames begin at multiples of eight bytes, so that a length is never torn. */
function frame(record: Buffer): Buffer {
  const padding = -record.length & (FRAME_ALIGNMENT - 1);
  const framed = Buffer.alloc(LENGTH_SIZE + record.length + padding);
  framed.writeUInt32LE(record.length);
  if (padding > 0) framed[LENGTH_SIZE - 1] = PADDED | padding;
  record.copy(framed, LENGTH_SIZE);
  return framed;
}
