// How a restored cluster looks while it recovers: as one of its hosts sees it, and as a workstation does.

import type { ApiStatus } from '../backup/restore/api-status.ts';
import type { ClusterStatus } from '../backup/restore/cluster-status.ts';
import { isSettled, type Missing } from '../backup/restore/recovery.ts';
import type { Seen } from '../backup/restore/seen.ts';
import type { ComparedLists } from '../backup/restore/stale-lists.ts';
import type { RestoreStatus } from '../backup/restore/status.ts';
import { EtcdkeepError } from '../base/errors.ts';
import { formatClock, formatCount } from '../base/units.ts';
import type { LayoutName } from '../controlplane/host.ts';
import { LAYOUT_WORDS } from './backup-screen.ts';
import { row } from './columns.ts';
import { errorDocument } from './error-screen.ts';
import { showKept } from './restore-run-screen.ts';
import type { Screen } from './screen.ts';

/** What a host can see of a restored cluster. */
export function showRestoreStatus(
  screen: Screen,
  { plan, phase, etcd, api, kept }: RestoreStatus,
): void {
  screen.answer(`restore     ${plan.stamp}: ${phase}`);
  answerSeen(screen, 'etcd', etcd, ({ version, revision, members, alarms }) => [
    `${version}, revision ${revision}, ${alarms === 0 ? 'no alarm' : `${alarms} ALARMS`}`,
    ...members.map(
      ({ name, peerUrls, isLearner }) =>
        `${name || 'not started'} ${peerUrls.join(' ')}${isLearner ? ' (learner)' : ''}`,
    ),
  ]);
  showApi(screen, api, plan.host.layout);
  showKept(screen, kept);
}

/** What a workstation can see of it. */
export function showClusterStatus(screen: Screen, status: ClusterStatus): void {
  const { endpoint, layout, readiness, members, etcdOperator, api, missingPermissions } = status;
  const words = layout === undefined ? '' : ` · ${LAYOUT_WORDS[layout]}`;
  screen.answer(row('cluster', `${endpoint}${words}`));
  answerSeen(screen, 'ready', readiness, ({ passing, failing }) =>
    failing.length === 0
      ? [`all ${passing} checks of the API server pass`]
      : [`NOT: ${failing.join(', ')}`],
  );
  // One reason, said once.
  if (layout === undefined) return;
  answerSeen(screen, 'etcd', members, (pods) =>
    pods.length === 0
      ? ['no node of the control plane']
      : pods.map(({ node, pod }) => `${node}: ${POD_WORDS[pod]}`),
  );
  if (layout === 'openshift') {
    answerSeen(screen, '', etcdOperator, ({ message, failing }) => [
      ...(message === '' ? [] : [`its operator: ${message}`]),
      ...(failing.length === 0 ? [] : [`its operator: NOT WELL: ${failing.join(', ')}`]),
    ]);
  }
  showApi(screen, api, layout);
  for (const permission of missingPermissions) {
    screen.warn(`the user may not ${permission}`);
  }
}

/** While it is waited for. A line is printed when it differs from the last one. */
export function missingTeller(screen: Screen) {
  let last = '';
  return (missing: readonly Missing[], elapsedMs: number): void => {
    const words = missingWords(missing);
    if (last === '') screen.progress.start('waiting');
    if (words !== last) screen.tell('waiting', `${formatClock(elapsedMs)}  ${words}`);
    last = words;
  };
}

/**
 * The last line, and the document.
 * @returns what the command ends with; undefined if nothing is missing
 */
export function concludeStatus(
  screen: Screen,
  missing: readonly Missing[],
  document: object,
): EtcdkeepError | undefined {
  const isRecovered = missing.length === 0;
  screen.answer(row('recovered', isRecovered ? 'all that can be seen' : 'NO'));
  const error = isRecovered
    ? undefined
    : new EtcdkeepError(
        'cluster-not-recovered',
        `the cluster has not recovered: ${missingWords(missing)}`,
      );
  screen.document({
    ...document,
    recovered: isRecovered,
    missing: missing.map(({ what, words }) => ({ what, words })),
    ...(error === undefined ? {} : errorDocument(error)),
  });
  return error;
}

