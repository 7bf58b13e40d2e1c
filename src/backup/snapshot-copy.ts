// Copies the database of a snapshot and looks at it on the way: its bytes are read once, and go to the digest, past the
// scan of its structure, and to the disk around the page cache.

import { DirectFile } from '../base/direct-file.ts';
import { EtcdkeepError } from '../base/errors.ts';
import { startSha256 } from '../base/sha256.ts';
import { databaseDamaged } from '../bbolt/damage.ts';
import { type FileSource, openFileSource } from '../bbolt/file-source.ts';
import { readMeta } from '../bbolt/meta.ts';
import type { PageSource } from '../bbolt/page-source.ts';
import type { Alarm } from '../etcd/store/alarm.ts';
import { checkStore } from '../etcd/store/check-store.ts';
import type { DatabaseStatus } from '../etcd/store/database-status.ts';
import type { Member } from '../etcd/store/member.ts';
import type { ConfState } from '../etcd/store/notes.ts';
import { readStore } from '../etcd/store/read-store.ts';
import { readStoreContents } from '../etcd/store/store-contents.ts';
import { isError, isStoreRule, type StoreFinding } from '../etcd/store/store-finding.ts';
import { DIGEST_SIZE, digestDiffers, hasDigest } from './digest.ts';
import { interruptible } from './interruptible.ts';
import { fileError } from './snapshot-file.ts';
import { demandUnchanged, lookAtFile } from './unchanged-file.ts';

export interface SnapshotCopyRequest {
  readonly file: string;
  /** Must not exist. */
  readonly to: string;
  readonly skipDigest?: boolean;
  readonly progress?: (bytes: number, totalBytes: number) => void;
  readonly signal: AbortSignal;
}

/** What a snapshot holds, beside its keys. */
export interface CopiedContents {
  readonly members: readonly Member[];
  readonly alarms: readonly Alarm[];
  readonly leases: number;
  readonly confState: ConfState | undefined;
}

export interface SnapshotCopy {
  /** Size of the file, its digest included. */
  readonly bytes: number;
  /** Whether its digest was compared; else the history of every key was followed. */
  readonly digestCompared: boolean;
  /** SHA-256 of the database without the digest behind it, hex. */
  readonly sha256: string;
  readonly status: Omit<DatabaseStatus, 'hash'>;
  readonly contents: CopiedContents;
}

/**
 * Copies the database without the digest behind it. The copy is not synced.
 * @throws EtcdkeepError `snapshot-damaged`, `snapshot-without-digest`, `disk-full`, `target-unwritable`, `file-failed`, and
 * the signal's reason
 */
export async function copySnapshot(request: SnapshotCopyRequest): Promise<SnapshotCopy> {
  const { file, skipDigest = false } = request;
  const before = lookAtFile(file);
  const source = openFileSource(file);
  try {
    const { size } = source;
    const hasTrailer = hasDigest(size);
    if (!hasTrailer && !skipDigest) {
      throw new EtcdkeepError('snapshot-without-digest', 'the snapshot has no digest at its end', {
        path: file,
      });
    }
    const database = { ...source, size: hasTrailer ? size - DIGEST_SIZE : size };
    const { status, sha256 } = await copyPages(database, request);
    const digestCompared = hasTrailer && !skipDigest;
    if (digestCompared) await demandDigest(source, sha256, file);
    const contents = await readContents(database, digestCompared, request.signal);
    demandUnchanged(file, before);
    return { bytes: size, digestCompared, sha256, status, contents };
  } catch (reason) {
    throw fileError(reason, file);
  } finally {
    source.close();
  }
}

/**
 * Copies all bytes of a database, and looks at them on the way. The copy is not synced.
 * @returns what it holds, and SHA-256 of its bytes, hex
 * @throws EtcdkeepError `database-damaged`, `disk-full`, `target-unwritable`, `file-failed`, and the signal's reason
 */
export async function copyPages(
  source: PageSource,
  { to, progress, signal }: Omit<SnapshotCopyRequest, 'file'>,
): Promise<{ readonly status: DatabaseStatus; readonly sha256: string }> {
  await using sha256 = startSha256(source.size);
  const copy = await DirectFile.create(to);
  try {
    let offset = 0;
    const { status } = await readStore(source, {
      counts: true,
      seen: (bytes) => {
        signal.throwIfAborted();
        const written = copy.write(bytes, offset);
        offset += bytes.length;
        progress?.(offset, source.size);
        const hashed = sha256.update(bytes);
        return hashed === undefined
          ? written
          : Promise.all([written, hashed]).then(() => undefined);
      },
    });
    const { body } = await sha256.finish(new Uint8Array(0));
    return { status: status!, sha256: body };
  } finally {
    await copy.close();
  }
}

async function demandDigest(source: FileSource, sha256: string, path: string): Promise<void> {
  const trailer = Buffer.alloc(DIGEST_SIZE);
  await source.read(trailer, source.size - DIGEST_SIZE);
  const stored = trailer.toString('hex');
  if (stored !== sha256) throw digestDiffers(path, { stored, computed: sha256 });
}

/**
 * What is in the buckets beside `key`. Where no digest tells that the bytes are what they were, the history of every key
 * is followed as well. What is wrong with the members is of no interest: there will be others.
 */
async function readContents(
  source: PageSource,
  digestCompared: boolean,
  signal: AbortSignal,
): Promise<CopiedContents> {
  const found = (finding: StoreFinding): void => {
    const { rule, message, page, offset } = finding;
    if (rule === 'member' || !isStoreRule(rule) || !isError(finding)) return;
    throw databaseDamaged(message, { page, offset });
  };
  if (!digestCompared) await checkStore(interruptible(source, signal), found);
  const contents = await readStoreContents(source, await readMeta(source), found);
  const { members, alarms, leases, notes } = contents;
  return { members, alarms, leases: leases.size, confState: notes.confState };
}
