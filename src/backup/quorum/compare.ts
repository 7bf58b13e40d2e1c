// Which member has come furthest, and what would be lost by each other choice.
//
// A member that is started alone (etcd --force-new-cluster) keeps the entries that it knows to be agreed on and drops the
// rest of its log (server/etcdserver/bootstrap.go, bootstrapRaftFromWAL), so that index decides before raft's own order of
// logs, by term and last index. What is agreed on is the same on all members.

import { EtcdkeepError } from '../../base/errors.ts';
import { memberId } from '../../etcd/store/foreign-text.ts';
import { type Candidate, type KnownMember, type Progress, progressOf } from './candidate.ts';

export interface Ranked {
  readonly candidate: Candidate;
  readonly progress: Progress;
  /** Why no cluster can be started from it, as sentences; empty if one can. */
  readonly unfit: readonly string[];
  /** What is lost by choosing it, beside the newest; undefined of the newest, and of one that is unfit. */
  readonly lost: Loss | undefined;
}

/** What one member has less than another. */
export interface Loss {
  readonly entries: bigint;
  /** At most so many; undefined where that cannot be told. */
  readonly writes: number | undefined;
}

export interface Comparison {
  readonly clusterId: bigint;
  readonly newest: Ranked;
  /** By how far they have come, the newest first; those that are unfit last. */
  readonly ranked: readonly Ranked[];
  /** Members that vote, as the newest knows them. */
  readonly voters: readonly KnownMember[];
  /** Ids of those of them whose logs were read, or that have answered. */
  readonly votersSeen: readonly bigint[];
  /** Those of them that could be started. */
  readonly votersFit: readonly bigint[];
  readonly majority: number;
  /** Whether at least one member of every majority was seen: then whatever was acknowledged is in one of the logs. */
  readonly isComplete: boolean;
  /** Writes behind what the newest knows to be agreed on, in whichever log goes furthest. */
  readonly undecidedWrites: number;
}

/**
 * Compares what was found.
 * @throws EtcdkeepError `clusters-differ`, `no-member-to-start`
 */
export function compareCandidates(candidates: readonly Candidate[]): Comparison {
  const clusterId = demandOneCluster(candidates);
  const members = membersOf(candidates);
  const unsorted = candidates.map((candidate) => ({
    candidate,
    progress: progressOf(candidate),
    unfit: [...unfitOf(candidate, members)],
  }));
  const sorted = unsorted.toSorted(byProgress);
  demandOneHistory(sorted);
  const [first] = sorted;
  if (first === undefined || first.unfit.length > 0) throw nothingToStart(sorted);
  const ranked = sorted.map((one, position) => ({
    ...one,
    lost: position === 0 || one.unfit.length > 0 ? undefined : lossOf(first, one),
  }));
  const voters = members.filter(({ isLearner }) => !isLearner);
  const seen = (those: readonly { readonly candidate: Candidate }[]): bigint[] => {
    const ids = new Set(those.map(({ candidate }) => candidate.memberId));
    return voters.map(({ id }) => id).filter((id) => ids.has(id));
  };
  const majority = Math.floor(voters.length / 2) + 1;
  const votersSeen = seen(sorted.filter(({ candidate }) => hasLog(candidate)));
  return {
    clusterId,
    newest: ranked[0]!,
    ranked,
    voters,
    votersSeen,
    votersFit: seen(sorted.filter(({ unfit }) => unfit.length === 0)),
    majority,
    isComplete: voters.length > 0 && votersSeen.length > voters.length - majority,
    undecidedWrites: undecidedWrites(sorted, first.progress.reach),
  };
}

/** Of a running member alone it is not known how far its log goes. */
function hasLog({ fromDirectory }: Candidate): boolean {
  return fromDirectory !== undefined && fromDirectory.directory.wal.end.kind !== 'damaged';
}

/** @returns its id @throws EtcdkeepError `clusters-differ` */
export function demandOneCluster(candidates: readonly Candidate[]): bigint {
  const clusters = Map.groupBy(candidates, ({ clusterId }) => clusterId);
  // A log that does not say whose it is says so by itself.
  clusters.delete(0n);
  if (clusters.size <= 1) return [...clusters.keys()][0] ?? 0n;
  throw new EtcdkeepError(
    'clusters-differ',
    `what was named belongs to ${clusters.size} clusters`,
    {
      facts: [...clusters].map(([id, those]) => [
        'cluster',
        `${memberId(id)}: ${those.map(({ name }) => name).join(', ')}`,
      ]),
    },
  );
}

