// How far a restored cluster has recovered, as far as its API tells a workstation: it only reads, and approves nothing.

import { EtcdkeepError, systemCodeOf } from '../../base/errors.ts';
import {
  controlPlaneNodes,
  etcdNamespace,
  layoutOfCluster,
} from '../../controlplane/cluster-nodes.ts';
import type { LayoutName } from '../../controlplane/host.ts';
import { conditionsAt } from '../../controlplane/openshift/conditions.ts';
import {
  missingPermissions,
  type Permission,
  permissionWords,
} from '../../kubernetes/access-review.ts';
import type { ApiClient } from '../../kubernetes/api-client.ts';
import { compareServers, SERVERS } from './api-servers.ts';
import { type ApiStatus, askObjects, nothingKnown } from './api-status.ts';
import { onlyOurs, type Seen, seen } from './seen.ts';

export interface Readiness {
  readonly passing: number;
  /** Names of the checks of /readyz that fail: `etcd`, `etcd-readiness`. */
  readonly failing: readonly string[];
}

/** The etcd of a node of the control plane. */
export interface EtcdPodStatus {
  readonly node: string;
  readonly pod: 'ready' | 'not ready' | 'absent';
}

export interface EtcdOperatorStatus {
  /** In the operator's words: `3 members are available`. */
  readonly message: string;
  /** Types of the conditions that are not as they should be. */
  readonly failing: readonly string[];
}

export interface ClusterStatus {
  readonly endpoint: string;
  /** Undefined as long as the API does not say. */
  readonly layout: LayoutName | undefined;
  readonly readiness: Seen<Readiness>;
  readonly members: Seen<readonly EtcdPodStatus[]>;
  /** OpenShift's own. */
  readonly etcdOperator: Seen<EtcdOperatorStatus>;
  readonly api: ApiStatus;
  /** What the user would need to be told all of it: `list nodes`. */
  readonly missingPermissions: readonly string[];
}

const ETCD_OPERATOR = '/apis/operator.openshift.io/v1/etcds/cluster';
// cluster-etcd-operator, pkg/operator/clustermembercontroller and its like: one condition says how many members there are.
const AVAILABLE = 'EtcdMembersAvailable';
const ONLY_OPENSHIFT = 'only OpenShift has it';

/**
 * Asks for all of it. What cannot be asked at the moment is unknown.
 * @throws EtcdkeepError `api-unauthorized`, `credential-plugin-failed`, or `api-unreachable` where its certificate is refused:
 * waiting mends none of these; the signal's reason
 */
export async function askCluster(api: ApiClient, now: () => Date): Promise<ClusterStatus> {
  const { endpoint } = api;
  const readiness = await askOrEnd(() => readinessOf(api));
  // Groups are complete only once it is ready: until then OpenShift may look like Kubernetes alone.
  const layout = await askOrEnd(() => layoutOfCluster(api));
  if ('unknown' in layout) {
    return {
      endpoint,
      layout: undefined,
      readiness,
      members: layout,
      etcdOperator: layout,
      api: nothingKnown(layout.unknown),
      missingPermissions: [],
    };
  }
  const status = {
    endpoint,
    layout: layout.seen,
    readiness,
    members: await askOrEnd(() => etcdPodsOf(api, layout.seen)),
    etcdOperator:
      layout.seen === 'openshift'
        ? await askOrEnd(() => etcdOperatorOf(api))
        : { unknown: ONLY_OPENSHIFT },
    api: await askObjects(api, {
      layout: layout.seen,
      compare: () => compareServers(api),
      ask: askOrEnd,
      now,
    }),
  };
  const answers: readonly Seen<unknown>[] = [
    status.members,
    status.etcdOperator,
    ...(Object.values(status.api) as readonly Seen<unknown>[]),
  ];
  if (!answers.some((one) => 'isForbidden' in one)) {
    return { ...status, missingPermissions: [] };
  }
  const asked = await askOrEnd(() => missingPermissions(api, statusPermissions(layout.seen)));
  return { ...status, missingPermissions: 'seen' in asked ? asked.seen.map(permissionWords) : [] };
}

