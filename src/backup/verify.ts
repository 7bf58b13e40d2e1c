// Proves a backup from its files alone: the snapshot, the static resources, and the record that speaks of both. Database
// and archive are never touched; the verdict is added to the record where that can be written.

import { EtcdkeepError } from '../base/errors.ts';
import { formatCount } from '../base/units.ts';
import { type ArchiveInspection, inspectArchive } from '../controlplane/archive-inspection.ts';
import { isError } from '../etcd/store/store-finding.ts';
import { summarizeEncryption } from '../kubernetes/encryption-config.ts';
import { addVerdict } from '../record/record.ts';
import type { StoredBackup } from '../record/stored-backup.ts';
import { openPlainSnapshot } from './plain-snapshot.ts';
import { compareWithRecord } from './verify-record.ts';
import { proveSnapshot, type SnapshotProof } from './verify-snapshot.ts';

/** More than a compressed snapshot is unpacked to: 64 GiB, eight times what etcd advises a database to be. */
const UNPACKED_MAX = 64 * 2 ** 30;

/** `unproven`: nothing is wrong, and something could not be looked at, or has nothing to be compared with. */
export type VerdictResult = 'good' | 'unproven' | 'bad';

export interface Verification {
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
  /** What was compared, in a sentence. */
  readonly evidence: string;
  /** Whether the verdict is in the record, or why not. */
  readonly recorded: true | 'no record' | EtcdkeepError;
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
  const { backup, now, signal } = request;
  const { record } = backup;
  const { snapshot, unpackingDefect } = await proveUnpacked(request);
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
  const evidence = [...reasons, ...evidenceOf(snapshot, resources)].join('; ');
  const recorded = await recordVerdict(request, result, evidence);
  const encryption = resources?.encryption && summarizeEncryption(resources.encryption.config);
  return {
    backup,
    snapshot,
    resources,
    encryption,
    differences,
    result,
    reasons,
    evidence,
    recorded,
  };
}

interface Unpacked {
  readonly snapshot?: SnapshotProof;
  /** Why what another tool has packed cannot be unpacked. */
  readonly unpackingDefect?: string;
}

/** Proves the snapshot, unpacked first where it has to be. */
async function proveUnpacked(request: VerifyRequest): Promise<Unpacked> {
  const { backup, skipDigest, scratch, progress, signal } = request;
  if (backup.snapshot === undefined) return {};
  const { path } = backup.snapshot;
  try {
    const wish = { path, directory: scratch, limitBytes: UNPACKED_MAX, progress, signal };
    using plain = await openPlainSnapshot(wish);
    const proof = await proveSnapshot({ path: plain.path, skipDigest, progress, signal });
    return { snapshot: { ...proof, path } };
  } catch (reason) {
    if (!(reason instanceof EtcdkeepError) || reason.code !== 'snapshot-damaged') throw reason;
    return { unpackingDefect: reason.message };
  }
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

/** What was seen to be right. */
function evidenceOf(
  snapshot: SnapshotProof | undefined,
  resources: ArchiveInspection | undefined,
): string[] {
  const evidence: string[] = [];
  if (snapshot?.digest.result === 'equal') evidence.push('digest equal to the trailer');
  if (snapshot?.errorCount === 0) {
    evidence.push(`${formatCount(snapshot.pagesReachable)} pages sound`);
    const { status, hashKV } = snapshot;
    if (status !== undefined) {
      evidence.push(
        `revision ${status.currentRevision}, ${formatCount(status.liveKeys)} keys, HashKV ${hashKV}`,
      );
    }
  }
  if (resources?.count.error === 0) {
    const { pods, members } = resources;
    evidence.push(`${pods.length} static pods in ${formatCount(members.length)} members`);
  }
  return evidence;
}

async function recordVerdict(
  { backup, tool, now }: VerifyRequest,
  result: VerdictResult,
  evidence: string,
): Promise<Verification['recorded']> {
  const { record, recordPath } = backup;
  if (record === undefined || recordPath === undefined) return 'no record';
  try {
    const verdict = { at: now().toISOString(), kind: 'verify', result, tool, evidence };
    await addVerdict(recordPath, verdict);
    return true;
  } catch (reason) {
    if (reason instanceof EtcdkeepError) return reason;
    throw reason;
  }
}
