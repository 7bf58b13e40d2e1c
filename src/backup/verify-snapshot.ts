// Proves a snapshot from its file alone: its digest, its structure, and what etcd keeps in it, in one pass.

import { startSha256 } from '../base/sha256.ts';
import { type FileSource, openFileSource } from '../bbolt/file-source.ts';
import type { DatabaseStatus } from '../etcd/store/database-status.ts';
import { type ReadStore, readStore } from '../etcd/store/read-store.ts';
import type { LostRange, StoreFinding } from '../etcd/store/store-finding.ts';
import { DIGEST_SIZE, hasDigest } from './digest.ts';
import { demandUnchanged, lookAtFile } from './unchanged-file.ts';

/** Findings that are kept; all are counted. */
const FINDINGS_MAX = 10_000;

export interface SnapshotDigest {
  /** `absent`: a copy of a member's database, which carries none; `skipped`: it was not to be computed. */
  readonly result: 'equal' | 'differs' | 'absent' | 'skipped';
  /** SHA-256 of the database without its trailer, in hex. */
  readonly computed: string | undefined;
  /** What the trailer says. */
  readonly stored: string | undefined;
}

/** What was found out about a snapshot. */
export interface SnapshotProof {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of the whole file; undefined where digests were skipped. */
  readonly sha256: string | undefined;
  readonly digest: SnapshotDigest;
  /** 0 if neither meta page can be used. */
  readonly pages: number;
  readonly pagesReachable: number;
  readonly pageSize: number;
  readonly status: DatabaseStatus | undefined;
  /** Of the newest revision; undefined where anything is wrong. */
  readonly hashKV: number | undefined;
  readonly findings: readonly StoreFinding[];
  /** Findings that are no warnings, also those that are not kept. */
  readonly errorCount: number;
  readonly lost: readonly LostRange[];
  /** Keys that can be read. */
  readonly readableKeys: number;
}

export interface SnapshotProofRequest {
  readonly path: string;
  /** Not to compute a digest: what the rest can find by itself. */
  readonly skipDigest?: boolean;
  readonly progress?: (bytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Reads a snapshot, or a copy of a member's database, once from end to end. What is wrong with it is no error.
 * @throws EtcdkeepError `file-failed`, also where the file is changed meanwhile
 */
export async function proveSnapshot(request: SnapshotProofRequest): Promise<SnapshotProof> {
  const { path, skipDigest = false, progress, signal } = request;
  const before = lookAtFile(path);
  const { size } = before;
  const hasTrailer = hasDigest(size);
  const bodySize = hasTrailer ? size - DIGEST_SIZE : size;
  const findings: StoreFinding[] = [];
  const lost: LostRange[] = [];
  const source = openFileSource(path);
  try {
    await using sha256 = skipDigest ? undefined : startSha256(size);
    let done = 0;
    const read = await readStore(
      { ...source, size: bodySize },
      {
        hash: true,
        records: 0n,
        found: (finding) => keep(findings, finding),
        lost: (range) => keep(lost, range),
        seen: (bytes) => {
          signal?.throwIfAborted();
          done += bytes.length;
          progress?.(done, bodySize);
          return sha256?.update(bytes);
        },
      },
    );
    const trailer = await readTrailer(source, bodySize);
    const digests = await sha256?.finish(trailer);
    demandUnchanged(path, before);
    const digest = judgeDigest(digests?.body, hasTrailer ? trailer.toString('hex') : undefined);
    const whole = digests?.whole;
    const found = { findings, errorCount: read.errors, lost };
    return { path, bytes: size, sha256: whole, digest, ...found, ...summarize(read) };
  } finally {
    source.close();
  }
}

function summarize(read: ReadStore) {
  const { meta, pagesReachable, status, liveKeys, hashKV, errors } = read;
  return {
    pages: meta?.pages ?? 0,
    pageSize: meta?.pageSize ?? 0,
    pagesReachable,
    status,
    hashKV: errors === 0 ? hashKV : undefined,
    readableKeys: liveKeys,
  };
}

function keep<T>(list: T[], item: T): void {
  if (list.length < FINDINGS_MAX) list.push(item);
}

async function readTrailer(source: FileSource, start: number): Promise<Buffer> {
  const trailer = Buffer.alloc(source.size - start);
  await source.read(trailer, start);
  return trailer;
}

function judgeDigest(computed: string | undefined, stored: string | undefined): SnapshotDigest {
  if (computed === undefined) return { result: 'skipped', computed, stored };
  if (stored === undefined) return { result: 'absent', computed, stored };
  return { result: computed === stored ? 'equal' : 'differs', computed, stored };
}
