// What is still missing for a restored cluster to have recovered. What is unknown is missing.

import type { LayoutName } from '../../controlplane/host.ts';
import type { ApiStatus } from './api-status.ts';
import type { OperatorStatus, PendingRequest } from './cluster-objects.ts';
import type { ClusterStatus } from './cluster-status.ts';
import type { Seen } from './seen.ts';
import type { RestoreStatus } from './status.ts';

export interface Missing {
  /** `nodes`, `operators`. */
  readonly what: string;
  /** Which of them, or `unknown`. */
  readonly words: string;
  /** Why they are not known. */
  readonly why?: string;
  /** Whether it is not known for want of a permission: no waiting mends that. */
  readonly isForbidden: boolean;
}

/** What the kubelets ask for. Other requests wait for whoever made them, and say nothing of the cluster. */
const KUBELET_SIGNERS = [
  'kubernetes.io/kubelet-serving',
  'kubernetes.io/kube-apiserver-client-kubelet',
];

/** As a workstation sees it. */
export function missingInCluster(status: ClusterStatus): readonly Missing[] {
  const { readiness, members, etcdOperator, layout, api } = status;
  return [
    ...missingOf('API server', readiness, ({ failing }) => failing),
    ...missingOf('etcd', members, (pods) =>
      pods.length === 0
        ? ['no node of the control plane']
        : pods.filter(({ pod }) => pod !== 'ready').map(({ node }) => node),
    ),
    ...(layout === 'openshift'
      ? missingOf('etcd operator', etcdOperator, ({ failing }) => failing)
      : []),
    ...missingOfApi(api, layout),
  ];
}

/** As a host sees it. */
export function missingOnHost({ plan, phase, etcd, api }: RestoreStatus): readonly Missing[] {
  const isOver = phase === 'served' || phase === 'rolled back';
  return [
    ...(isOver ? [] : [{ what: 'restore', words: phase, isForbidden: false }]),
    ...missingOf('etcd', etcd, ({ members, alarms }) => [
      ...members
        .filter(({ name, isLearner }) => name === '' || isLearner)
        .map(({ name, peerUrls }) => name || peerUrls.join(' ')),
      ...(alarms === 0 ? [] : [`${alarms} alarms`]),
    ]),
    ...missingOfApi(api, plan.host.layout),
  ];
}

/** Whether waiting is of no use: all that is missing is not known for want of a permission. */
export function isWaitingInVain(missing: readonly Missing[]): boolean {
  return missing.length > 0 && missing.every(({ isForbidden }) => isForbidden);
}

/** Whether it is at rest, and well. */
export function isSettled({ available, progressing, degraded }: OperatorStatus): boolean {
  return available === 'True' && progressing === 'False' && degraded === 'False';
}

/** Whether a node waits for it. */
export function isOfKubelet({ signer }: PendingRequest): boolean {
  return KUBELET_SIGNERS.includes(signer);
}

function missingOfApi(api: ApiStatus, layout: LayoutName | undefined): Missing[] {
  return [
    ...missingOf('lists', api.lists, ({ stale, servers }) => [
      ...(stale.length === 0 ? [] : ['stale']),
      // Where none can be asked by itself, they are out of reach, and not down.
      ...(servers !== undefined && servers.asked.length > 0 ? servers.unasked : []),
    ]),
    // Kubernetes alone has none.
    ...(layout === 'kubeadm'
      ? []
      : missingOf('operators', api.operators, (operators) =>
          operators.length === 0
            ? ['none']
            : operators.filter((one) => !isSettled(one)).map(({ name }) => name),
        )),
    ...missingOf('nodes', api.nodes, (nodes) =>
      nodes.length === 0
        ? ['none']
        : nodes
            .filter(({ isReady, isSchedulable }) => !isReady || !isSchedulable)
            .map(({ name }) => name),
    ),
    ...missingOf('heartbeats', api.heartbeats, ({ silent }) => silent),
    ...missingOf('certificate requests', api.pendingRequests, (requests) =>
      requests.filter(isOfKubelet).map(({ name }) => name),
    ),
  ];
}

/** Which permission is wanting is said elsewhere, once for all. */
const NOT_ALLOWED = 'not allowed';

/** More of them are named on the screen itself. */
const NAMED = 5;

function missingOf<T>(
  what: string,
  answer: Seen<T>,
  names: (seen: T) => readonly string[],
): Missing[] {
  if ('unknown' in answer) {
    const { unknown, isForbidden = false } = answer;
    const why = isForbidden ? NOT_ALLOWED : unknown;
    return [{ what, words: 'unknown', why, isForbidden }];
  }
  const found = names(answer.seen);
  if (found.length === 0) return [];
  const more = found.length > NAMED ? ` and ${found.length - NAMED} more` : '';
  const words = `${found.slice(0, NAMED).join(', ')}${more}`;
  return [{ what, words, isForbidden: false }];
}
