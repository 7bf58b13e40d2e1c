// How backups in a directory look: a line each, or all that is known of one.

import { basename } from 'node:path';
import { formatBytes, formatCount, formatMoment, formatSpan } from '../base/units.ts';
import type { BackupRecord, Verdict } from '../record/schema.ts';
import { pathOf, type StoredBackup } from '../record/stored-backup.ts';
import type { Screen } from './screen.ts';

/** What each kind of proof is called when it is over. */
const DONE: Readonly<Record<string, string>> = { verify: 'verified', drill: 'drilled' };

const HEADINGS = ['STAMP', 'AGE', 'SIZE', 'REVISION', 'HOST', 'PROVEN'] as const;

/** A table of backups, with what is the matter with one behind its line. */
export function listLines(backups: readonly StoredBackup[], now: Date): string[] {
  const rows = [HEADINGS, ...backups.map((backup) => cellsOf(backup, now))];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('   ')
      .trimEnd(),
  );
}

function cellsOf(backup: StoredBackup, now: Date): readonly string[] {
  const { record, snapshot, at } = backup;
  const notes = notesOf(backup);
  const proven = record === undefined ? '' : provenLine(record, now);
  return [
    nameOf(backup),
    shortSpan(now.getTime() - at.getTime()),
    snapshot === undefined ? '-' : formatBytes(snapshot.bytes),
    record?.snapshot.revision ?? '-',
    record?.host.name ?? '-',
    [...(proven === '' ? [] : [proven]), ...notes].join('; '),
  ];
}

/** Its stamp, with OpenShift's mark; else the name of its file. */
function nameOf(backup: StoredBackup): string {
  const { stamp, possiblyDirty } = backup;
  if (stamp === undefined) return basename(pathOf(backup));
  return possiblyDirty ? `${stamp} (possibly dirty)` : stamp;
}

/** What is missing. */
export function notesOf(backup: StoredBackup): string[] {
  const { snapshot, resources, record, recordDefect, stamp } = backup;
  const notes: string[] = [];
  if (recordDefect !== undefined) notes.push('its record cannot be read');
  else if (record === undefined) notes.push('no record');
  if (snapshot === undefined) notes.push('NO SNAPSHOT');
  if (resources === undefined && stamp !== undefined) {
    const place = record?.resources.directory;
    notes.push(place === undefined ? 'NO STATIC RESOURCES' : `static resources not in ${place}`);
  }
  return notes;
}

/** `drilled 1h ago on etcd 3.6.16`, `BAD 1d ago`, `never`: the newest verdict. */
function provenLine({ verdicts }: BackupRecord, now: Date): string {
  const last = verdicts.at(-1);
  if (last === undefined) return 'never';
  const ago = `${shortSpan(now.getTime() - new Date(last.at).getTime())} ago`;
  return `${verdictWord(last)} ${ago}${onWhat(last)}`;
}

function verdictWord({ kind, result }: Verdict): string {
  if (result === 'bad') return 'BAD';
  return `${DONE[kind] ?? kind}${result === 'unproven' ? ' in part' : ''}`;
}

/** What a drill ran on. */
function onWhat({ etcd }: Verdict): string {
  return etcd === undefined ? '' : ` on etcd ${etcd}`;
}

/** A span of time in two or three letters: `2h`, `12d`. */
function shortSpan(milliseconds: number): string {
  const [count = '', unit = ''] = formatSpan(milliseconds).split(' ');
  return `${count}${unit[0]}`;
}

/** All that is known of a backup without opening its files. */
export function showBackup(screen: Screen, backup: StoredBackup, now: Date): void {
  const say = (noun: string, fact: string): void => screen.answer(`${noun.padEnd(12)}${fact}`);
  const { snapshot, resources, record, recordPath, at } = backup;
  say('backup', nameOf(backup));
  const from = record === undefined && backup.stamp === undefined ? 'changed' : 'taken';
  say(from, `${formatSpan(now.getTime() - at.getTime())} ago (${formatMoment(at)})`);
  for (const note of notesOf(backup)) say('note', note);
  if (snapshot !== undefined) say('snapshot', `${snapshot.path}, ${formatBytes(snapshot.bytes)}`);
  if (resources !== undefined) {
    say('resources', `${resources.path}, ${formatBytes(resources.bytes)}`);
  }
  if (recordPath !== undefined) say('record', recordPath);
  if (record !== undefined) showRecord(say, record, now);
}

function showRecord(
  say: (noun: string, fact: string) => void,
  record: BackupRecord,
  now: Date,
): void {
  const { cluster, host, member, snapshot, resources, checks, skipped, verdicts } = record;
  const { keyNames, providers, on } = resources.encryption;
  say('host', `${host.name}, ${host.layout} layout`);
  say('cluster', `${cluster.id}${cluster.name === undefined ? '' : `, ${cluster.name}`}`);
  say('member', `${member.name} (${member.id}), etcd ${member.version} at ${member.endpoint}`);
  say('revision', `${snapshot.revision}, compacted up to ${snapshot.compactRevision}`);
  say('keys', `${formatCount(snapshot.keys)}, sha256 ${snapshot.sha256}`);
  say('static pods', resources.pods.map(({ path }) => basename(path)).join(', '));
  say('files', `${formatCount(resources.members.length)}, sha256 ${resources.sha256}`);
  const names = keyNames.map((name) => `"${name}"`).join(', ');
  say('encryption', on ? `on (${providers.join(', ')}; keys ${names})` : 'off');
  for (const { name, result, evidence } of checks) {
    if (result !== 'passed') say('check', `${name} ${result}: ${evidence}`);
  }
  for (const { name, reason } of skipped) say('skipped', `${name}: ${reason}`);
  say('taken by', record.tool);
  if (verdicts.length === 0) say('proven', 'never');
  for (const verdict of verdicts) {
    const age = formatSpan(now.getTime() - new Date(verdict.at).getTime());
    const what = `${verdictWord(verdict)} ${age} ago${onWhat(verdict)}`;
    say('proven', `${what} by ${verdict.tool}: ${verdict.evidence}`);
  }
}

/** A backup as a document. */
export function backupDocument(backup: StoredBackup): Record<string, unknown> {
  const { stamp, possiblyDirty, directory, at, snapshot, resources, record } = backup;
  return {
    stamp,
    possiblyDirty,
    directory,
    taken: at.toISOString(),
    snapshot,
    staticResources: resources,
    notes: notesOf(backup),
    proven: record?.verdicts.at(-1),
    record,
  };
}
