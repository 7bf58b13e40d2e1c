// OpenShift's own part of the API, as far as etcdkeep reads it, on an API server of upstream: kinds, with the objects that a
// cluster of one node has when nothing is going on. Shapes: openshift/api config/v1 and operator/v1.

import { READ_KEY, WRITE_KEY } from '../../fixtures/encryption.ts';
import type { FileTree } from '../../fixtures/file-tree.ts';
import { STATIC_PODS } from '../../fixtures/openshift-pods.ts';
import type { ApiRequests, CustomKind } from '../api-requests.ts';
import { createClusterOperators } from '../cluster-operators.ts';
import type { NodeContents } from './layout.ts';
import type { InstalledRevision } from './openshift-layout.ts';

const CONFIG = 'config.openshift.io';
const OPERATOR = 'operator.openshift.io';
const VERSION = '4.19.17';

const KINDS = {
  proxy: { group: CONFIG, kind: 'Proxy', plural: 'proxies' },
  infrastructure: { group: CONFIG, kind: 'Infrastructure', plural: 'infrastructures' },
  clusterVersion: { group: CONFIG, kind: 'ClusterVersion', plural: 'clusterversions' },
  etcd: { group: OPERATOR, kind: 'Etcd', plural: 'etcds' },
  kubeApiServer: { group: OPERATOR, kind: 'KubeAPIServer', plural: 'kubeapiservers' },
  openshiftApiServer: {
    group: OPERATOR,
    kind: 'OpenShiftAPIServer',
    plural: 'openshiftapiservers',
  },
  authentication: { group: OPERATOR, kind: 'Authentication', plural: 'authentications' },
} satisfies Record<string, CustomKind>;

const NAMESPACES = [
  ...STATIC_PODS.flatMap((pod) => [`openshift-${pod}`, `openshift-${pod}-operator`]),
  'openshift-config',
  'openshift-config-managed',
];

/** The namespaces of the static pods, without which the kubelet cannot show them. */
export async function createNamespaces(api: ApiRequests): Promise<void> {
  for (const name of NAMESPACES) {
    const labels = Object.fromEntries(
      ['enforce', 'audit', 'warn'].map((mode) => [
        `pod-security.kubernetes.io/${mode}`,
        'privileged',
      ]),
    );
    const metadata = { name, labels, annotations: { 'openshift.io/node-selector': '' } };
    await api.apply(`/api/v1/namespaces/${name}`, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata,
    });
  }
}

/** All the rest. */
export async function completeOpenshiftApi(
  api: ApiRequests,
  contents: NodeContents,
  installed: readonly InstalledRevision[],
): Promise<void> {
  await createClusterOperators(api);
  for (const kind of Object.values(KINDS)) await api.define(kind);
  for (const { path, object, status } of clusterObjects(contents, installed)) {
    await api.apply(path, object);
    await api.apply(`${path}/status`, { ...object, status });
  }
  await labelNode(api, contents.nodeName, ['control-plane', 'master', 'worker']);
  await api.apply('/apis/scheduling.k8s.io/v1/priorityclasses/openshift-user-critical', {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'openshift-user-critical' },
    value: 1_000_000_000,
    description: 'Of a pod that an administrator is waiting for.',
  });
  for (const { pod, revision, files } of installed) {
    for (const [path, object] of revisionObjects(`openshift-${pod}`, revision, files)) {
      await api.apply(path, object);
    }
  }
  for (const { name, secret } of [READ_KEY, WRITE_KEY]) {
    await api.apply(...encryptionKey(name, secret));
  }
}

/** Gives a node roles, which it may not give itself (admission plugin NodeRestriction). */
export async function labelNode(
  api: ApiRequests,
  nodeName: string,
  roles: readonly string[],
): Promise<void> {
  const labels = Object.fromEntries(roles.map((role) => [`node-role.kubernetes.io/${role}`, '']));
  await api.apply(`/api/v1/nodes/${nodeName}`, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: nodeName, labels },
  });
}

interface WithStatus {
  readonly path: string;
  readonly object: object;
  readonly status: object;
}

