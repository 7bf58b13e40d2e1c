// How far a restored cluster has come: what is seen from this host, and what cannot be.

import type { ApiStatus, OperatorStatus } from '../backup/restore/api-status.ts';
import type { Seen } from '../backup/restore/seen.ts';
import type { RestorePhase, RestoreStatus } from '../backup/restore/status.ts';
import { formatCount } from '../base/units.ts';
import { showKept } from './restore-run-screen.ts';
import type { Screen } from './screen.ts';

const PHASES: Readonly<Record<RestorePhase, string>> = {
  unfinished: 'has come to no end: --resume goes on with it, --rollback goes back',
  started: 'etcd was told to start, and nobody has seen it serve yet: --resume watches on',
  served: 'etcd has served the restored data',
  'rolling back': 'is on its way back: --rollback brings it to its end',
  'rolled back': 'was rolled back',
};

export function showStatus(screen: Screen, status: RestoreStatus): void {
  const { plan, phase, journal, etcd, api, kept } = status;
  screen.answer(`restore ${plan.stamp} of ${plan.host.name}: ${PHASES[phase]}`);
  const last = journal.at(-1);
  if (last !== undefined) screen.tell('last step', `${last.step} ${last.state}, ${last.at}`);
  showSeen(screen, 'etcd', etcd, ({ version, revision, members, alarms }) => {
    screen.tell('etcd', `${version}, revision ${formatCount(revision)}`);
    for (const { name, peerUrls, isLearner } of members) {
      const words =
        name === '' ? 'has not started yet' : isLearner ? 'a learner' : 'a voting member';
      screen.tellMore(`${name || peerUrls.join(', ')}: ${words}`);
    }
    if (alarms > 0)
      screen.warn(`${alarms} alarm${alarms === 1 ? ' is' : 's are'} raised: etcdctl alarm list`);
  });
  showSeen(screen, 'API', api.lists, ({ compared, stale }) => {
    if (stale.length === 0) {
      screen.tell(
        'API',
        `what it lists is what etcd holds (${formatCount(compared)} objects compared)`,
      );
      return;
    }
    screen.warn(`the API server lists what is gone, or lacks what is there: ${stale.join(', ')}`);
    screen.tellMore('restart it: move its manifest away and back');
  });
  if (isUnreachable(api)) {
    showKept(screen, kept);
    return;
  }
  showSeen(screen, 'operators', api.operators, (operators) => {
    const open = operators.filter((one) => !isSettled(one));
    screen.tell(
      'operators',
      `${operators.length - open.length} of ${operators.length} available, none of them progressing or degraded`,
    );
    for (const { name, available, progressing, degraded } of open) {
      screen.tellMore(
        `${name}: available ${available}, progressing ${progressing}, degraded ${degraded}`,
      );
    }
  });
  showSeen(screen, 'nodes', api.nodes, (nodes) => {
    const waiting = nodes.filter(({ isReady }) => !isReady).map(({ name }) => name);
    const missing = waiting.length === 0 ? '' : `; not ready: ${waiting.join(', ')}`;
    screen.tell('nodes', `${nodes.length - waiting.length} of ${nodes.length} ready${missing}`);
  });
  showSeen(screen, 'requests', api.pendingRequests, (requests) => {
    screen.tell(
      'requests',
      `${requests.length} for certificates are pending; look at each before you approve it`,
    );
    for (const { name, signer, user } of requests)
      screen.tellMore(`${name}: ${signer}, asked by ${user}`);
  });
  showKept(screen, kept);
}

/** Then all of it is unknown for one reason, which was told. */
function isUnreachable({ lists, operators, nodes, pendingRequests }: ApiStatus): boolean {
  const reasons = [lists, operators, nodes, pendingRequests].map((answer) =>
    'unknown' in answer ? answer.unknown : undefined,
  );
  return reasons[0] !== undefined && new Set(reasons).size === 1;
}

function isSettled({ available, progressing, degraded }: OperatorStatus): boolean {
  return available === 'True' && progressing === 'False' && degraded === 'False';
}

function showSeen<T>(screen: Screen, noun: string, answer: Seen<T>, show: (seen: T) => void): void {
  if ('seen' in answer) show(answer.seen);
  else screen.tell(noun, `unknown: ${answer.unknown}`);
}

/** The status as a document. */
export function statusDocument({
  plan,
  phase,
  journal,
  etcd,
  api,
  kept,
}: RestoreStatus): Record<string, unknown> {
  return {
    stamp: plan.stamp,
    phase,
    journal: journal.map(({ at, step, state }) => ({ at, step, state })),
    etcd: 'seen' in etcd ? { ...etcd.seen, revision: etcd.seen.revision.toString() } : etcd,
    lists: valueOf(api.lists),
    operators: valueOf(api.operators),
    nodes: valueOf(api.nodes),
    pendingRequests: valueOf(api.pendingRequests),
    kept,
  };
}

function valueOf<T>(answer: Seen<T>): unknown {
  return 'seen' in answer ? answer.seen : answer;
}
