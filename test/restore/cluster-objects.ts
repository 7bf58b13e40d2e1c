// What Kubernetes and OpenShift keep in etcd about the cluster itself: by these a restore knows whose data it has before it.
import { configMap, namespace } from '../fixtures/kubernetes-core.ts';
import { newMetadata } from '../fixtures/kubernetes-metadata.ts';
import { Random } from '../fixtures/random.ts';
import type { Gateway } from '../servers/gateway.ts';

export interface ClusterFacts {
  readonly uid?: string;
  readonly clusterId?: string;
  readonly infrastructureName?: string;
  readonly topology?: string;
  readonly version?: string;
  /** An update that is under way. */
  readonly updatingTo?: string;
  /** `v1.36.3`, in kubeadm-config. */
  readonly kubernetesVersion?: string;
}

export const UID = '6f1c0a52-6f0e-4c57-9f0d-1a2b3c4d5e6f';
export const OTHER_UID = '00000000-6f0e-4c57-9f0d-1a2b3c4d5e6f';

/** Puts the objects of an OpenShift cluster. */
export async function putOpenshift(gateway: Gateway, facts: ClusterFacts = {}): Promise<void> {
  const { uid = UID, topology = 'HighlyAvailable', version = '4.19.7' } = facts;
  const { clusterId = 'b0f1a2b3-0000-4000-8000-000000000001', infrastructureName = 'demo-x7k2p' } =
    facts;
  const metadata = newMetadata(new Random(1), 'kube-system', '', { uid });
  await gateway.put('/kubernetes.io/namespaces/kube-system', namespace(metadata));
  const completed = { state: 'Completed', version };
  const { updatingTo } = facts;
  const history = updatingTo === undefined ? [] : [{ state: 'Partial', version: updatingTo }];
  await putCustom(gateway, 'clusterversions/version', 'ClusterVersion', {
    spec: { clusterID: clusterId },
    status: { desired: { version: updatingTo ?? version }, history: [...history, completed] },
  });
  await putCustom(gateway, 'infrastructures/cluster', 'Infrastructure', {
    status: { infrastructureName, controlPlaneTopology: topology },
  });
}

/** Puts those of a cluster that kubeadm set up. */
export async function putKubeadm(gateway: Gateway, facts: ClusterFacts = {}): Promise<void> {
  const { uid = UID, kubernetesVersion = 'v1.36.3' } = facts;
  const random = new Random(2);
  const metadata = newMetadata(random, 'kube-system', '', { uid });
  await gateway.put('/registry/namespaces/kube-system', namespace(metadata));
  const config = newMetadata(random, 'kubeadm-config', 'kube-system', { uid: `${uid}-config` });
  const ClusterConfiguration = `apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: ${kubernetesVersion}\n`;
  const value = configMap(config, { ClusterConfiguration });
  await gateway.put('/registry/configmaps/kube-system/kubeadm-config', value);
}

async function putCustom(
  gateway: Gateway,
  path: string,
  kind: string,
  fields: Readonly<Record<string, object>>,
): Promise<void> {
  const name = path.split('/')[1]!;
  const metadata = { name, uid: `${kind}-uid` };
  const object = { apiVersion: 'config.openshift.io/v1', kind, metadata, ...fields };
  await gateway.put(`/kubernetes.io/config.openshift.io/${path}`, JSON.stringify(object));
}