/** All that is asked, beyond what everybody may who is logged in: /readyz and the groups of the API. */
export function statusPermissions(layout: LayoutName): Permission[] {
  const ofOpenshift = [
    { verb: 'list', group: 'config.openshift.io', resource: 'clusteroperators' },
    { verb: 'get', group: 'operator.openshift.io', resource: 'etcds', name: 'cluster' },
  ];
  const read = (resource: string, namespace?: string): Permission[] =>
    ['get', 'list'].map((verb) => ({
      verb,
      group: '',
      resource,
      ...(namespace !== undefined && { namespace }),
    }));
  return [
    ...read('nodes'),
    ...read('namespaces'),
    ...read('configmaps', 'kube-system'),
    SERVERS,
    { verb: 'list', group: '', resource: 'pods', namespace: etcdNamespace(layout) },
    {
      verb: 'list',
      group: 'coordination.k8s.io',
      resource: 'leases',
      namespace: 'kube-node-lease',
    },
    { verb: 'list', group: 'certificates.k8s.io', resource: 'certificatesigningrequests' },
    ...(layout === 'openshift' ? ofOpenshift : []),
  ];
}

/** As `ask`, but for what no waiting mends. */
async function askOrEnd<T>(question: () => Promise<T>): Promise<Seen<T>> {
  const answer = await question().catch(onlyOurs);
  if (!(answer instanceof EtcdkeepError) || !isHopeless(answer)) return seen(answer);
  if (answer.code !== 'api-unauthorized') throw answer;
  throw new EtcdkeepError('api-unauthorized', answer.message, {
    ...answer.position,
    advice: LOG_IN_ADVICE,
  });
}

// Node's names of what it says of a server's certificate.
const CERTIFICATE_REFUSED = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT_)/;

const LOG_IN_ADVICE =
  "log in again, or name another kubeconfig: OpenShift's tokens are objects in etcd, and one made since the backup is gone with it; the installer's kubeconfig has a certificate";

function isHopeless({ code, cause }: EtcdkeepError): boolean {
  if (code === 'api-unauthorized' || code === 'credential-plugin-failed') return true;
  return code === 'api-unreachable' && CERTIFICATE_REFUSED.test(systemCodeOf(cause) ?? '');
}

async function readinessOf(api: ApiClient): Promise<Readiness> {
  const { status, text } = await api.getText('/readyz?verbose');
  // [+]ping ok, [-]etcd failed: reason withheld (k8s.io/apiserver, pkg/server/healthz).
  const checks = [...text.matchAll(/^\[([+-])\](\S+)/gm)];
  const failing = checks.filter(([, sign]) => sign === '-').map(([, , name]) => name!);
  if (checks.length > 0 && (status === 200 || failing.length > 0)) {
    return { passing: checks.length - failing.length, failing };
  }
  throw new EtcdkeepError('api-refused', `the API server answered ${status} to /readyz`, {
    endpoint: api.endpoint,
  });
}

async function etcdPodsOf(api: ApiClient, layout: LayoutName): Promise<readonly EtcdPodStatus[]> {
  const nodes = await controlPlaneNodes(api, layout);
  return nodes.map(({ name: node, etcd }) => {
    if (etcd === undefined) return { node, pod: 'absent' };
    return { node, pod: etcd.isReady ? 'ready' : 'not ready' };
  });
}

async function etcdOperatorOf(api: ApiClient): Promise<EtcdOperatorStatus> {
  const conditions = await conditionsAt(api, ETCD_OPERATOR);
  if (conditions === undefined) {
    throw new EtcdkeepError('api-refused', 'what the API server says of Etcd is not understood', {
      endpoint: api.endpoint,
    });
  }
  const available = conditions.find(({ type }) => type === AVAILABLE);
  const degraded = conditions.filter(
    ({ type, status }) => type.endsWith('Degraded') && status === 'True',
  );
  return {
    message: available?.message ?? '',
    failing: [
      ...(available?.status === 'True' ? [] : [AVAILABLE]),
      ...degraded.map(({ type }) => type),
    ],
  };
}