/** As `--output json` gives it. */
export function statusDocument({ plan, phase, journal, etcd, api, kept }: RestoreStatus): object {
  const member =
    'seen' in etcd ? { seen: { ...etcd.seen, revision: `${etcd.seen.revision}` } } : etcd;
  return {
    stamp: plan.stamp,
    phase,
    etcd: member,
    ...api,
    kept,
    journal: journal.map(({ at, step, state }) => ({ at, step, state })),
  };
}

/** The same of a workstation's. */
export function clusterDocument({ api, ...status }: ClusterStatus): object {
  return { ...status, ...api };
}

const POD_WORDS = {
  ready: 'ready',
  'not ready': 'its pod is NOT READY',
  absent: 'NO POD of etcd',
} as const;

/** What is not known for one reason is said together, and the reason once. */
function missingWords(missing: readonly Missing[]): string {
  const groups = Map.groupBy(missing, ({ what, why }) => why ?? `${what} is seen`);
  return Array.from(groups.values(), (group) => {
    const [{ words, why }] = group as [Missing, ...Missing[]];
    const what = group.map((one) => one.what).join(', ');
    return `${what}: ${words}${why === undefined ? '' : ` (${why})`}`;
  }).join('; ');
}

function showApi(screen: Screen, api: ApiStatus, layout: LayoutName): void {
  answerSeen(screen, 'lists', api.lists, ({ compared, stale, servers }) => [
    stale.length === 0
      ? `the API server and etcd agree on ${formatCount(compared)} objects`
      : `STALE: the API server and etcd differ on ${stale.slice(0, 5).join(', ')}; restart the API server`,
    ...(servers === undefined ? [] : serverLines(servers)),
  ]);
  answerSeen(screen, 'operators', api.operators, (operators) => {
    const busy = operators.filter((one) => !isSettled(one));
    return [
      `${operators.length - busy.length} of ${operators.length} at rest`,
      ...busy.map(
        (one) =>
          `${one.name}: Available=${one.available} Progressing=${one.progressing} Degraded=${one.degraded}`,
      ),
    ];
  });
  answerSeen(screen, 'nodes', api.nodes, (nodes) => [
    `${nodes.filter(({ isReady }) => isReady).length} of ${nodes.length} ready`,
    ...nodes.filter(({ isReady }) => !isReady).map(({ name }) => `${name} is not`),
    ...nodes.filter((node) => !node.isSchedulable).map(({ name }) => `${name} is cordoned`),
  ]);
  answerSeen(screen, 'heartbeats', api.heartbeats, ({ heard, silent }) => [
    `${heard} of ${heard + silent.length} nodes heard`,
    ...silent.map((name) => `${name} is not`),
  ]);
  answerSeen(screen, 'requests', api.pendingRequests, (requests) => [
    `${requests.length} certificate requests wait for you to decide`,
    ...requests.map(({ name, signer, user }) => `${name}  ${signer}  ${user}`),
    ...(requests.length === 0 ? [] : REQUEST_COMMANDS[layout]),
  ]);
}

function serverLines({ asked, unasked }: NonNullable<ComparedLists['servers']>): string[] {
  const all = asked.length + unasked.length;
  if (asked.length === 0) {
    return [`asked of one of ${all} API servers: none can be reached by itself from here`];
  }
  return [
    `asked of ${asked.length} of ${all} API servers, each by itself`,
    ...unasked.map((address) => `${address} does not answer`),
  ];
}

/** They are the administrator's to look at; nothing here approves one. */
const REQUEST_COMMANDS: Readonly<Record<LayoutName, readonly string[]>> = {
  openshift: ['look at each: oc describe csr NAME; then: oc adm certificate approve NAME'],
  kubeadm: ['look at each: kubectl describe csr NAME; then: kubectl certificate approve NAME'],
};

function answerSeen<T>(
  screen: Screen,
  noun: string,
  what: Seen<T>,
  words: (seen: T) => readonly string[],
): void {
  const lines = 'seen' in what ? words(what.seen) : [`unknown: ${what.unknown}`];
  for (const [index, line] of lines.entries()) screen.answer(row(index === 0 ? noun : '', line));
}
