// A control-plane node that kubeadm has set up: its own manifests (test/fixtures/kubeadm), on keys that work.
import { below, type FileTree } from '../../fixtures/file-tree.ts';
import {
  ENCRYPTION_CONFIG,
  KUBEADM_PODS,
  type KubeadmPod,
  kubeadmManifests,
} from '../../fixtures/kubeadm-host.ts';
import type { ApiRequests } from '../api-requests.ts';
import { KUBERNETES_VERSION } from '../kubernetes.ts';
import { MANIFESTS, type NodeContents, type NodeLayout, pairFiles } from './layout.ts';
import { ADMIN, SERVICE_NETWORK } from './node-pki.ts';
import { labelNode } from './openshift-api.ts';

const KUBELET = {
  config: 'var/lib/kubelet/config.yaml',
  kubeconfig: 'etc/kubernetes/kubelet.conf',
};

const AUDIT_POLICY = 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None}]\n';

export async function kubeadmLayout(contents: NodeContents): Promise<NodeLayout> {
  const { nodeName } = contents;
  const manifests = await ownManifests(contents);
  const place = (pods: readonly KubeadmPod[]): FileTree =>
    Object.fromEntries(pods.map((pod) => [`${MANIFESTS}/${pod}.yaml`, manifests[pod]]));
  return {
    files: {
      ...below('etc/kubernetes', {
        ...below('pki', pki(contents)),
        ...(await kubeconfigs(contents)),
        'enc/enc.yaml': ENCRYPTION_CONFIG,
        'audit/policy.yaml': AUDIT_POLICY,
      }),
      ...place(['etcd', 'kube-apiserver']),
    },
    laterManifests: place(['kube-controller-manager', 'kube-scheduler']),
    kubelet: KUBELET,
    staticPods: KUBEADM_PODS.map((pod) => ({
      namespace: 'kube-system',
      name: `${pod}-${nodeName}`,
    })),
    prepareApi: () => Promise.resolve(),
    completeApi: (api) => completeApi(api, contents),
  };
}

async function ownManifests(contents: NodeContents): Promise<Record<KubeadmPod, string>> {
  const { address, nodeName, images, terminationGracePeriodSeconds } = contents;
  const manifests = await kubeadmManifests(KUBERNETES_VERSION, true, address, nodeName);
  for (const pod of KUBEADM_PODS) {
    manifests[pod] = manifests[pod].replace(/image: .*/, `image: ${images[pod]}`);
  }
  manifests['kube-apiserver'] = manifests['kube-apiserver'].replace(
    '\n  hostNetwork: true\n',
    `\n  hostNetwork: true\n  terminationGracePeriodSeconds: ${terminationGracePeriodSeconds}\n`,
  );
  return manifests;
}

function pki({ pki }: NodeContents): FileTree {
  const { etcd, etcdClient, etcdPeer, etcdServing, serviceAccount } = pki;
  return {
    ...pairFiles('ca', pki.kubernetes),
    ...pairFiles('apiserver', pki.apiServer),
    ...pairFiles('apiserver-etcd-client', etcdClient),
    ...pairFiles('apiserver-kubelet-client', pki.kubeletClient),
    ...pairFiles('front-proxy-ca', pki.aggregator),
    ...pairFiles('front-proxy-client', pki.aggregatorClient),
    'sa.key': serviceAccount.key,
    'sa.pub': serviceAccount.publicKey,
    ...below('etcd', {
      ...pairFiles('ca', etcd),
      ...pairFiles('server', etcdServing),
      ...pairFiles('peer', etcdPeer),
      ...pairFiles('healthcheck-client', etcdClient),
    }),
  };
}

async function kubeconfigs({ nodeName, address, pki }: NodeContents): Promise<FileTree> {
  const server = `https://${address}:6443`;
  const node = { name: `system:node:${nodeName}`, group: 'system:nodes' };
  return {
    'admin.conf': await pki.kubeconfig(server, ADMIN),
    'super-admin.conf': await pki.kubeconfig(server, ADMIN),
    'kubelet.conf': await pki.kubeconfig(server, node),
    'controller-manager.conf': await pki.kubeconfig(server, {
      name: 'system:kube-controller-manager',
    }),
    'scheduler.conf': await pki.kubeconfig(server, { name: 'system:kube-scheduler' }),
  };
}

/** What `kubeadm init` uploads at its end. */
async function completeApi(api: ApiRequests, { nodeName }: NodeContents): Promise<void> {
  await labelNode(api, nodeName, ['control-plane']);
  const configuration = [
    'apiVersion: kubeadm.k8s.io/v1beta4',
    'kind: ClusterConfiguration',
    'clusterName: kubernetes',
    'certificatesDir: /etc/kubernetes/pki',
    `kubernetesVersion: v${KUBERNETES_VERSION}`,
    'etcd: {local: {dataDir: /var/lib/etcd}}',
    `networking: {dnsDomain: cluster.local, serviceSubnet: ${SERVICE_NETWORK}}`,
  ].join('\n');
  await api.apply('/api/v1/namespaces/kube-system/configmaps/kubeadm-config', {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kubeadm-config', namespace: 'kube-system' },
    data: { ClusterConfiguration: `${configuration}\n` },
  });
}
