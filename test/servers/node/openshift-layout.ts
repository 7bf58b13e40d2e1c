// An OpenShift master whose static pods run: the files of test/fixtures, with real keys and manifests where a program reads
// them. Names: the lists of revisioned and unrevisioned configmaps and secrets in the operators' pkg/operator/starter.go.
import { encryptionConfig } from '../../fixtures/encryption.ts';
import { below, type FileTree } from '../../fixtures/file-tree.ts';
import { etcdEnvFile, etcdEnvironment } from '../../fixtures/openshift-etcd-env.ts';
import {
  revisionDirectory,
  revisionFiles,
  STATIC_PODS,
  type StaticPod,
} from '../../fixtures/openshift-pods.ts';
import { MANIFESTS, type NodeContents, type NodeLayout, pairFiles, tlsFiles } from './layout.ts';
import { ADMIN, type User } from './node-pki.ts';
import { completeOpenshiftApi, createNamespaces } from './openshift-api.ts';
import { nodeManifest, podName } from './openshift-manifests.ts';

const RESOURCES = 'etc/kubernetes/static-pod-resources';
const KUBELET = {
  config: 'etc/kubernetes/kubelet.conf',
  kubeconfig: 'var/lib/kubelet/kubeconfig',
};

/** The API server as every program on the host reaches it. */
const LOCAL = 'https://localhost:6443';

/** As young as those of a cluster that was installed a moment ago. */
const REVISIONS: Readonly<Record<StaticPod, number>> = {
  etcd: 2,
  'kube-apiserver': 3,
  'kube-controller-manager': 2,
  'kube-scheduler': 2,
};

/** The revision of a static pod that is installed: its number, and its files below its directory. */
export interface InstalledRevision {
  readonly pod: StaticPod;
  readonly revision: number;
  readonly files: FileTree;
}

export async function openshiftLayout(contents: NodeContents): Promise<NodeLayout> {
  const { nodeName, pki } = contents;
  const environment = {
    ...etcdEnvironment(nodeName, [{ nodeName, address: contents.address }]),
    ETCD_IMAGE: contents.images.etcd,
  };
  const certificates = etcdCertificates(contents);
  const own = await filesInUse(contents);
  const installed = STATIC_PODS.map((pod): InstalledRevision => {
    const revision = REVISIONS[pod];
    const podContents = {
      pod,
      revision,
      ...certificates,
      etcdClient: { 'tls.crt': pki.etcdClient.cert, 'tls.key': pki.etcdClient.key },
      environment,
      encryptionConfig: encryptionConfig(),
      format: 'json' as const,
    };
    const text = nodeManifest(podContents, contents);
    const manifests = { [`${pod}-pod.yaml`]: text, [`configmaps/${pod}-pod/pod.yaml`]: text };
    return { pod, revision, files: { ...revisionFiles(podContents), ...manifests, ...own[pod] } };
  });
  const place = (pods: readonly StaticPod[]): FileTree =>
    Object.fromEntries(
      installed
        .filter(({ pod }) => pods.includes(pod))
        .map(({ pod, files }) => [`${MANIFESTS}/${pod}-pod.yaml`, files[`${pod}-pod.yaml`]!]),
    );
  const revisions = installed.map(({ pod, revision, files }) =>
    below(`${RESOURCES}/${revisionDirectory(pod, revision)}`, files),
  );
  return {
    files: {
      ...revisions.reduce((all, one) => ({ ...all, ...one })),
      ...below(`${RESOURCES}/etcd-certs`, {
        ...below('configmaps/etcd-all-bundles', certificates.bundles),
        ...below('secrets/etcd-all-certs', certificates.certificates),
        'configmaps/etcd-scripts/etcd.env': etcdEnvFile(environment),
        // There was no bootstrap machine: the first start of etcd makes the cluster, and takes this away.
        'first-start': '',
      }),
      ...(await unrevisionedFiles(contents)),
      [KUBELET.kubeconfig]: await pki.kubeconfig(LOCAL, {
        name: `system:node:${nodeName}`,
        group: 'system:nodes',
      }),
      ...place(['etcd', 'kube-apiserver']),
    },
    laterManifests: place(['kube-controller-manager', 'kube-scheduler']),
    kubelet: KUBELET,
    staticPods: STATIC_PODS.map((pod) => ({
      namespace: `openshift-${pod}`,
      name: `${podName(pod)}-${nodeName}`,
    })),
    prepareApi: createNamespaces,
    completeApi: (api) => completeOpenshiftApi(api, contents, installed),
  };
}

