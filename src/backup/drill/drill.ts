// Proves a backup by restoring it: its files are examined, a cluster of its own is made of it in a scratch directory, and
// a real etcd reads it back, writes to it and grows. Neither the files nor any cluster is touched.

import { EtcdkeepError } from '../../base/errors.ts';
import type { DatabaseStatus } from '../../etcd/store/database-status.ts';
import { compareMinors } from '../../etcd/store/notes.ts';
import type { StoredBackup } from '../../record/stored-backup.ts';
import { type Recorded, recordVerdict, type VerdictResult } from '../verdict.ts';
import { type Examination, examineBackup, openSnapshot } from '../verify.ts';
import { evidenceOf } from './drill-evidence.ts';
import { DrillRun, type DrillStep } from './drill-run.ts';
import { type EtcdProgram, findEtcd } from './etcd-programs.ts';
import { defaultParent, demandSpace, isInMemory, Scratch } from './scratch.ts';
import { Shortfall } from './shortfall.ts';
import { spaceForDrill } from './space.ts';
import { defaultLimitMs, startLimit } from './time-limit.ts';

export type DrillEvent =
  /** What is done from now on. */
  | { readonly kind: 'step'; readonly step: 'examining' | DrillStep }
  /** How far it is. */
  | { readonly kind: 'progress'; readonly bytes: number; readonly totalBytes: number }
  /** What is written takes memory. */
  | { readonly kind: 'scratch-in-memory'; readonly directory: string };

export interface DrillRequest {
  readonly backup: StoredBackup;
  /** Program and version, for the record. */
  readonly tool: string;
  readonly now: () => Date;
  /** The etcd to run; looked for if undefined. */
  readonly etcd: string | undefined;
  /** Where the scratch directory is made; on a disk if undefined and one can be had. */
  readonly scratch: string | undefined;
  /** The longest time from the restore on; by the size of the backup if undefined. */
  readonly timeoutMs: number | undefined;
  /** PATH and TMPDIR are looked at. */
  readonly environment: Readonly<Partial<Record<string, string>>>;
  readonly report: (event: DrillEvent) => void;
  readonly signal: AbortSignal;
}

/** What was found out. Of a step that was not come to, nothing is there. */
export interface DrillFindings extends Partial<ReturnType<typeof foundBy>> {
  readonly examination: Examination;
  /** The version of etcd that the backup is of, as far as it is known. */
  readonly wanted: string | undefined;
  /** What was run; undefined if there was none, or it was not come to. */
  readonly etcd: EtcdProgram | undefined;
  readonly result: VerdictResult;
  /** Why it is bad, or unproven, each a sentence; the gravest first. */
  readonly reasons: readonly string[];
}

export interface Drill extends DrillFindings {
  readonly milliseconds: number;
  /** What was compared, in a sentence. */
  readonly evidence: string;
  readonly recorded: Recorded;
  /** The scratch directory, if it could not be removed. */
  readonly leftBehind: string | undefined;
}

/**
 * Makes a drill. What is wrong with the backup is no error.
 * @throws EtcdkeepError `etcd-unusable`, `etcd-too-old`, `scratch-too-small`, `disk-full`, `target-unwritable`,
 * `snapshot-too-large`, `file-failed`; the signal's reason
 */
export async function drillBackup(request: DrillRequest): Promise<Drill> {
  const begun = performance.now();
  const { backup, tool, now, environment, signal } = request;
  const { record, snapshot } = backup;
  if (request.etcd !== undefined) {
    await findProgram(request, request.etcd, record?.member.version);
  }
  const parent = request.scratch ?? (await defaultParent(environment));
  await demandSpace(parent, snapshot?.bytes ?? 0);
  if (await isInMemory(parent)) request.report({ kind: 'scratch-in-memory', directory: parent });
  const scratch = await Scratch.make(parent);
  const { findings, isRemoved } = await removing(scratch, () => drillIn(scratch, request));
  signal.throwIfAborted();
  const milliseconds = performance.now() - begun;
  const { result, etcd } = findings;
  const evidence = evidenceOf(findings, milliseconds);
  const recorded = await recordVerdict(backup, {
    at: now().toISOString(),
    kind: 'drill',
    result,
    tool,
    ...(etcd === undefined ? {} : { etcd: etcd.version }),
    evidence,
  });
  const leftBehind = isRemoved ? undefined : scratch.path;
  return { ...findings, milliseconds, evidence, recorded, leftBehind };
}

