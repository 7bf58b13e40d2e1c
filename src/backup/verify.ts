// Proves a backup from its files alone: the snapshot, the static resources, and the record that speaks of both. Database
// and archive are never touched; the verdict is added to the record where that can be written.

import { EtcdkeepError } from '../base/errors.ts';
import { formatCount } from '../base/units.ts';
import { type ArchiveInspection, inspectArchive } from '../controlplane/archive-inspection.ts';
import { isError } from '../etcd/store/store-finding.ts';
import { summarizeEncryption } from '../kubernetes/encryption-config.ts';
import type { StoredBackup } from '../record/stored-backup.ts';
import { openPlainSnapshot, type PlainSnapshot } from './plain-snapshot.ts';
import { type Recorded, recordVerdict, type VerdictResult } from './verdict.ts';
import { compareWithRecord } from './verify-record.ts';
import { proveSnapshot, type SnapshotProof } from './verify-snapshot.ts';

/** More than a compressed snapshot is unpacked to: 64 GiB, eight times what etcd advises a database to be. */
const UNPACKED_MAX = 64 * 2 ** 30;

/** What was found out about a backup from its files. */
export interface Examination {
  readonly backup: StoredBackup;
  readonly snapshot: SnapshotProof | undefined;
  readonly resources: ArchiveInspection | undefined;
  /** By the archive; undefined where it does not say. */
  readonly encryption: ReturnType<typeof summarizeEncryption> | undefined;
  /** How the files differ from what the record says; undefined where there is no record that can be read. */
  readonly differences: readonly string[] | undefined;
  readonly result: VerdictResult;
  /** Why it is bad, or unproven, each a sentence; the gravest first. */
  readonly reasons: readonly string[];
  /** What was seen to be right, each a phrase. */
  readonly seen: readonly string[];
}

export interface Verification extends Examination {
  readonly recorded: Recorded;
}

export interface VerifyRequest {
  readonly backup: StoredBackup;
  /** Program and version, for the record. */
  readonly tool: string;
  readonly now: () => Date;
  /** Not to compute the snapshot's digest. */
  readonly skipDigest: boolean;
  /** Where what is compressed is unpacked, in a file without a name. */
  readonly scratch: string;
  readonly progress: (bytes: number, totalBytes: number) => void;
  readonly signal: AbortSignal;
}

/**
 * What is wrong with the backup is no error.
 * @throws EtcdkeepError `file-failed` where a file cannot be read
 */
export async function verifyBackup(request: VerifyRequest): Promise<Verification> {
  const { backup, tool, now } = request;
  using opened = await openSnapshot(request);
  const examination = await examineBackup(opened, request);
  const { result, reasons, seen } = examination;
  const evidence = [...reasons, ...seen].join('; ');
  const verdict = { at: now().toISOString(), kind: 'verify', result, tool, evidence };
  return { ...examination, recorded: await recordVerdict(backup, verdict) };
}

/** The snapshot of a backup, for as long as it is looked at. */
export interface OpenedSnapshot extends Disposable {
  /** Undefined where there is none, and where it cannot be unpacked. */
  readonly plain: PlainSnapshot | undefined;
  /** Why what another tool has packed cannot be unpacked. */
  readonly unpackingDefect: string | undefined;
}

/**
 * Opens the snapshot, unpacked first where it has to be.
 * @throws EtcdkeepError `disk-full`, `target-unwritable`, `snapshot-too-large`, `file-failed`
 */
export async function openSnapshot(
  request: Pick<VerifyRequest, 'backup' | 'scratch' | 'progress' | 'signal'>,
): Promise<OpenedSnapshot> {
  const { backup, scratch: directory, progress, signal } = request;
  const opened = (plain?: PlainSnapshot, unpackingDefect?: string): OpenedSnapshot => ({
    plain,
    unpackingDefect,
    [Symbol.dispose]: () => plain?.[Symbol.dispose](),
  });
  if (backup.snapshot === undefined) return opened();
  const { path } = backup.snapshot;
  try {
    const wish = { path, directory, limitBytes: UNPACKED_MAX, progress, signal };
    return opened(await openPlainSnapshot(wish));
  } catch (reason) {
    if (!(reason instanceof EtcdkeepError) || reason.code !== 'snapshot-damaged') throw reason;
    return opened(undefined, reason.message);
  }
}

/**
 * Proves a backup from its files. What is wrong with it is no error.
 * @throws EtcdkeepError `file-failed` where a file cannot be read
 */
