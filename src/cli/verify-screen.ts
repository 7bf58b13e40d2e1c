// How a verdict looks: what was looked at, what came out of it, and what of a bad backup can still be read.

import type { Verification } from '../backup/verify.ts';
import type { SnapshotProof } from '../backup/verify-snapshot.ts';
import { formatBytes, formatCount, formatMoment, formatSpan } from '../base/units.ts';
import type { ArchiveInspection } from '../controlplane/archive-inspection.ts';
import {
  isError,
  isStoreRule,
  type LostRange,
  type StoreFinding,
} from '../etcd/store/store-finding.ts';
import type { Screen } from './screen.ts';

const NOUN_WIDTH = 22;
/** Findings of a snapshot that are shown; `snapshot check` shows all. */
const FINDINGS_SHOWN = 5;

/** Prints the verdict of one backup as the answer. */
export function showVerification(
  screen: Screen,
  verification: Verification,
  { now, listLost }: { readonly now: Date; readonly listLost: boolean },
): void {
  const say = (noun: string, fact: string): void => {
    screen.answer(`${noun.padEnd(NOUN_WIDTH)}${fact}`);
  };
  const { backup, snapshot, resources, differences, reasons } = verification;
  const { stamp, at, record } = backup;
  const age = `${formatSpan(now.getTime() - at.getTime())} ago (${formatMoment(at)})`;
  const host = record === undefined ? '' : `of ${record.host.name}, `;
  // Of a file without a stamp no more is known than when it was changed last.
  const event = stamp === undefined && record === undefined ? 'changed' : 'taken';
  say('backup', `${stamp === undefined ? '' : `${stamp}, `}${host}${event} ${age}`);
  if (backup.snapshot === undefined) say('snapshot', 'MISSING');
  else if (snapshot === undefined) say('snapshot', `BAD: ${backup.snapshot.path}: ${reasons[0]}`);
  else showSnapshot(say, snapshot, record?.snapshot.keys);
  if (listLost && snapshot !== undefined)
    for (const range of snapshot.lost) say('lost', lostLine(range));
  if (resources === undefined) say('static_kuberesources', 'none to be found');
  else showResources(say, resources, verification.encryption);
  if (differences !== undefined) {
    say('record', differences.length === 0 ? `good: ${comparedLine(verification)}` : 'BAD');
    for (const difference of differences) say('', difference);
  }
  say('verdict', verdictLine(screen, verification));
}

/** What was held against the record. */
function comparedLine({ snapshot, resources }: Verification): string {
  const digest = snapshot?.digest.result === 'skipped' ? ', its digest left out' : '';
  if (snapshot !== undefined && resources !== undefined) return `the files are as it says${digest}`;
  if (snapshot !== undefined) return `the snapshot is as it says${digest}; nothing else was there`;
  return resources === undefined ? 'nothing was there' : 'the static resources are as it says';
}

function showResources(
  say: (noun: string, fact: string) => void,
  { path, bytes, pods, members, earliestEnd, findings, count }: ArchiveInspection,
  encryption: Verification['encryption'],
): void {
  const isBad = count.error > 0;
  say('static_kuberesources', `${isBad ? 'BAD' : 'good'}: ${path}, ${formatBytes(bytes)}`);
  const files = members.filter(({ sha256 }) => sha256 !== undefined).length;
  const until =
    earliestEnd === undefined
      ? ''
      : `, certificates valid until ${earliestEnd.validTo.toISOString().slice(0, 10)}`;
  say('', `${pods.length} static pods, ${formatCount(files)} files${until}`);
  if (encryption !== undefined) {
    const { providers, keyNames, on } = encryption;
    const names = keyNames.map((name) => `"${name}"`).join(', ');
    say('', `encryption ${on ? `on (${providers.join(', ')}; keys ${names})` : 'off'}`);
  }
  for (const { message, member, severity } of findings.slice(0, FINDINGS_SHOWN)) {
    const weight = severity === 'warning' ? 'warning: ' : '';
    say('', `${weight}${member === undefined ? message : `${member}: ${message}`}`);
  }
  const more = findings.length - FINDINGS_SHOWN;
  if (more > 0) say('', `and ${formatCount(more)} more`);
}

function showSnapshot(
  say: (noun: string, fact: string) => void,
  snapshot: SnapshotProof,
  recordedKeys: number | undefined,
): void {
  const { path, bytes, digest, findings, errorCount } = snapshot;
  const isBad = digest.result === 'differs' || errorCount > 0;
  say('snapshot', `${isBad ? 'BAD' : 'good'}: ${path}, ${formatBytes(bytes)}`);
  say('  digest', digestLine(snapshot));
  const ofStore = findings.filter(({ rule }) => isStoreRule(rule));
  const ofStructure = findings.filter(({ rule }) => !isStoreRule(rule));
  const pages = `${formatCount(snapshot.pagesReachable)} of ${formatCount(snapshot.pages)} pages`;
  showFindings(say, '  structure', ofStructure, `sound: ${pages} are in use`);
  showFindings(say, '  store', ofStore, contentsLine(snapshot, recordedKeys));
  if (ofStore.length > 0) say('', contentsLine(snapshot, recordedKeys));
}