function clusterObjects(
  { nodeName, address, images }: NodeContents,
  installed: readonly InstalledRevision[],
): WithStatus[] {
  const etcd = installed.find(({ pod }) => pod === 'etcd')!;
  const time = new Date(Date.now() - 3 * 86_400_000).toISOString().replace(/\.\d+/, '');
  const release = { version: VERSION, image: images.tools };
  const condition = (type: string, status: 'True' | 'False', reason: string, message = '') => ({
    type,
    status,
    reason,
    message,
    lastTransitionTime: time,
  });
  const make = (kind: CustomKind, name: string, spec: object, status: object): WithStatus => ({
    path: `/apis/${kind.group}/v1/${kind.plural}/${name}`,
    object: { apiVersion: `${kind.group}/v1`, kind: kind.kind, metadata: { name }, spec },
    status,
  });
  return [
    make(KINDS.proxy, 'cluster', { trustedCA: { name: '' } }, {}),
    make(
      KINDS.infrastructure,
      'cluster',
      { platformSpec: { type: 'None' } },
      {
        infrastructureName: 'demo-7x2kp',
        platform: 'None',
        controlPlaneTopology: 'SingleReplica',
        infrastructureTopology: 'SingleReplica',
        apiServerURL: `https://${address}:6443`,
        apiServerInternalURI: `https://${address}:6443`,
        etcdDiscoveryDomain: '',
      },
    ),
    make(
      KINDS.clusterVersion,
      'version',
      { clusterID: '2f9c7f2e-6a43-4a2f-9d0c-6b1f5d3c8e71', channel: 'stable-4.19' },
      {
        desired: release,
        history: [{ ...release, state: 'Completed', startedTime: time, completionTime: time }],
        conditions: [
          condition('Available', 'True', '', `Done applying ${VERSION}`),
          condition('Progressing', 'False', '', `Cluster version is ${VERSION}`),
        ],
      },
    ),
    make(
      KINDS.etcd,
      'cluster',
      { managementState: 'Managed', logLevel: 'Normal', operatorLogLevel: 'Normal' },
      {
        latestAvailableRevision: etcd.revision,
        nodeStatuses: [{ nodeName, currentRevision: etcd.revision }],
        conditions: [
          condition('EtcdMembersAvailable', 'True', 'EtcdQuorate', '1 members are available'),
          condition('NodeInstallerProgressing', 'False', 'AllNodesAtLatestRevision'),
        ],
      },
    ),
    // What encrypts: each of them says whether it is writing its objects anew with another key.
    ...[KINDS.kubeApiServer, KINDS.openshiftApiServer, KINDS.authentication].map((kind) =>
      make(
        kind,
        'cluster',
        { managementState: 'Managed' },
        { conditions: [condition('EncryptionMigrationControllerProgressing', 'False', '')] },
      ),
    ),
  ];
}

/** What the installer has made a revision's directory from: `configmaps/NAME/KEY` and `secrets/NAME/KEY`. */
function revisionObjects(
  namespace: string,
  revision: number,
  files: FileTree,
): [path: string, object: object][] {
  const objects = new Map<string, { kind: string; data: Record<string, string> }>();
  for (const [path, content] of Object.entries(files)) {
    const [plural, name, key] = path.split('/') as [string, string?, string?];
    if (name === undefined || key === undefined) continue;
    const kind = plural === 'secrets' ? 'Secret' : 'ConfigMap';
    const bytes = Buffer.from(content);
    const value = kind === 'Secret' ? bytes.toString('base64') : bytes.toString();
    const place = `/api/v1/namespaces/${namespace}/${plural}/${name}-${revision}`;
    const object = objects.get(place) ?? { kind, data: {} };
    object.data[key] = value;
    objects.set(place, object);
  }
  return [...objects].map(([path, { kind, data }]) => {
    const metadata = { name: path.split('/').at(-1)!, namespace };
    return [path, { apiVersion: 'v1', kind, metadata, data }];
  });
}

/** A key that all resources have been migrated to (library-go pkg/operator/encryption/secrets). */
function encryptionKey(name: string, secret: Buffer): [path: string, object: object] {
  const prefix = 'encryption.apiserver.operator.openshift.io';
  const namespace = 'openshift-config-managed';
  const objectName = `encryption-key-openshift-kube-apiserver-${name}`;
  const resources = ['configmaps', 'secrets'].map((Resource) => ({ Group: '', Resource }));
  return [
    `/api/v1/namespaces/${namespace}/secrets/${objectName}`,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: objectName,
        namespace,
        labels: { [`${prefix}/component`]: 'openshift-kube-apiserver' },
        annotations: {
          [`${prefix}/mode`]: 'aescbc',
          [`${prefix}/migrated-timestamp`]: new Date(Date.now() - 86_400_000).toISOString(),
          [`${prefix}/migrated-resources`]: JSON.stringify({ resources }),
        },
      },
      data: { [`${prefix}-key`]: secret.toString('base64') },
    },
  ];
}
