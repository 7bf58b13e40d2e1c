// What a cluster of OpenShift with one node looks like through its API when nothing is missing, on an API server without one;
// and what can be wrong with it.
import './reflect.ts';
import { webcrypto } from 'node:crypto';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import type { ApiRequests } from './api-requests.ts';
import { createClusterOperators } from './cluster-operators.ts';

export const NODE = 'master-0';

const NODE_PATH = `/api/v1/nodes/${NODE}`;
const PODS = '/api/v1/namespaces/openshift-etcd/pods';
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${NODE}`;
const ETCD_KIND = { group: 'operator.openshift.io', kind: 'Etcd', plural: 'etcds' };
const ETCD_PATH = '/apis/operator.openshift.io/v1/etcds/cluster';
const REQUESTS = '/apis/certificates.k8s.io/v1/certificatesigningrequests';

type Truth = 'True' | 'False';

/** Makes all of it. */
export async function createRecoveredCluster(api: ApiRequests): Promise<void> {
  await createClusterOperators(api);
  await api.define(ETCD_KIND);
  await api.apply(ETCD_PATH, etcdObject());
  await setEtcdMembers(api, 'True');
  for (const name of ['openshift-etcd', 'kube-node-lease']) {
    await api.apply(`/api/v1/namespaces/${name}`, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    });
  }
  await setNode(api, {});
  await setHeartbeat(api, new Date());
  await createEtcdPod(api);
  await setEtcdPod(api, 'True');
}

/** Whether the node is ready, and cordoned. */
export async function setNode(
  api: ApiRequests,
  { ready = 'True', unschedulable = false }: { ready?: Truth; unschedulable?: boolean },
): Promise<void> {
  const labels = { 'node-role.kubernetes.io/master': '' };
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE, labels } };
  await api.apply(NODE_PATH, { ...node, spec: { unschedulable } });
  const status = {
    conditions: [{ type: 'Ready', status: ready, reason: 'Kubelet', message: '' }],
    nodeInfo: NODE_INFO,
  };
  await api.apply(`${NODE_PATH}/status`, { ...node, status });
}

/** When its kubelet was last heard. */
export async function setHeartbeat(api: ApiRequests, time: Date): Promise<void> {
  await api.apply(LEASE, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: NODE },
    spec: { holderIdentity: NODE, renewTime: time.toISOString().replace('Z', '000Z') },
  });
}

export async function createEtcdPod(api: ApiRequests): Promise<void> {
  await api.apply(`${PODS}/etcd-${NODE}`, etcdPod());
}

export async function deleteEtcdPod(api: ApiRequests): Promise<void> {
  await api.request('DELETE', `${PODS}/etcd-${NODE}?gracePeriodSeconds=0`);
}

export async function setEtcdPod(api: ApiRequests, ready: Truth): Promise<void> {
  const status = { conditions: [{ type: 'Ready', status: ready }] };
  await api.apply(`${PODS}/etcd-${NODE}/status`, { ...etcdPod(), status });
}

/** What the operator of etcd says of its members. */
export async function setEtcdMembers(api: ApiRequests, available: Truth): Promise<void> {
  const degraded = available === 'True' ? 'False' : 'True';
  const conditions = [
    { type: 'EtcdMembersAvailable', status: available, message: '1 members are available' },
    { type: 'EtcdMembersDegraded', status: degraded, message: '' },
  ];
  await api.apply(`${ETCD_PATH}/status`, { ...etcdObject(), status: { conditions } });
}

/** A request that nobody has decided on. */
export async function requestCertificate(
  api: ApiRequests,
  name: string,
  signerName: string,
): Promise<void> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: `O=system:nodes, CN=system:node:${NODE}`,
    keys,
    signingAlgorithm: algorithm,
  });
  await api.request('POST', REQUESTS, {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: {
      request: Buffer.from(request.toString('pem')).toString('base64'),
      signerName,
      usages: ['digital signature', 'server auth'],
    },
  });
}

/** The request as it is now: what has been decided on it, above all. */
export async function requestConditions(api: ApiRequests, name: string): Promise<unknown> {
  const { status } = (await api.request('GET', `${REQUESTS}/${name}`)) as {
    status: { conditions?: unknown };
  };
  return status.conditions;
}

export async function withdrawRequest(api: ApiRequests, name: string): Promise<void> {
  await api.request('DELETE', `${REQUESTS}/${name}`);
}

function etcdObject() {
  const { group, kind } = ETCD_KIND;
  return { apiVersion: `${group}/v1`, kind, metadata: { name: 'cluster' } };
}

function etcdPod() {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `etcd-${NODE}`, namespace: 'openshift-etcd', labels: { app: 'etcd' } },
    spec: { nodeName: NODE, containers: [{ name: 'etcd', image: 'etcd:1' }] },
  };
}

/** What a node has to say of itself. */
export const NODE_INFO = {
  architecture: 'amd64',
  bootID: '',
  containerRuntimeVersion: '',
  kernelVersion: '',
  kubeProxyVersion: '',
  kubeletVersion: 'v1.36.3',
  machineID: '',
  operatingSystem: 'linux',
  osImage: '',
  systemUUID: '',
};
