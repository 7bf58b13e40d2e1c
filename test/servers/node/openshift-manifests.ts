// The manifests of an OpenShift master that a kubelet runs: those of test/fixtures, with the operators' own command lines as
// far as upstream's programs understand them (bindata/etcd/pod.gotpl.yaml of cluster-etcd-operator, pod.yaml of the others).

import { variableName } from '../../fixtures/openshift-etcd-env.ts';
import { manifest, type PodContents, type StaticPod } from '../../fixtures/openshift-pods.ts';
import { CLIENT_PORT, PEER_PORT } from '../addresses.ts';
import { etcdTlsFlags } from '../static-pods.ts';
import type { NodeContents } from './layout.ts';
import { SERVICE_NETWORK } from './node-pki.ts';

/** Where containers see the directory of their revision, and the one without a revision. */
const RESOURCES = '/etc/kubernetes/static-pod-resources';
const CERTS = '/etc/kubernetes/static-pod-certs';

/** As far as it is changed here. */
interface Pod {
  readonly metadata: { name: string };
  readonly spec: {
    containers: [Container, ...Container[]];
    terminationGracePeriodSeconds: number;
  };
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly volumeMounts: readonly object[];
  readonly [other: string]: unknown;
}

/** What a static pod is called, before the node's name is added to it. */
export function podName(pod: StaticPod): string {
  return pod === 'kube-scheduler' ? 'openshift-kube-scheduler' : pod;
}

/** A manifest, as one line of JSON, as newer operators write it. */
export function nodeManifest(podContents: PodContents, contents: NodeContents): string {
  const { pod } = podContents;
  const data = JSON.parse(manifest({ ...podContents, format: 'json' })) as Pod;
  const [only] = data.spec.containers;
  const main: Container = {
    ...only,
    image: contents.images[pod],
    command: ['/bin/bash', '-c', script(pod, contents)],
  };
  data.metadata.name = podName(pod);
  data.spec.containers = [main];
  if (pod === 'etcd') {
    const mounts = [...only.volumeMounts, { mountPath: '/var/lib/etcd', name: 'data-dir' }];
    const etcd = { ...main, volumeMounts: mounts };
    const shell = 'trap TERM INT; sleep infinity & wait';
    const etcdctl = {
      ...etcd,
      name: 'etcdctl',
      command: ['/bin/bash', '-c', shell],
      resources: {},
    };
    data.spec.containers = [etcdctl, etcd];
  }
  if (pod === 'kube-apiserver') {
    const httpGet = { scheme: 'HTTPS', port: 6443, path: 'readyz' };
    data.spec.containers = [{ ...main, readinessProbe: { httpGet, periodSeconds: 1 } }];
    data.spec.terminationGracePeriodSeconds = contents.terminationGracePeriodSeconds;
  }
  return `${JSON.stringify(data)}\n`;
}

function script(pod: StaticPod, contents: NodeContents): string {
  const line = [`exec ${pod}`, ...FLAGS[pod](contents)].join(' \\\n  ');
  return `#!/bin/bash\nset -euo pipefail\n\n${pod === 'etcd' ? etcdPrelude(contents) : ''}${line}\n`;
}

/** Its first start makes the cluster; without data, any later one finds none to join. */
function etcdPrelude({ nodeName }: NodeContents): string {
  const variable = `NODE_${variableName(nodeName)}`;
  return `if rm ${CERTS}/first-start 2>/dev/null; then export ETCD_INITIAL_CLUSTER_STATE=new; fi
export ETCD_NAME=\${${variable}_ETCD_NAME}
export ETCD_INITIAL_CLUSTER=\${ETCD_NAME}=https://\${${variable}_ETCD_URL_HOST}:${PEER_PORT}
`;
}

