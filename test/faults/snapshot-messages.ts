// What a member sends for Maintenance.Snapshot, made by the protobuf library and not by the product's
// parser: which fields stand in which message was seen on real servers of each version.
import { createHash, randomBytes } from 'node:crypto';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** snapshotSendBufferSize in etcd's server/etcdserver/api/v3rpc/maintenance.go. */
export const CHUNK_BYTES = 32_768;

/** A SnapshotResponse. Go's encoders leave out what is zero or empty, and so does this one. */
export interface SnapshotMessage {
  readonly remaining?: number;
  readonly blob?: Uint8Array;
  /** 3.6 and later. */
  readonly version?: string;
}

/** The messages of a whole snapshot, the one with the digest included. */
export function snapshotMessages(database: Uint8Array, version = ''): SnapshotMessage[] {
  const messages: SnapshotMessage[] = [];
  for (let sent = 0; sent < database.length; ) {
    const blob = database.subarray(sent, sent + CHUNK_BYTES);
    sent += blob.length;
    messages.push({ remaining: database.length - sent, blob, version });
  }
  messages.push({ remaining: 0, blob: createHash('sha256').update(database).digest(), version });
  return messages;
}

/** One message with the prefix of gRPC over HTTP/2: not compressed, and its length. */
export function encodeMessage({ remaining = 0, blob, version = '' }: SnapshotMessage): Buffer {
  const writer = new BinaryWriter();
  if (remaining > 0) writer.tag(2, WireType.Varint).uint64(remaining);
  if (blob !== undefined && blob.length > 0) writer.tag(3, WireType.LengthDelimited).bytes(blob);
  if (version !== '') writer.tag(4, WireType.LengthDelimited).string(version);
  return envelope(writer.finish());
}

/** The prefix of gRPC over HTTP/2 and a message behind it. */
export function envelope(message: Uint8Array, flags = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(flags);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** All of a snapshot as one piece. */
export function encodeSnapshot(database: Uint8Array, version = ''): Buffer {
  return Buffer.concat(snapshotMessages(database, version).map(encodeMessage));
}

/** Bytes that stand for a database; nothing on the wire depends on what is in it. */
export function randomDatabase(sizeBytes: number): Buffer {
  return randomBytes(sizeBytes);
}
