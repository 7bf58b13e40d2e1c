// The programs of a node: Kubernetes' own, containerd with its shim and its ctr, and crictl. etcd comes from its release.
import { goProgram } from '../go-build.ts';
import { kubernetesProgram } from '../kubernetes.ts';
import type { Part } from '../parts.ts';

/** Kubernetes 1.36 is tested with a 3.6. */
export const NODE_ETCD_VERSION = '3.6.16';

export const CONTAINERD_VERSION = '2.2.9';
export const CRICTL_VERSION = '1.36.0';

const CONTAINERD = 'github.com/containerd/containerd/v2';
const CRI_TOOLS = 'sigs.k8s.io/cri-tools';

const KUBERNETES_NAMES = [
  'kube-apiserver',
  'kubelet',
  'kube-controller-manager',
  'kube-scheduler',
  'kubectl',
] as const;

const CONTAINERD_NAMES = ['containerd', 'containerd-shim-runc-v2', 'ctr'] as const;

export type NodeProgram =
  | (typeof KUBERNETES_NAMES)[number]
  | (typeof CONTAINERD_NAMES)[number]
  | 'crictl'
  | 'etcd'
  | 'etcdctl'
  | 'etcdutl';

/** Paths by name. */
export type NodePrograms = Readonly<Record<NodeProgram, string>>;

/** What is built. None is looked for on the PATH: it would be linked to libraries that a node does not have. */
export const BUILT: readonly (Part & { readonly name: NodeProgram })[] = [
  ...KUBERNETES_NAMES.map((name) => ({ ...kubernetesProgram(name), name })),
  ...CONTAINERD_NAMES.map((name) => {
    const main = `${CONTAINERD}/cmd/${name}`;
    // Snapshotters that are not used, and need libraries of C or tools of the host.
    const tags = ['no_btrfs', 'no_zfs', 'no_devmapper'];
    const source = { module: CONTAINERD, main, version: CONTAINERD_VERSION, tags };
    return { ...goProgram(name, source), name };
  }),
  {
    ...goProgram('crictl', {
      module: CRI_TOOLS,
      main: `${CRI_TOOLS}/cmd/crictl`,
      version: CRICTL_VERSION,
    }),
    name: 'crictl',
  },
];
