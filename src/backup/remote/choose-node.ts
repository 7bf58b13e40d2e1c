// Which node a backup is taken on: the one that is named, or the one whose member is the best to take it from.

import { EtcdkeepError } from '../../base/errors.ts';
import { formatBytes, formatCount } from '../../base/units.ts';
import type { ControlPlaneNode } from '../../controlplane/cluster-nodes.ts';

/** A member as it has answered, or has not. */
export interface MemberState {
  /** Its name is its node's. */
  readonly name: string;
  /** Why it does not serve; undefined if it does. */
  readonly silent: string | undefined;
  readonly isLeader: boolean;
  readonly isLearner: boolean;
  /** How many raft entries it is behind the furthest one. */
  readonly lag: number;
  /** Alarms that it has raised. */
  readonly alarms: readonly string[];
  /** 0 if it does not serve. */
  readonly databaseBytes: number;
}

export interface Choice {
  readonly node: string;
  /** In words. */
  readonly why: string;
}

/** As of the check `lag`: so many a busy member may be behind at any moment. */
const LAG_MAX = 1000;

/** Of a host, beside the database: the archive, etcdkeep itself and what grows meanwhile. */
const MARGIN_BYTES = 256 << 20;

/**
 * The node of that name.
 * @throws EtcdkeepError `node-not-found`, `node-not-ready`
 */
export function namedNode(nodes: readonly ControlPlaneNode[], name: string): ControlPlaneNode {
  const found = nodes.find((node) => node.name === name);
  if (found === undefined) {
    const names = nodes.map((node) => node.name).join(', ');
    throw new EtcdkeepError('node-not-found', `there is no control-plane node "${name}"`, {
      facts: [['nodes', names === '' ? 'none' : names]],
    });
  }
  if (found.isReady) return found;
  throw new EtcdkeepError('node-not-ready', `the node ${name} is not ready`);
}

/**
 * Nodes that a pod can be started on and that have an etcd, those whose etcd is ready first.
 * @throws EtcdkeepError `node-not-found`, `node-not-ready`
 */
export function candidates(nodes: readonly ControlPlaneNode[]): readonly ControlPlaneNode[] {
  const withEtcd = nodes.filter(({ etcd }) => etcd !== undefined);
  if (withEtcd.length === 0) {
    throw new EtcdkeepError('node-not-found', 'no control-plane node runs an etcd of its own');
  }
  const ready = withEtcd.filter(({ isReady }) => isReady);
  if (ready.length === 0) {
    const names = withEtcd.map(({ name }) => name).join(', ');
    throw new EtcdkeepError('node-not-ready', `no control-plane node is ready: ${names}`);
  }
  return ready.toSorted((a, b) => Number(b.etcd!.isReady) - Number(a.etcd!.isReady));
}

/**
 * Chooses by what the members and nodes say: one that serves, votes, has raised no alarm, whose node has room for its database,
 * and that keeps up; of these one that does not lead, which leaves the leader its disk; of these the one that is the least behind.
 * @param members of which at least one serves
 * @param room bytes by node, as far as it is known
 */
export function chooseNode(
  nodes: readonly ControlPlaneNode[],
  members: readonly MemberState[],
  room: ReadonlyMap<string, number>,
): Choice {
  const describe = (member: MemberState): string => {
    const node = nodes.find(({ name }) => name === member.name);
    const lack = node && lackOfRoom(node, member, room);
    return `${memberWords(member)}${lack === undefined ? '' : `, its node ${lack}`}`;
  };
  const lacks = (member: MemberState): boolean =>
    nodes.some((node) => node.name === member.name && lackOfRoom(node, member, room) !== undefined);
  const usable = members.filter(
    ({ name, silent }) => silent === undefined && nodes.some((node) => node.name === name),
  );
  const rank = (member: MemberState): number => rankOf(member) + Number(lacks(member)) * 4;
  const [best] = usable.toSorted((a, b) => rank(a) - rank(b) || a.lag - b.lag);
  if (best === undefined) {
    const words = members.map(
      ({ name, silent }) => `${name}: ${silent ?? 'has no node that is ready'}`,
    );
    throw new EtcdkeepError('node-not-ready', `no member can be backed up: ${words.join('; ')}`);
  }
  const others = members.filter((one) => one !== best);
  const parts = [
    `its member ${describe(best)}`,
    ...others.map((one) => `${one.name} ${describe(one)}`),
  ];
  return { node: best.name, why: parts.join('; ') };
}

function rankOf({ isLeader, isLearner, lag, alarms }: MemberState): number {
  const isBehind = lag > LAG_MAX;
  return (
    Number(isLearner) * 16 + Number(alarms.length > 0) * 8 + Number(isBehind) * 2 + Number(isLeader)
  );
}

function lackOfRoom(
  { name, hasDiskPressure }: ControlPlaneNode,
  { databaseBytes }: MemberState,
  room: ReadonlyMap<string, number>,
): string | undefined {
  const bytes = room.get(name);
  if (bytes !== undefined && bytes < databaseBytes + MARGIN_BYTES) {
    return `has ${formatBytes(bytes)} left for ${formatBytes(databaseBytes)}`;
  }
  return hasDiskPressure ? 'is short of disk space' : undefined;
}

/** `follows, 12 entries behind`. */
export function memberWords({ silent, isLeader, isLearner, lag, alarms }: MemberState): string {
  if (silent !== undefined) return `does not serve (${silent})`;
  const role = isLearner ? 'is a learner' : isLeader ? 'leads' : 'follows';
  const entries = lag === 1 ? 'entry' : 'entries';
  const behind = lag === 0 ? '' : `, ${formatCount(lag)} ${entries} behind`;
  const raised = alarms.length === 0 ? '' : `, has raised ${alarms.join(' and ')}`;
  return `${role}${behind}${raised}`;
}
