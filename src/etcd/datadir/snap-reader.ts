// A .snap file: the state of raft at a snapshot, and etcd's old store as JSON, in which 3.4 and 3.5 keep the members.
// Source: etcd, server/etcdserver/api/snap/snapshotter.go (Read), snappb/snap.proto.

import { readSmallFile } from '../../base/durable-files.ts';
import { MessageReader } from '../store/message-reader.ts';
import { checksum } from './checksum.ts';
import { parseRaftSnapshot, type RaftSnapshot } from './raft-reader.ts';

/** A few kB, and what was ever written to the old store. */
const SNAP_SIZE_MAX = 256 * 1024 * 1024;

const NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.snap$/;

/** Where a file says by its name that it stands in the log. */
export interface SnapName {
  readonly name: string;
  readonly term: bigint;
  readonly index: bigint;
}

/** @returns undefined if it is no name of a .snap file */
export function parseSnapName(name: string): SnapName | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  return { name, term: BigInt(`0x${match[1]!}`), index: BigInt(`0x${match[2]!}`) };
}

/**
 * Reads a file.
 * @returns the snapshot, or what is wrong, as a sentence without a subject
 * @throws EtcdkeepError `file-failed`
 */
export async function readSnap(path: string): Promise<RaftSnapshot | string> {
  return parseSnap(await readSmallFile(path, 'read the .snap file', SNAP_SIZE_MAX));
}

/** The same of its bytes. */
export function parseSnap(bytes: Uint8Array): RaftSnapshot | string {
  let [crc, data] = [0n, new Uint8Array(0)];
  const fields = new MessageReader().open(bytes);
  while (fields.next()) {
    if (fields.field === 1 && fields.isVarint) crc = fields.varint;
    else if (fields.field === 2 && !fields.isVarint) {
      data = bytes.slice(fields.start, fields.end);
    }
  }
  if (fields.isMalformed) return 'is no protobuf message';
  if (data.length === 0 || crc === 0n) return 'is empty';
  if (checksum(0, data) !== Number(BigInt.asUintN(32, crc))) {
    return 'has a checksum that is not that of its bytes';
  }
  const snapshot = parseRaftSnapshot(data);
  return typeof snapshot === 'string' ? `holds what ${snapshot}` : snapshot;
}
