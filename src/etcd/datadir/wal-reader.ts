// The log of a member (its WAL): its files in order, and what their records come to. It is read from its beginning to
// its end and never written, not even to cut off what a crash has left.
// Source: etcd, server/storage/wal/wal.go (ReadAll, ValidSnapshotEntries), util.go.

import { join } from 'node:path';
import { namesIn } from '../../base/directory-names.ts';
import { openFileSource } from '../../bbolt/file-source.ts';
import type { PageSource } from '../../bbolt/page-source.ts';
import { RaftLog } from './raft-log.ts';
import {
  type HardState,
  parseEntry,
  parseHardState,
  parseWalMetadata,
  parseWalSnapshot,
  type SnapshotPosition,
  type WalMetadata,
} from './raft-reader.ts';
import { RECORD_TYPES, type SegmentEnd, SegmentReader } from './wal-segment.ts';

/** A file of the log: what it is called, and how it is opened. */
export interface WalSegment {
  readonly name: string;
  open(): PageSource & { close(): void };
}

/** Where the sound part of the log ends, and why. */
export interface WalEnd extends SegmentEnd {
  /** Name of the file; '' where there is none. */
  readonly segment: string;
}

export interface Wal {
  /** Names of the files, in order. */
  readonly segments: readonly string[];
  /** Undefined where not even that can be read. */
  readonly metadata: WalMetadata | undefined;
  /** Undefined where the log has none. */
  readonly hardState: HardState | undefined;
  /** All that the log tells of, in order; see `validSnapshots`. */
  readonly snapshots: readonly SnapshotPosition[];
  readonly log: RaftLog;
  readonly end: WalEnd;
}

/** Snapshots that are kept; one comes with every 100,000 entries, and files are removed behind five of them. */
const SNAPSHOTS_MAX = 100_000;

const NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;

/**
 * Reads the log in a directory.
 * @param directory `member/wal`
 * @returns what could be read; `end` says how far it is sound
 * @throws EtcdkeepError `file-failed`
 */
export async function readWal(directory: string): Promise<Wal> {
  const names = (await namesIn(directory)).filter((name) => NAME.test(name)).sort();
  return readSegments(
    names.map((name) => ({ name, open: () => openFileSource(join(directory, name)) })),
  );
}

/** The same from files of anywhere, in order. @throws EtcdkeepError `file-failed` */
export function readSegments(segments: readonly WalSegment[]): Wal {
  const records = new WalRecords();
  const end = records.read(segments);
  const { metadata, hardState, snapshots, log } = records;
  return { segments: segments.map(({ name }) => name), metadata, hardState, snapshots, log, end };
}

/**
 * The snapshots that etcd may start from: a record is written before it is known that the entries up to it are on a
 * majority (wal.go, ValidSnapshotEntries).
 */
export function validSnapshots({ snapshots, hardState }: Wal): SnapshotPosition[] {
  return snapshots.filter(({ index }) => index <= (hardState?.commit ?? 0n));
}

class WalRecords {
  metadata: WalMetadata | undefined;
  hardState: HardState | undefined;
  readonly snapshots: SnapshotPosition[] = [];
  readonly log = new RaftLog();
  #newestSnapshot = 0n;

  read(segments: readonly WalSegment[]): WalEnd {
    const reader = new SegmentReader();
    let end: WalEnd = { kind: 'damaged', segment: '', offset: 0, reason: 'there is no log' };
    for (const [position, segment] of segments.entries()) {
      const gap = gapBefore(segments, position);
      if (gap !== undefined) {
        return { kind: 'damaged', segment: segment.name, offset: 0, reason: gap };
      }
      end = { ...this.#readSegment(reader, segment), segment: segment.name };
      const isLast = position === segments.length - 1;
      // Only the end of the last file can be one that was never written.
      if (end.kind === 'torn' && !isLast) return { ...end, kind: 'damaged' };
      if (end.kind !== 'clean') return end;
    }
    return end;
  }

  #readSegment(reader: SegmentReader, segment: WalSegment): SegmentEnd {
    const source = segment.open();
    try {
      const records = reader.records(source);
      for (let next = records.next(); ; next = records.next()) {
        if (next.done === true) return next.value;
        const { type, data } = next.value;
        const reason = this.#take(type, data);
        if (reason !== undefined) return { kind: 'damaged', offset: reader.offset, reason };
      }
    } finally {
      source.close();
    }
  }

  /** @returns what is wrong with a record */
  #take(type: bigint, data: Uint8Array): string | undefined {
    switch (type) {
      case RECORD_TYPES.entry:
        return this.#takeEntry(data);
      case RECORD_TYPES.state: {
        const state = parseHardState(data);
        if (typeof state === 'string') return `a state ${state}`;
        this.hardState = state;
        return undefined;
      }
      case RECORD_TYPES.metadata:
        return this.#takeMetadata(data);
      case RECORD_TYPES.snapshot:
        return this.#takeSnapshot(data);
      case RECORD_TYPES.crc:
        return undefined;
      default:
        return `a record has the type ${type}`;
    }
  }

  #takeEntry(data: Uint8Array): string | undefined {
    const entry = parseEntry(data);
    const defect = typeof entry === 'string' ? entry : this.log.append(entry, this.#newestSnapshot);
    return defect === undefined ? undefined : `an entry ${defect}`;
  }

  #takeMetadata(data: Uint8Array): string | undefined {
    const metadata = parseWalMetadata(data);
    if (typeof metadata === 'string') return `the metadata ${metadata}`;
    const { memberId, clusterId } = (this.metadata ??= metadata);
    if (metadata.memberId === memberId && metadata.clusterId === clusterId) return undefined;
    return 'the metadata is that of another member than in the file before';
  }

  #takeSnapshot(data: Uint8Array): string | undefined {
    const snapshot = parseWalSnapshot(data);
    if (typeof snapshot === 'string') return `a snapshot ${snapshot}`;
    if (this.snapshots.length >= SNAPSHOTS_MAX) return 'the log tells of too many snapshots';
    this.snapshots.push(snapshot);
    if (snapshot.index > this.#newestSnapshot) this.#newestSnapshot = snapshot.index;
    return undefined;
  }
}

/** Files are counted, and the oldest ones are removed (wal/util.go, isValidSeq). */
function gapBefore(segments: readonly WalSegment[], position: number): string | undefined {
  if (position === 0) return undefined;
  const [before, here] = [position - 1, position].map((at) =>
    BigInt(`0x${segments[at]!.name.slice(0, 16)}`),
  );
  return here === before! + 1n ? undefined : `files between ${before} and ${here} are missing`;
}