/** What the database holds, or what of it can be read. */
function contentsLine(snapshot: SnapshotProof, recordedKeys: number | undefined): string {
  const { status, errorCount, readableKeys, hashKV, lost } = snapshot;
  if (errorCount > 0 || status === undefined) {
    const readable = `${formatCount(readableKeys)} keys can be read`;
    const all = recordedKeys === undefined ? '' : `, of ${formatCount(recordedKeys)} by the record`;
    // Of a key whose newest record is lost, an older one is read.
    const doubt = lost.some(({ bucket }) => bucket === 'key') ? '; some may be out of date' : '';
    return `${readable}${all}${doubt}`;
  }
  const { currentRevision, liveKeys, clusterVersion } = status;
  const version = clusterVersion === undefined ? '' : `, etcd ${clusterVersion}`;
  const keys = formatCount(liveKeys);
  return `sound: revision ${currentRevision}, ${keys} keys, HashKV ${hashKV}${version}`;
}

function showFindings(
  say: (noun: string, fact: string) => void,
  noun: string,
  findings: readonly StoreFinding[],
  sound: string,
): void {
  if (findings.length === 0) {
    say(noun, sound);
    return;
  }
  findings.slice(0, FINDINGS_SHOWN).forEach((finding, index) => {
    const { message, offset } = finding;
    const weight = isError(finding) ? '' : 'warning: ';
    say(index === 0 ? noun : '', `${weight}${message} (byte ${formatCount(offset)})`);
  });
  const more = findings.length - FINDINGS_SHOWN;
  if (more > 0) say('', `and ${formatCount(more)} more: etcdkeep snapshot check`);
}

function digestLine({ digest: { result, computed, stored } }: SnapshotProof): string {
  switch (result) {
    case 'equal':
      return 'equal to the trailer';
    case 'absent':
      return "none to compare with: a snapshot ends with one, a copy of a member's database does not";
    case 'skipped':
      return 'not computed';
    case 'differs':
      return `differs from the trailer: ${short(computed)} computed, ${short(stored)} stored`;
  }
}

function short(digest: string | undefined): string {
  return `${(digest ?? '').slice(0, 16)}…`;
}

/** What a damaged page hides. */
function lostLine({ page, bucket, from, to, records }: LostRange): string {
  const where = `in page ${page} of ${bucket === '' ? 'the root' : `bucket "${bucket}"`}`;
  if (bucket !== 'key') return `what was ${where}`;
  const what = records === undefined ? 'all' : `${records} record${records === 1 ? '' : 's'}`;
  const first = from === undefined ? 'the first revision' : `revision ${from}`;
  return `${what} of ${first} to ${to ?? 'the last'}, ${where}`;
}

const COLOURS = { good: 'green', unproven: 'yellow', bad: 'red' } as const;

function verdictLine(screen: Screen, { result, recorded, snapshot }: Verification): string {
  const written =
    recorded === true
      ? 'written to the record'
      : recorded === 'no record'
        ? 'there is no record to write it to'
        : `not recorded: ${recorded.message}`;
  const lost = snapshot?.lost.length ?? 0;
  const hint = lost > 0 ? '; --list-lost names what is lost' : '';
  return `${screen.verdict(result.toUpperCase(), COLOURS[result])}, ${written}${hint}`;
}

/** The same as a document. */
export function verificationDocument(verification: Verification): Record<string, unknown> {
  const { backup, snapshot, resources, differences, result, reasons, recorded } = verification;
  return {
    stamp: backup.stamp,
    taken: backup.at.toISOString(),
    host: backup.record?.host.name,
    result,
    reasons,
    snapshot: snapshot && snapshotDocument(snapshot),
    staticResources: resources && resourcesDocument(resources),
    recordDifferences: differences,
    recorded: recorded === true,
    ...(recorded === true || recorded === 'no record' ? {} : { notRecorded: recorded.message }),
  };
}

function snapshotDocument(proof: SnapshotProof): Record<string, unknown> {
  const { path, bytes, sha256, digest, pages, pagesReachable, status, hashKV } = proof;
  return {
    path,
    bytes,
    sha256,
    digest,
    pages,
    pagesReachable,
    revision: status?.currentRevision.toString(),
    keys: status?.liveKeys,
    hashKV,
    clusterVersion: status?.clusterVersion,
    storageVersion: status?.storageVersion,
    errors: proof.errorCount,
    findings: proof.findings,
    lost: proof.lost.map(({ from, to, ...range }) => ({
      ...range,
      from: from?.toString(),
      to: to?.toString(),
    })),
    readableKeys: proof.readableKeys,
  };
}

function resourcesDocument(inspection: ArchiveInspection): Record<string, unknown> {
  const { path, bytes, sha256, layout, pods, members, earliestEnd, findings, count } = inspection;
  return {
    path,
    bytes,
    sha256,
    layout,
    pods,
    members: members.length,
    certificatesValidUntil: earliestEnd?.validTo.toISOString(),
    errors: count.error,
    warnings: count.warning,
    findings,
  };
}
