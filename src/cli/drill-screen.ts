// How a drill looks: what was restored, what a real etcd said of it, and what that proves and what not.

import type { Drill, DrillEvent } from '../backup/drill/drill.ts';
import { formatBytes, formatClock, formatCount, formatMoment, formatSpan } from '../base/units.ts';
import { pathOf } from '../record/stored-backup.ts';
import type { Screen } from './screen.ts';

const NOUN_WIDTH = 12;

const PROVES =
  "etcd's data: a cluster made of it holds every key as the snapshot does, takes writes, and grows";
const PROVES_NOT =
  'operators, nodes and volumes; that the encryption keys open the values; a restore on the hosts themselves';

/** Draws what happens. */
export function drawDrill(screen: Screen, event: DrillEvent): void {
  if (event.kind === 'step') screen.progress.start(event.step);
  else if (event.kind === 'progress') screen.progress.advance(event.bytes, event.totalBytes);
  else
    screen.warn(`the drill takes memory: ${event.directory} is no disk; --scratch names another`);
}

/** Prints what came out as the answer. */
export function showDrill(screen: Screen, drill: Drill, now: Date): void {
  const say = (noun: string, fact: string): void => {
    screen.answer(`${noun.padEnd(NOUN_WIDTH)}${fact}`);
  };
  const { examination, restored, isRestoredSame, compared, result } = drill;
  const { snapshot, seen } = examination;
  say('backup', backupLine(drill, now));
  if (seen.length > 0) say('files', seen.join('; '));
  if (restored !== undefined) {
    say('restored', restoredLine(restored));
    for (const change of restored.changes) say('', `in the scratch copy alone: ${change}`);
  }
  if (drill.etcd !== undefined) say('etcd', etcdLine(drill));
  if (isRestoredSame === true) {
    say('compared', 'the restored file alone: revision, keys and HashKV are those of the snapshot');
  }
  if (compared !== undefined) {
    const revision = snapshot!.status!.currentRevision;
    say('compared', `revision ${revision} and HashKV ${snapshot!.hashKV} are the snapshot's`);
    const size = formatBytes(compared.bytes);
    say('', `${counted(compared.keys, 'key')}, ${size}: value, lease, revisions, version equal`);
  }
  for (const [noun, fact] of workLines(drill)) say(noun, fact);
  if (result !== 'bad' && drill.followed !== undefined) {
    say('proves', PROVES);
    say('not', PROVES_NOT);
  }
  say('verdict', verdictLine(screen, drill));
  if (drill.leftBehind !== undefined) {
    screen.warn(`${drill.leftBehind} could not be removed, and holds all that the backup does`);
  }
}

function backupLine({ examination: { backup } }: Drill, now: Date): string {
  const { stamp, at, record } = backup;
  const age = `${formatSpan(now.getTime() - at.getTime())} ago (${formatMoment(at)})`;
  const host = record === undefined ? '' : `of ${record.host.name}, `;
  // Of a file without a stamp no more is known than when it was changed last.
  const event = stamp === undefined && record === undefined ? 'changed' : 'taken';
  return `${stamp ?? pathOf(backup)}, ${host}${event} ${age}`;
}

function restoredLine({ bytes, leases, membersDropped }: NonNullable<Drill['restored']>): string {
  const instead = `in the place of ${formatCount(membersDropped)}`;
  const kept = leases === 0 ? '' : `; ${counted(leases, 'lease')}`;
  return `${formatBytes(bytes)} as a cluster of one member ${instead}, revisions as they were${kept}`;
}

function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Which one, and why that. */
function etcdLine({ etcd, wanted }: Drill): string {
  const { version, name } = etcd!;
  const minor = (text: string): string => text.split('.').slice(0, 2).join('.');
  const line = `${version} at ${name}`;
  if (wanted === undefined) return `${line}; it is not known which one the backup is of`;
  if (version === wanted) return `${line}, the very version that the backup is of`;
  if (minor(version) === minor(wanted))
    return `${line}, of the minor version that the backup is of`;
  return `${line}; the backup is of ${wanted}, which a later one reads as well`;
}

/** How it worked as a cluster. */
function workLines(drill: Drill): (readonly [noun: string, fact: string])[] {
  const { defragmented, grown, exercised, followed } = drill;
  const lines: [string, string][] = [];
  if (defragmented !== undefined) {
    const [before, after] = [defragmented.bytesBefore, defragmented.bytesAfter].map(formatBytes);
    lines.push(['works', `defragmented: ${before} before, ${after} after`]);
  }
  if (grown !== undefined) {
    lines.push(['', `a second member joined empty, got all of it and votes: ${hashLine(grown)}`]);
  }
  if (exercised !== undefined && followed !== undefined) {
    const keys = counted(exercised.keys, 'key');
    lines.push(['', `${keys} written and read, the past compacted: ${hashLine(followed)}`]);
  }
  return lines;
}

function hashLine({ hashKV, revision }: NonNullable<Drill['grown']>): string {
  return `HashKV ${hashKV} at revision ${revision} on both`;
}

const COLOURS = { good: 'green', unproven: 'yellow', bad: 'red' } as const;

function verdictLine(screen: Screen, { result, recorded, milliseconds }: Drill): string {
  const written =
    recorded === true
      ? 'written to the record'
      : recorded === 'no record'
        ? 'there is no record to write it to'
        : `not recorded: ${recorded.message}`;
  const word = screen.verdict(result.toUpperCase(), COLOURS[result]);
  return `${word} after ${formatClock(milliseconds)}, ${written}`;
}

/** The same as a document. */
export function drillDocument(drill: Drill): Record<string, unknown> {
  const { examination, wanted, etcd, restored, compared, grown, exercised, followed, recorded } =
    drill;
  const { backup, snapshot } = examination;
  return {
    stamp: backup.stamp,
    taken: backup.at.toISOString(),
    host: backup.record?.host.name,
    result: drill.result,
    reasons: drill.reasons,
    milliseconds: Math.round(drill.milliseconds),
    files: examination.result,
    snapshot: snapshot && {
      path: snapshot.path,
      bytes: snapshot.bytes,
      revision: snapshot.status?.currentRevision.toString(),
      keys: snapshot.status?.liveKeys,
      hashKV: snapshot.hashKV,
      etcdVersion: wanted,
    },
    etcd: etcd && { version: etcd.version, path: etcd.path, name: etcd.name },
    restored,
    restoredIsSame: drill.isRestoredSame,
    compared,
    defragmented: drill.defragmented,
    grown: grown && membersDocument(grown),
    written: exercised && { keys: exercised.keys },
    followed: followed && membersDocument(followed),
    recorded: recorded === true,
    ...(recorded === true || recorded === 'no record' ? {} : { notRecorded: recorded.message }),
    leftBehind: drill.leftBehind,
  };
}

function membersDocument({ hashKV, revision, compactRevision }: NonNullable<Drill['grown']>) {
  return {
    hashKV,
    revision: revision.toString(),
    compactRevision: compactRevision.toString(),
  };
}