/** Removes the scratch directory at the end, whatever the end is. */
async function removing(
  scratch: Scratch,
  use: () => Promise<DrillFindings>,
): Promise<{ readonly findings: DrillFindings; readonly isRemoved: boolean }> {
  try {
    const findings = await use();
    return { findings, isRemoved: await scratch.remove() };
  } catch (reason) {
    const isRemoved = await scratch.remove();
    if (reason instanceof EtcdkeepError) {
      reason.aftermath = isRemoved
        ? 'Nothing is left of the drill, and no verdict was recorded.'
        : `${scratch.path} could not be removed: what is secret in the cluster is in it.`;
    }
    throw reason;
  }
}

async function drillIn(scratch: Scratch, request: DrillRequest): Promise<DrillFindings> {
  const { backup, now, report, signal } = request;
  report({ kind: 'step', step: 'examining' });
  const progress = (bytes: number, totalBytes: number): void =>
    report({ kind: 'progress', bytes, totalBytes });
  using opened = await openSnapshot({ backup, scratch: scratch.path, progress, signal });
  const wish = { backup, now, skipDigest: false, progress, signal };
  const examination = await examineBackup(opened, wish);
  const { result, reasons, snapshot: proof } = examination;
  const { plain } = opened;
  const wanted = versionOf(backup, proof?.status);
  const findings = { examination, wanted, etcd: undefined, result, reasons };
  if (result === 'bad' || plain === undefined || proof === undefined) return findings;
  const etcd = await findProgram(request, request.etcd, wanted);
  await demandSpace(scratch.path, spaceForDrill(plain.bytes, etcd === undefined ? 0 : 2));
  let step: DrillStep = 'restoring';
  const limitMs = request.timeoutMs ?? defaultLimitMs(plain.bytes);
  using limit = startLimit(limitMs, signal, () => step);
  const run = new DrillRun({
    ...{ plain, proof, scratch, etcd, limit, progress },
    begin: (next) => {
      step = next;
      report({ kind: 'step', step });
    },
  });
  const shortfall = await shortfallOf(run);
  return judge({ ...findings, etcd, ...foundBy(run) }, shortfall);
}

/** @returns why it did not come to its end; undefined if it did */
async function shortfallOf(run: DrillRun): Promise<Shortfall | undefined> {
  try {
    await run.run();
    return undefined;
  } catch (reason) {
    if (reason instanceof Shortfall) return reason;
    throw reason;
  } finally {
    await run.stop();
  }
}

function foundBy(run: DrillRun) {
  const { restored, isRestoredSame, compared, defragmented, grown, exercised, followed } = run;
  return { restored, isRestoredSame, compared, defragmented, grown, exercised, followed };
}

function judge(findings: DrillFindings, shortfall: Shortfall | undefined): DrillFindings {
  const { etcd, wanted, reasons } = findings;
  if (shortfall !== undefined) {
    return { ...findings, result: shortfall.result, reasons: [shortfall.message, ...reasons] };
  }
  if (etcd !== undefined) return findings;
  const which = wanted === undefined ? '' : ` ${minorOf(wanted)} or later`;
  const reason = `no etcd${which} was found on this machine to start on it`;
  return { ...findings, result: 'unproven', reasons: [reason, ...reasons] };
}

function findProgram(
  { environment, signal }: DrillRequest,
  named: string | undefined,
  wanted: string | undefined,
): Promise<EtcdProgram | undefined> {
  return findEtcd({ named, searchPath: environment['PATH'] ?? '', wanted, signal });
}

/** The newest minor that speaks of the snapshot: an older etcd would not read what a newer one has written. */
function versionOf(
  { record }: StoredBackup,
  status: DatabaseStatus | undefined,
): string | undefined {
  return [record?.member.version, status?.storageVersion, status?.clusterVersion]
    .filter((version) => version !== undefined)
    .reduce<string | undefined>(
      (newest, version) =>
        newest === undefined || compareMinors(version, newest) > 0 ? version : newest,
      undefined,
    );
}

function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}