/** As the etcd operator hands them to every master. */
function etcdCertificates({ nodeName, pki }: NodeContents) {
  const bundle = pki.etcd.cert;
  return {
    certificates: {
      ...pairFiles(`etcd-peer-${nodeName}`, pki.etcdPeer),
      ...pairFiles(`etcd-serving-${nodeName}`, pki.etcdServing),
      ...pairFiles(`etcd-serving-metrics-${nodeName}`, pki.etcdServing),
    },
    bundles: { 'server-ca-bundle.crt': bundle, 'metrics-ca-bundle.crt': bundle },
  };
}

/** What in the revisions' directories the programs read, in the place of what only looks like it. */
async function filesInUse({ pki }: NodeContents): Promise<Record<StaticPod, FileTree>> {
  const kubeconfig = (name: string): Promise<string> => pki.kubeconfig(LOCAL, { name });
  const { key, publicKey } = pki.serviceAccount;
  const ca = pki.kubernetes.cert;
  return {
    etcd: {},
    'kube-apiserver': {
      'configmaps/kube-apiserver-server-ca/ca-bundle.crt': ca,
      'configmaps/kubelet-serving-ca/ca-bundle.crt': ca,
      'configmaps/sa-token-signing-certs/service-account-001.pub': publicKey,
      'configmaps/bound-sa-token-signing-certs/service-account-001.pub': publicKey,
    },
    'kube-controller-manager': {
      'configmaps/controller-manager-kubeconfig/kubeconfig': await kubeconfig(
        'system:kube-controller-manager',
      ),
      'configmaps/serviceaccount-ca/ca-bundle.crt': ca,
      'secrets/service-account-private-key/service-account.key': key,
      'secrets/service-account-private-key/service-account.pub': publicKey,
    },
    'kube-scheduler': {
      'configmaps/scheduler-kubeconfig/kubeconfig': await kubeconfig('system:kube-scheduler'),
    },
  };
}

/** The directories `<pod>-certs`, whose files change without a new revision. */
async function unrevisionedFiles({ pki }: NodeContents): Promise<FileTree> {
  return {
    ...below(`${RESOURCES}/kube-apiserver-certs`, {
      'configmaps/client-ca/ca-bundle.crt': pki.kubernetes.cert,
      'configmaps/aggregator-client-ca/ca-bundle.crt': pki.aggregator.cert,
      ...tlsFiles('secrets/aggregator-client', pki.aggregatorClient),
      ...tlsFiles('secrets/kubelet-client', pki.kubeletClient),
      ...tlsFiles('secrets/service-network-serving-certkey', pki.apiServer),
      'secrets/bound-service-account-signing-key/service-account.key': pki.serviceAccount.key,
      'secrets/node-kubeconfigs/localhost.kubeconfig': await pki.kubeconfig(LOCAL, NODE_ADMIN),
    }),
    ...below(`${RESOURCES}/kube-controller-manager-certs`, {
      'configmaps/client-ca/ca-bundle.crt': pki.kubernetes.cert,
      ...tlsFiles('secrets/csr-signer', pki.kubernetes),
    }),
  };
}

const NODE_ADMIN: User = { ...ADMIN, name: 'system:control-plane-node-admin' };
