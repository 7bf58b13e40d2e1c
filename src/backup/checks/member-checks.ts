// What the members of the cluster say of themselves.

import { EtcdkeepError } from '../../base/errors.ts';
import { formatCount } from '../../base/units.ts';
import { AlarmType, type HashKVResponse } from '../../etcd/client/gen/rpc_pb.js';
import type { ClusterView, MemberView } from './cluster-view.ts';
import { failed, type Outcome, passed, unknown } from './result.ts';

/**
 * Entries that a member may be behind: what a busy cluster writes between two questions. A member
 * that is 5,000 behind refuses writes (server/etcdserver/v3_server.go, maxGapBetweenApplyAndCommitIndex).
 */
const LAG_MAX = 1000n;

/** Longest time for all hashes together: each member reads its whole history. */
const HASH_TIMEOUT_MS = 10_000;

/** What `etcdctl endpoint health` reads (etcdctl/ctlv3/command/ep_command.go). */
const HEALTH_KEY = Buffer.from('health');

/** A linearizable read; that a user may not make it still proves a quorum, as in etcdctl. */
export async function checkQuorum({ own }: ClusterView): Promise<Outcome> {
  try {
    await own.client.range(HEALTH_KEY);
  } catch (reason) {
    if (!(reason instanceof EtcdkeepError)) throw reason;
    if (reason.code !== 'permission-denied') return failed(reason.message);
  }
  return passed(`${own.client.endpoint} served a linearizable read`);
}

export function checkOtherMembers({ own, others, silent }: ClusterView): Outcome {
  if (own.status.isLearner) return unknown('a learner does not list the members');
  if (silent.length > 0) {
    return failed(silent.map(({ name, reason }) => `${name}: ${reason.message}`).join('; '));
  }
  const count = others.length + 1;
  return passed(count === 1 ? 'it is the only member' : `${count} of ${count} members answer`);
}

export function checkLearner({ own }: ClusterView): Outcome {
  return own.status.isLearner
    ? failed(`${own.client.endpoint} is a learner`)
    : passed(`${own.client.endpoint} is a voting member`);
}

/** A member that is cut off knows no leader, but others that still answer show how far it has fallen behind. */
export function checkLag({ own, others }: ClusterView): Outcome {
  const { raftAppliedIndex: applied, raftIndex, leader, header } = own.status;
  const behind = (newest: bigint): bigint => (newest > applied ? newest - applied : 0n);
  const words = (whose: string, newest: bigint): string =>
    `raft applied index ${applied} is ${formatCount(behind(newest))} behind ${whose} ${newest}`;
  const isLeader = leader !== 0n && leader === header?.memberId;
  const leading = others.find(({ status }) => status.header?.memberId === leader);
  if (isLeader || leading !== undefined) {
    // The leader was asked last, so it may have gone on; the other way round it is no lag.
    const newest = isLeader ? raftIndex : leading!.status.raftIndex;
    const evidence = words("the leader's", newest);
    return behind(newest) > LAG_MAX ? failed(evidence) : passed(evidence);
  }
  const why = leader === 0n ? 'the member knows no leader' : 'the leader does not answer';
  const [furthest] = others.toSorted((a, b) => Number(b.status.raftIndex - a.status.raftIndex));
  if (furthest === undefined) return unknown(why);
  const newest = furthest.status.raftIndex;
  const evidence = `${why}; ${words(`${furthest.name}'s`, newest)}`;
  return behind(newest) > LAG_MAX ? failed(evidence) : unknown(evidence);
}

export function checkAlarms({ members, alarms }: ClusterView): Outcome {
  if (alarms instanceof EtcdkeepError) return unknown(alarms.message);
  const raised = alarms.map(({ memberID, alarm }) => {
    const name = members.find((member) => member.ID === memberID)?.name;
    return `${AlarmType[alarm]} of ${name ?? memberID.toString(16)}`;
  });
  return raised.length > 0 ? failed(raised.join(', ')) : passed('none is raised');
}

/** HashKV of every member at the newest revision that all of them have. */
export async function checkHashes(view: ClusterView): Promise<Outcome> {
  const members = [view.own, ...view.others];
  if (view.own.status.isLearner) return unknown('a learner does not list the members');
  if (view.members.length === 1) return passed('it is the only member');
  if (members.length === 1) return unknown('no other member answers');
  const revision = members
    .map(({ status }) => status.header?.revision ?? 0n)
    .reduce((least, one) => (one < least ? one : least));
  const answers = await inTime(
    Promise.all(
      members.map(async (member) => ({ member, hash: await member.client.hashKV(revision) })),
    ),
  );
  if (answers === undefined) return unknown(`no hash for ${HASH_TIMEOUT_MS / 1000} s`);
  return compare(answers, view.members.length, revision);
}

interface HashAnswer {
  readonly member: MemberView;
  readonly hash: HashKVResponse;
}

function compare(answers: readonly HashAnswer[], count: number, revision: bigint): Outcome {
  const [own, ...others] = answers as [HashAnswer, ...HashAnswer[]];
  const comparable = others.filter((other) => basisOf(other) === basisOf(own));
  const differing = comparable.filter(({ hash }) => hash.hash !== own.hash.hash);
  if (differing.length > 0) {
    const words = [own, ...comparable].map(({ member, hash }) => `${member.name} ${hash.hash}`);
    return failed(`HashKV at revision ${revision} differs: ${words.join(', ')}`);
  }
  const agreeing = `HashKV ${own.hash.hash} at revision ${revision}`;
  if (comparable.length + 1 === count) return passed(`${count} of ${count} members, ${agreeing}`);
  return unknown(`${comparable.length + 1} of ${count} members could be compared: ${agreeing}`);
}

/** Hashes can be compared where these are equal; minor versions hash in different ways. */
function basisOf({ member, hash }: HashAnswer): string {
  const minor = member.status.version.split('.', 2).join('.');
  return [minor, hash.hashRevision, hash.compactRevision].join(' ');
}

async function inTime<T>(answer: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), HASH_TIMEOUT_MS);
  });
  // Whoever comes late is of no interest any more, nor is its failure.
  answer.catch(() => undefined);
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
