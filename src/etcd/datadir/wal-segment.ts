// One file of the log: frames of a length, a record and padding, each record with a checksum that goes on from that of
// the record before. The file is longer than what is in it: it ends where a length is 0.
// Source: etcd, server/storage/wal/decoder.go, encoder.go, walpb/record.proto.

import type { PageSource } from '../../bbolt/page-source.ts';
import { MessageReader } from '../store/message-reader.ts';
import { checksum } from './checksum.ts';

/** Of a record (wal.go). */
export const RECORD_TYPES = { metadata: 1n, entry: 2n, state: 3n, crc: 4n, snapshot: 5n } as const;

export interface WalRecord {
  readonly type: bigint;
  /** Shares memory with the reader: it holds until the next record is read. */
  readonly data: Uint8Array;
}

/** How the records of a file ended. */
export interface SegmentEnd {
  /**
   * `torn`: the last write did not reach the disk as a whole, which etcd repairs by cutting it off, if this is the
   * last file. `damaged`: etcd does not start on it.
   */
  readonly kind: 'clean' | 'torn' | 'damaged';
  /** Of the first byte that is not part of a sound record. */
  readonly offset: number;
  /** What is wrong; '' if nothing is. */
  readonly reason: string;
}

const FRAME_HEADER_SIZE = 8;

/** etcd writes a record in pieces of a disk's sectors, and one that was not written is zeros (decoder.go, isTornEntry). */
const SECTOR_SIZE = 512;

/** etcd's own limit for a request is 1.5 MB, and an administrator can raise it. */
const RECORD_SIZE_MAX = 256 * 1024 * 1024;

const CHUNK_SIZE = 1024 * 1024;

const damaged = (offset: number, reason: string): SegmentEnd => ({
  kind: 'damaged',
  offset,
  reason,
});
const torn = (offset: number, reason: string): SegmentEnd => ({ kind: 'torn', offset, reason });

/** Reads records; the checksum goes on from file to file. */
export class SegmentReader {
  readonly #fields = new MessageReader();
  #crc = 0;
  #source: PageSource | undefined;
  #chunk = new Uint8Array(CHUNK_SIZE);
  #chunkStart = 0;
  #chunkLength = 0;
  #offset = 0;

  /** Of the record that was read last, in its file. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Reads the records of a file.
   * @param source read at once, without promises
   * @returns how they ended
   * @throws EtcdkeepError `file-failed`
   */
  *records(source: PageSource): Generator<WalRecord, SegmentEnd> {
    this.#source = source;
    this.#chunkLength = 0;
    let offset = 0;
    for (;;) {
      const left = source.size - offset;
      if (left === 0) return { kind: 'clean', offset, reason: '' };
      if (left < FRAME_HEADER_SIZE) return torn(offset, 'the length of a record is cut off');
      const { length, padding } = frameOf(this.#bytes(offset, FRAME_HEADER_SIZE));
      if (length === 0) return { kind: 'clean', offset, reason: '' };
      const size = length + padding;
      // etcd takes that for a write that was cut off (io.ErrUnexpectedEOF).
      if (size > left - FRAME_HEADER_SIZE) {
        return torn(offset, `a record of ${length} bytes goes beyond the end of the file`);
      }
      if (length > RECORD_SIZE_MAX) return damaged(offset, `a record has ${length} bytes`);
      const bytes = this.#bytes(offset + FRAME_HEADER_SIZE, size);
      const record = this.#parse(bytes.subarray(0, length));
      if (typeof record === 'string') {
        const isTorn = hasUnwrittenSector(bytes, offset + FRAME_HEADER_SIZE);
        return isTorn ? torn(offset, record) : damaged(offset, record);
      }
      this.#offset = offset;
      yield record;
      offset += FRAME_HEADER_SIZE + size;
    }
  }

  /** @returns the record, or what is wrong */
  #parse(bytes: Uint8Array): WalRecord | string {
    let [type, crc, start, end] = [0n, 0n, 0, 0];
    const fields = this.#fields.open(bytes);
    while (fields.next()) {
      if (fields.field === 1 && fields.isVarint) type = fields.varint;
      else if (fields.field === 2 && fields.isVarint) crc = fields.varint;
      else if (fields.field === 3 && !fields.isVarint) [start, end] = [fields.start, fields.end];
    }
    if (fields.isMalformed) return 'a record is no protobuf message';
    const stored = Number(BigInt.asUintN(32, crc));
    const data = bytes.subarray(start, end);
    if (type === RECORD_TYPES.crc) {
      // The first of a log says 0; what is before the oldest file that is kept is not known.
      if (this.#crc !== 0 && this.#crc !== stored) {
        return 'the checksum of the file before is another one';
      }
      this.#crc = stored;
      return { type, data };
    }
    const computed = checksum(this.#crc, data);
    if (computed !== stored) return 'the checksum of a record is not that of its bytes';
    this.#crc = computed;
    return { type, data };
  }

  /** Bytes of the file, which it has. They hold until the next call. */
  #bytes(offset: number, length: number): Uint8Array {
    const start = offset - this.#chunkStart;
    if (start >= 0 && start + length <= this.#chunkLength) {
      return this.#chunk.subarray(start, start + length);
    }
    if (length > this.#chunk.length) this.#chunk = new Uint8Array(length);
    this.#chunkStart = offset;
    this.#chunkLength = Math.min(this.#chunk.length, this.#source!.size - offset);
    void this.#source!.read(this.#chunk.subarray(0, this.#chunkLength), offset);
    return this.#chunk.subarray(0, length);
  }
}

/** Little-endian: 56 bits of length; where there is padding, the top bit is set and three bits tell how much. */
function frameOf(bytes: Uint8Array): { readonly length: number; readonly padding: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const field = view.getBigUint64(0, true);
  const top = Number(field >> 56n);
  return {
    length: Number(field & 0xff_ffff_ffff_ffffn),
    padding: top >= 0x80 ? top & 7 : 0,
  };
}

/** @param offset of the bytes in the file */
function hasUnwrittenSector(bytes: Uint8Array, offset: number): boolean {
  for (let at = 0; at < bytes.length; ) {
    const length = SECTOR_SIZE - ((offset + at) % SECTOR_SIZE);
    if (bytes.subarray(at, at + length).every((byte) => byte === 0)) return true;
    at += length;
  }
  return false;
}
