// The nodes of the control plane, as the API server knows them, and the pod in which each runs its etcd.

import { z } from 'zod';
import { EtcdkeepError } from '../base/errors.ts';
import type { ApiClient } from '../kubernetes/api-client.ts';
import type { LayoutName } from './host.ts';

export interface ControlPlaneNode {
  readonly name: string;
  /** Whether its kubelet says so, and is heard. */
  readonly isReady: boolean;
  /** Whether its kubelet says that its disk is nearly full. */
  readonly hasDiskPressure: boolean;
  /** As Go names it: `amd64`, `arm64`. */
  readonly architecture: string;
  /** The pod of its etcd; undefined if it has none. */
  readonly etcd: EtcdPod | undefined;
}

/** The mirror of a static pod. */
export interface EtcdPod {
  readonly namespace: string;
  readonly name: string;
  readonly isReady: boolean;
  /** The image that its container etcd runs, which the node has. */
  readonly image: string;
}

/** Where each layout has the pods of its etcd, and by which labels they are found. */
const ETCD_PODS: Readonly<Record<LayoutName, { namespace: string; labels: string }>> = {
  // cluster-etcd-operator, bindata/etcd/pod.yaml
  openshift: { namespace: 'openshift-etcd', labels: 'app=etcd' },
  // kubeadm, app/phases/etcd/local.go
  kubeadm: { namespace: 'kube-system', labels: 'component=etcd,tier=control-plane' },
};

/** Releases of OpenShift before 4.12, and of Kubernetes before 1.20, have the second alone. */
const ROLES = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];

const conditions = z
  .array(z.object({ type: z.string(), status: z.string() }))
  .nullish()
  .transform((list) => list ?? []);
const nodeList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z.object({ conditions, nodeInfo: z.object({ architecture: z.string() }) }),
    }),
  ),
});
const groupList = z.object({ groups: z.array(z.object({ name: z.string() })) });
const podList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), namespace: z.string() }),
      spec: z.object({
        nodeName: z.string().optional(),
        containers: z.array(z.object({ name: z.string(), image: z.string() })),
      }),
      status: z.object({ conditions }),
    }),
  ),
});

/**
 * Whether it is a cluster of OpenShift, by the groups of its API, which everybody may list.
 * @throws EtcdkeepError `api-unreachable`; ApiRefusal; the signal's reason
 */
export async function layoutOfCluster(api: ApiClient): Promise<LayoutName> {
  const { groups } = await list(api, '/apis', groupList);
  return groups.some(({ name }) => name === 'config.openshift.io') ? 'openshift' : 'kubeadm';
}

/** Where the pods of the cluster's etcd are. */
export function etcdNamespace(layout: LayoutName): string {
  return ETCD_PODS[layout].namespace;
}

/**
 * Lists them, in the order of their names.
 * @throws EtcdkeepError `api-unreachable`, ApiRefusal; the signal's reason
 */
export async function controlPlaneNodes(
  api: ApiClient,
  layout: LayoutName,
): Promise<readonly ControlPlaneNode[]> {
  const { namespace, labels } = ETCD_PODS[layout];
  const query = `labelSelector=${encodeURIComponent(labels)}`;
  const pods = await list(api, `/api/v1/namespaces/${namespace}/pods?${query}`, podList);
  const etcdOf = (node: string): EtcdPod | undefined => {
    const found = pods.items.find(({ spec }) => spec.nodeName === node);
    const container = found?.spec.containers.find(({ name }) => name === 'etcd');
    if (found === undefined || container === undefined) return undefined;
    const { metadata, status } = found;
    return { ...metadata, isReady: isTrue(status.conditions, 'Ready'), image: container.image };
  };
  for (const role of ROLES) {
    const { items } = await list(api, `/api/v1/nodes?labelSelector=${role}`, nodeList);
    if (items.length === 0) continue;
    const nodes = items.map(({ metadata: { name }, status }) => ({
      name,
      isReady: isTrue(status.conditions, 'Ready'),
      hasDiskPressure: isTrue(status.conditions, 'DiskPressure'),
      architecture: status.nodeInfo.architecture,
      etcd: etcdOf(name),
    }));
    return nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
  return [];
}

async function list<T>(api: ApiClient, path: string, schema: z.ZodType<T>): Promise<T> {
  const { data } = schema.safeParse(await api.get(path));
  if (data !== undefined) return data;
  throw new EtcdkeepError('api-refused', `the API server's list is not understood: ${path}`, {
    endpoint: api.endpoint,
  });
}

function isTrue(list: z.infer<typeof conditions>, type: string): boolean {
  return list.some((condition) => condition.type === type && condition.status === 'True');
}