export async function examineBackup(
  { plain, unpackingDefect }: OpenedSnapshot,
  request: Pick<VerifyRequest, 'backup' | 'now' | 'skipDigest' | 'progress' | 'signal'>,
): Promise<Examination> {
  const { backup, now, skipDigest, progress, signal } = request;
  const { record } = backup;
  const snapshot = plain && {
    ...(await proveSnapshot({ path: plain.path, skipDigest, progress, signal })),
    path: backup.snapshot!.path,
  };
  const resources = backup.resources && (await inspectResources(backup, now(), signal));
  signal.throwIfAborted();
  const differences = record && compareWithRecord(record, snapshot, resources);
  const bad = [
    ...(unpackingDefect === undefined ? [] : [unpackingDefect]),
    ...reasonsForBad(backup, snapshot, resources, differences ?? []),
  ];
  const unproven = reasonsForUnproven(backup, snapshot);
  const result = bad.length > 0 ? 'bad' : unproven.length > 0 ? 'unproven' : 'good';
  const reasons = bad.length > 0 ? bad : unproven;
  const encryption = resources?.encryption && summarizeEncryption(resources.encryption.config);
  return {
    backup,
    snapshot,
    resources,
    encryption,
    differences,
    result,
    reasons,
    seen: seenToBeRight(snapshot, resources),
  };
}

/** Where one archive holds the snapshot as well, it is no larger than a snapshot may be. */
function inspectResources(
  { snapshot, resources }: StoredBackup,
  now: Date,
  signal: AbortSignal,
): Promise<ArchiveInspection> {
  const { path } = resources!;
  const limits = { memberBytes: UNPACKED_MAX, unpackedBytes: UNPACKED_MAX };
  return inspectArchive({ path, now, signal, ...(path === snapshot?.path ? { limits } : {}) });
}

function reasonsForBad(
  { snapshot: file, recordDefect }: StoredBackup,
  snapshot: SnapshotProof | undefined,
  resources: ArchiveInspection | undefined,
  differences: readonly string[],
): string[] {
  const reasons: string[] = [];
  if (file === undefined) reasons.push('there is no snapshot');
  if (snapshot?.digest.result === 'differs') {
    reasons.push("the snapshot's digest differs from its trailer");
  }
  if (snapshot !== undefined && snapshot.errorCount > 0) {
    const { message } = snapshot.findings.find(isError)!;
    reasons.push(`${message}${andMore(snapshot.errorCount)}`);
  }
  if (resources !== undefined && resources.count.error > 0) {
    const { message } = resources.findings.find(({ severity }) => severity === 'error')!;
    reasons.push(`static resources: ${message}${andMore(resources.count.error)}`);
  }
  if (recordDefect !== undefined)
    reasons.push(`the record cannot be read: ${recordDefect.message}`);
  return [...reasons, ...differences];
}

function andMore(count: number): string {
  return count === 1 ? '' : `, and ${formatCount(count - 1)} more`;
}

function reasonsForUnproven(
  { record, resources, stamp }: StoredBackup,
  snapshot: SnapshotProof | undefined,
): string[] {
  const reasons: string[] = [];
  if (snapshot?.digest.result === 'absent') {
    reasons.push('the database carries no digest to compare with: its structure is sound');
  }
  if (snapshot?.digest.result === 'skipped') reasons.push('the digest was not computed');
  if (resources === undefined && record !== undefined) {
    const { file, directory } = record.resources;
    reasons.push(
      `the static resources are not ${directory === undefined ? 'beside it' : `in ${directory}`}: ${file}`,
    );
  } else if (resources === undefined && stamp !== undefined) {
    reasons.push('there are no static resources of its stamp');
  }
  return reasons;
}

function seenToBeRight(
  snapshot: SnapshotProof | undefined,
  resources: ArchiveInspection | undefined,
): string[] {
  const seen: string[] = [];
  if (snapshot?.digest.result === 'equal') seen.push('digest equal to the trailer');
  if (snapshot?.errorCount === 0) {
    seen.push(`${formatCount(snapshot.pagesReachable)} pages sound`);
    const { status, hashKV } = snapshot;
    if (status !== undefined) {
      seen.push(
        `revision ${status.currentRevision}, ${formatCount(status.liveKeys)} keys, HashKV ${hashKV}`,
      );
    }
  }
  if (resources?.count.error === 0) {
    const { pods, members } = resources;
    seen.push(`${pods.length} static pods in ${formatCount(members.length)} members`);
  }
  return seen;
}
