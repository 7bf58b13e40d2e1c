// How a lost quorum looks: the members by how far they have come, what is known of the rest, and the plan.

import type { Candidate, KnownMember } from '../backup/quorum/candidate.ts';
import { type Comparison, expectedRevision, type Ranked } from '../backup/quorum/compare.ts';
import type { QuorumRestore } from '../backup/quorum/quorum-restore.ts';
import { EtcdkeepError } from '../base/errors.ts';
import { formatCount } from '../base/units.ts';
import { memberId } from '../etcd/store/foreign-text.ts';
import { row } from './columns.ts';
import type { Screen } from './screen.ts';

export function showQuorum(screen: Screen, found: QuorumRestore): void {
  const { comparison, silent, plan, host } = found;
  screen.tell('changed', 'nothing: this is a plan');
  if (host !== undefined) screen.tell('host', `${host.name} · ${host.layout} layout`);
  for (const [position, ranked] of comparison.ranked.entries()) {
    const lines = rankedLines(ranked, position === 0);
    screen.answer(
      row(position === 0 ? 'newest' : ranked.unfit.length > 0 ? 'unfit' : 'older', lines[0]!),
    );
    for (const line of lines.slice(1)) screen.answer(row('', line));
  }
  for (const { name, source, reason } of silent) {
    screen.answer(
      row('silent', `${name === source ? '' : `${name}   `}${source}: ${reason.message}`),
    );
  }
  screen.answer(row('why', whyLine(comparison)));
  screen.answer(row('cluster', clusterLine(comparison)));
  for (const line of acknowledgedLines(comparison)) screen.answer(row('lost', line));
  for (const note of plan.notes) screen.answer(row('note', note));
  screen.answer('');
  screen.answer(row('plan', 'in this order; nothing is undone by itself'));
  for (const [position, { on, what, commands }] of plan.steps.entries()) {
    screen.answer(`  ${position + 1}  ${on}: ${what}`);
    for (const command of commands) screen.answer(`       ${command}`);
  }
  screen.tell('more', 'docs/quorum-restore.md');
}

function rankedLines({ candidate, progress, unfit, lost }: Ranked, isNewest: boolean): string[] {
  const { term, lastIndex, committed, applied } = progress;
  const log =
    term === undefined
      ? `entry ${committed} is agreed on; how far its log goes is not known`
      : `log to entry ${lastIndex} of term ${term}, ${committed} agreed on`;
  const database = applied === undefined ? 'database not read' : `database at entry ${applied}`;
  return [
    `${candidate.name}   ${sourceOf(candidate)}`,
    `${log}; ${database}${revisionOf(progress)}`,
    ...(isNewest || lost === undefined ? [] : [lossLine(lost)]),
    ...unfit.slice(0, 3),
    ...warningsOf(candidate),
  ];
}

function sourceOf({ fromDirectory, fromEndpoint }: Candidate): string {
  const asked = fromEndpoint && `${fromEndpoint.endpoint}, etcd ${fromEndpoint.version}, no quorum`;
  const path = fromDirectory?.directory.path;
  return [path, asked].filter((one) => one !== undefined).join(' · ');
}

function revisionOf(progress: Ranked['progress']): string {
  if (progress.revision === undefined) return '';
  const beyond = progress.committedWritesBeyond;
  const after = expectedRevision(progress)!;
  const more = beyond === 0 ? '' : `, ${after} with ${counted(beyond, 'write')} of its log`;
  return `, revision ${progress.revision}${more}`;
}

function lossLine({ entries, writes }: NonNullable<Ranked['lost']>): string {
  if (entries === 0n) return 'has come as far';
  const made = writes === undefined ? '' : `, ${counted(writes, 'write')}`;
  return `choosing it loses ${counted(entries, 'entry')}${made}`;
}

function counted(count: number | bigint, noun: 'entry' | 'write'): string {
  const one = BigInt(count) === 1n;
  const many = noun === 'entry' ? 'entries' : 'writes';
  return `${formatCount(count)} ${one ? noun : many}`;
}