/** The members as they are known who has come furthest. */
function membersOf(candidates: readonly Candidate[]): readonly KnownMember[] {
  const knowing = candidates.filter(({ members }) => members.length > 0);
  const [first] = knowing.toSorted((left, right) =>
    compare(progressOf(right).reach, progressOf(left).reach),
  );
  return (first?.members ?? []).toSorted((left, right) => left.name.localeCompare(right.name));
}

function* unfitOf(
  { unfit, isLearner, memberId: id }: Candidate,
  members: readonly KnownMember[],
): Generator<string> {
  yield* unfit;
  if (isLearner) yield 'it is a learner: it never had to have what was acknowledged';
  if (members.length > 0 && !members.some((member) => member.id === id)) {
    yield `it is member ${memberId(id)}, which is none of the cluster any more`;
  }
}

type Compared = Omit<Ranked, 'lost'>;

/** Who has come furthest first; who cannot be started last. */
function byProgress(left: Compared, right: Compared): number {
  const [one, other] = [left.progress, right.progress];
  return (
    Math.min(left.unfit.length, 1) - Math.min(right.unfit.length, 1) ||
    compare(other.reach, one.reach) ||
    compare(other.term ?? 0n, one.term ?? 0n) ||
    compare(other.lastIndex, one.lastIndex) ||
    compare(other.applied ?? 0n, one.applied ?? 0n)
  );
}

/** Negative, 0 or positive. */
function compare(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/**
 * A restore with the arguments of an earlier one has its cluster id, and another history.
 * @throws EtcdkeepError `clusters-differ`
 */
function demandOneHistory(sorted: readonly Compared[]): void {
  const [first, ...others] = sorted.filter(({ candidate }) => hasLog(candidate));
  for (const other of others) {
    const [one, two] = [first!, other].map(({ progress: { reach, lastIndex } }) =>
      reach < lastIndex ? reach : lastIndex,
    ) as [bigint, bigint];
    const index = one < two ? one : two;
    const [term, otherTerm] = [first!, other].map(({ candidate }) =>
      candidate.fromDirectory!.directory.wal.log.termAt(index),
    );
    if (term === undefined || otherTerm === undefined || term === otherTerm) continue;
    const message = `${first!.candidate.name} and ${other.candidate.name} have one cluster id and two histories: entry ${index}, which both take for agreed on, is of term ${term} here and ${otherTerm} there`;
    throw new EtcdkeepError('clusters-differ', message, {
      advice: 'one of them is from before a restore: leave that one out',
    });
  }
}

function nothingToStart(sorted: readonly Compared[]): EtcdkeepError {
  return new EtcdkeepError(
    'no-member-to-start',
    'of all that was looked at, nothing can be started from',
    {
      facts: sorted.flatMap(({ candidate, unfit }) =>
        unfit.slice(0, 1).map((reason) => [candidate.name, reason] as const),
      ),
    },
  );
}

function lossOf(newest: Compared, other: Compared): Loss {
  const [from, to] = [other.progress.reach, newest.progress.reach];
  const log = newest.candidate.fromDirectory?.directory.wal.log;
  const isCovered = log !== undefined && log.firstIndex <= from + 1n && log.lastIndex >= to;
  const revisions = [newest, other].map(({ progress }) => expectedRevision(progress));
  const [more, less] = revisions;
  const known = more === undefined || less === undefined ? undefined : Number(more - less);
  return { entries: to - from, writes: isCovered ? log.writes(from + 1n, to) : known };
}

/** The revision of a member that was started alone, at most. */
export function expectedRevision({
  revision,
  committedWritesBeyond,
}: Progress): bigint | undefined {
  return revision === undefined ? undefined : revision + BigInt(committedWritesBeyond);
}

function undecidedWrites(sorted: readonly Compared[], reach: bigint): number {
  const logs = sorted
    .filter(({ candidate }) => hasLog(candidate))
    .toSorted(
      (left, right) =>
        compare(right.progress.term ?? 0n, left.progress.term ?? 0n) ||
        compare(right.progress.lastIndex, left.progress.lastIndex),
    );
  const log = logs[0]?.candidate.fromDirectory?.directory.wal.log;
  return log?.writes(reach + 1n, log.lastIndex) ?? 0;
}
