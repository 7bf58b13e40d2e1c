// The members of the cluster, asked by etcdkeep on one of its nodes.

import { z } from 'zod';
import { EtcdkeepError } from '../../base/errors.ts';
import { demandOutput, type NodeShell } from '../../controlplane/node-shell.ts';
import type { ClusterView } from '../checks/cluster-view.ts';
import type { MemberState } from './choose-node.ts';

const schema = z.array(
  z.object({
    name: z.string(),
    silent: z.string().optional(),
    isLeader: z.boolean(),
    isLearner: z.boolean(),
    lag: z.number(),
    alarms: z.array(z.string()),
    databaseBytes: z.number(),
  }),
);

/** As `etcdkeep node-agent members` prints it. */
export function memberStates({ own, others, silent, alarms }: ClusterView): MemberState[] {
  const views = [own, ...others];
  const furthest = views.reduce((max, { status }) => bigger(max, status.raftAppliedIndex), 0n);
  const raised = alarms instanceof EtcdkeepError ? [] : alarms;
  const answered = views.map(({ name, status }) => ({
    name,
    silent: undefined,
    isLeader: status.leader === status.header?.memberId,
    isLearner: status.isLearner,
    lag: Number(furthest - status.raftAppliedIndex),
    alarms: raised
      .filter(({ memberID }) => memberID === status.header?.memberId)
      .map(({ alarm }) => ALARMS[alarm] ?? `alarm ${alarm}`),
    databaseBytes: Number(status.dbSize),
  }));
  const unheard = silent.map(({ name, reason }) => ({
    name,
    silent: reason.message,
    isLeader: false,
    isLearner: false,
    lag: 0,
    alarms: [],
    databaseBytes: 0,
  }));
  return [...answered, ...unheard];
}

/** @throws EtcdkeepError `node-command-failed`, and as the shell */
export async function membersSeenFrom(
  shell: NodeShell,
  executable: string,
): Promise<readonly MemberState[]> {
  const purpose = 'ask the members of etcd';
  const output = await demandOutput(shell, [executable, 'node-agent', 'members'], purpose);
  const { data } = schema.safeParse(parseJson(output));
  if (data !== undefined) return data.map((one) => ({ ...one, silent: one.silent }));
  throw new EtcdkeepError('node-command-failed', `cannot ${purpose}: the answer is not understood`);
}

/** etcdserverpb.AlarmType. */
const ALARMS: Readonly<Record<number, string>> = { 1: 'NOSPACE', 2: 'CORRUPT' };

function bigger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