function warningsOf({ fromDirectory, fromEndpoint }: Candidate): string[] {
  if (fromDirectory === undefined) return [];
  const { heldBy, isLocked, findings } = fromDirectory;
  const who = heldBy.map(({ program, pid }) => `${program}, process ${pid}`).join('; ');
  const runs = isLocked
    ? [
        `a member runs on it (${who || 'not to be seen from here'}): ${fromEndpoint === undefined ? 'its database was not read; name its endpoint' : 'its database is as the member itself says'}`,
      ]
    : [];
  const warnings = findings.filter(({ severity }) => severity === 'warning');
  return [...runs, ...warnings.map(({ message }) => `warning: ${message}`)];
}

/** A member that is started alone keeps what it knows to be agreed on. */
function whyLine({ ranked }: Comparison): string {
  const [first, ...others] = ranked.filter(({ unfit }) => unfit.length === 0);
  const reach = ({ candidate, progress }: Ranked): string =>
    `${candidate.name} to entry ${progress.reach}`;
  const rest = others.map(reach).join(', ');
  return `what a start of it alone keeps goes furthest: ${reach(first!)}${rest === '' ? ', and there is no other' : `, ${rest}`}`;
}

function clusterLine({ clusterId, voters, votersSeen, majority }: Comparison): string {
  const names = voters.map(nameOf).join(', ');
  return `${memberId(clusterId)}: ${voters.length} voters (${names}), a majority is ${majority}; the logs of ${votersSeen.length} were read`;
}

function nameOf({ name, id }: KnownMember): string {
  return name === '' ? memberId(id) : name;
}

/** Of what a client was told that it is written. */
function* acknowledgedLines({
  isComplete,
  undecidedWrites,
  newest,
}: Comparison): Generator<string> {
  const { name } = newest.candidate;
  if (!isComplete) {
    yield 'writes may be missing that only members have which were not read; name their data directories, if they can be had';
  }
  if (undecidedWrites > 0) {
    yield `up to ${counted(undecidedWrites, 'write')} at the end of the logs that nobody knows to be agreed on: a start of one member drops them`;
  } else if (isComplete) {
    yield `nothing that was acknowledged: ${name} has it all`;
  }
}

export function quorumDocument({
  host,
  comparison,
  silent,
  plan,
}: QuorumRestore): Record<string, unknown> {
  const { clusterId, voters, votersSeen, votersFit, majority, isComplete, undecidedWrites } =
    comparison;
  return {
    host,
    clusterId: memberId(clusterId),
    voters: voters.map(({ id, name, peerUrls }) => ({ id: memberId(id), name, peerUrls })),
    votersSeen: votersSeen.map(memberId),
    votersFit: votersFit.map(memberId),
    majority,
    isComplete,
    undecidedWrites,
    newest: comparison.newest.candidate.name,
    members: comparison.ranked.map(rankedDocument),
    silent: silent.map(({ name, source, reason }) => ({
      ...{ name, source, code: reason.code, message: reason.message },
    })),
    plan,
  };
}

function rankedDocument({ candidate, progress, unfit, lost }: Ranked): Record<string, unknown> {
  const { name, memberId: id, isLearner, fromDirectory, fromEndpoint } = candidate;
  const database = fromDirectory?.directory.database;
  return {
    name,
    id: memberId(id),
    isLearner,
    dataDirectory: fromDirectory?.directory.path,
    endpoint: fromEndpoint?.endpoint,
    serverVersion: fromEndpoint?.version,
    heldBy: fromDirectory?.heldBy,
    term: progress.term?.toString(),
    lastIndex: progress.lastIndex.toString(),
    committed: progress.committed.toString(),
    applied: progress.applied?.toString(),
    revision: progress.revision?.toString(),
    writesBeyond: progress.writesBeyond,
    committedWritesBeyond: progress.committedWritesBeyond,
    lost: lost && { entries: lost.entries.toString(), writes: lost.writes },
    unfit,
    findings: fromDirectory?.findings,
    databaseError: database instanceof EtcdkeepError ? database.message : undefined,
  };
}