const FLAGS: Readonly<Record<StaticPod, (contents: NodeContents) => readonly string[]>> = {
  etcd: ({ nodeName, address }) => {
    const pair = (kind: string): string =>
      `${CERTS}/secrets/etcd-all-certs/etcd-${kind}-${nodeName}`;
    const ca = `${CERTS}/configmaps/etcd-all-bundles/server-ca-bundle.crt`;
    return [
      '--logger=zap',
      '--snapshot-count=10000',
      `--initial-advertise-peer-urls=https://${address}:${PEER_PORT}`,
      ...etcdTlsFlags(pair, ca),
      `--advertise-client-urls=https://${address}:${CLIENT_PORT}`,
      `--listen-client-urls=https://0.0.0.0:${CLIENT_PORT}`,
      `--listen-peer-urls=https://0.0.0.0:${PEER_PORT}`,
    ];
  },
  'kube-apiserver': ({ address }) => {
    const secret = (name: string, file: string): string => `${RESOURCES}/secrets/${name}/${file}`;
    const config = (name: string): string => `${RESOURCES}/configmaps/${name}`;
    const cert = (name: string, file: string): string => `${CERTS}/secrets/${name}/${file}`;
    return [
      `--advertise-address=${address}`,
      '--allow-privileged=true',
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      `--client-ca-file=${CERTS}/configmaps/client-ca/ca-bundle.crt`,
      `--encryption-provider-config=${secret('encryption-config', 'encryption-config')}`,
      '--etcd-prefix=kubernetes.io',
      `--etcd-servers=https://${address}:${CLIENT_PORT},https://localhost:${CLIENT_PORT}`,
      `--etcd-cafile=${config('etcd-serving-ca')}/ca-bundle.crt`,
      `--etcd-certfile=${secret('etcd-client', 'tls.crt')}`,
      `--etcd-keyfile=${secret('etcd-client', 'tls.key')}`,
      `--kubelet-certificate-authority=${config('kubelet-serving-ca')}/ca-bundle.crt`,
      `--kubelet-client-certificate=${cert('kubelet-client', 'tls.crt')}`,
      `--kubelet-client-key=${cert('kubelet-client', 'tls.key')}`,
      '--kubelet-preferred-address-types=InternalIP',
      `--proxy-client-cert-file=${cert('aggregator-client', 'tls.crt')}`,
      `--proxy-client-key-file=${cert('aggregator-client', 'tls.key')}`,
      `--requestheader-client-ca-file=${CERTS}/configmaps/aggregator-client-ca/ca-bundle.crt`,
      '--requestheader-allowed-names=front-proxy-client',
      '--requestheader-extra-headers-prefix=X-Remote-Extra-',
      '--requestheader-group-headers=X-Remote-Group',
      '--requestheader-username-headers=X-Remote-User',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${config('sa-token-signing-certs')}/service-account-001.pub`,
      `--service-account-signing-key-file=${cert('bound-service-account-signing-key', 'service-account.key')}`,
      `--service-cluster-ip-range=${SERVICE_NETWORK}`,
      `--tls-cert-file=${cert('service-network-serving-certkey', 'tls.crt')}`,
      `--tls-private-key-file=${cert('service-network-serving-certkey', 'tls.key')}`,
    ];
  },
  'kube-controller-manager': () => {
    const kubeconfig = `${RESOURCES}/configmaps/controller-manager-kubeconfig/kubeconfig`;
    return [
      `--kubeconfig=${kubeconfig}`,
      `--authentication-kubeconfig=${kubeconfig}`,
      `--authorization-kubeconfig=${kubeconfig}`,
      `--client-ca-file=${CERTS}/configmaps/client-ca/ca-bundle.crt`,
      `--cluster-signing-cert-file=${CERTS}/secrets/csr-signer/tls.crt`,
      `--cluster-signing-key-file=${CERTS}/secrets/csr-signer/tls.key`,
      `--root-ca-file=${RESOURCES}/configmaps/serviceaccount-ca/ca-bundle.crt`,
      `--service-account-private-key-file=${RESOURCES}/secrets/service-account-private-key/service-account.key`,
      '--use-service-account-credentials=true',
    ];
  },
  'kube-scheduler': () => {
    const kubeconfig = `${RESOURCES}/configmaps/scheduler-kubeconfig/kubeconfig`;
    return [
      `--kubeconfig=${kubeconfig}`,
      `--authentication-kubeconfig=${kubeconfig}`,
      `--authorization-kubeconfig=${kubeconfig}`,
    ];
  },
};
