// The files of a node that do not depend on its layout: the system, the programs, and what they are told.
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { below, type FileTree, writeTree } from '../../fixtures/file-tree.ts';
import { lastLine, runCommand } from '../command.ts';
import type { ImageNames, LayoutName } from './images.ts';
import { MANIFESTS, type NodeLayout } from './layout.ts';
import type { NodePki } from './node-pki.ts';
import type { NodeParts } from './parts.ts';
import type { NodeProgram } from './programs.ts';

const INIT = fileURLToPath(new URL('node-init.sh', import.meta.url));

/** Those that a node has itself; the others are in its images. */
const PROGRAMS: readonly NodeProgram[] = [
  'containerd',
  'containerd-shim-runc-v2',
  'crictl',
  'ctr',
  'kubelet',
];

/** Where a node sees the blobs of its images, and looks for the index that names them (node-init.sh). */
export const IMAGES_ON_NODE = '/opt/node-images';
const INDEX = 'var/lib/node-images/index.json';

const POD_NETWORK = '10.88.0.0/16';
const CONTAINERD_SOCKET = 'unix:///run/containerd/containerd.sock';
const KUBELET_PKI = 'var/lib/kubelet/pki';

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}

export interface NodeFilesOptions {
  readonly nodeName: string;
  readonly address: string;
  readonly layoutName: LayoutName;
  readonly images: ImageNames;
  readonly pki: NodePki;
  readonly taints: readonly Taint[];
}

/** Makes the root directory of a node. */
export async function writeNode(
  root: string,
  parts: NodeParts,
  layout: NodeLayout,
  options: NodeFilesOptions,
): Promise<void> {
  const { code, stderr } = await runCommand('cp', ['-a', parts.system, root]);
  if (code !== 0) throw new Error(`cp failed: ${lastLine(stderr)}`);
  for (const name of PROGRAMS) {
    await copyFile(parts.programs[name], join(root, 'usr/local/bin', name));
  }
  await copyFile(INIT, join(root, 'usr/local/sbin/node-init'));
  await mkdir(join(root, 'var/lib/etcd'), { mode: 0o700 });
  await writeTree(root, { ...layout.files, ...commonFiles(layout, options) });
  const index = join(parts.images, `${options.layoutName}.json`);
  await mkdir(join(root, INDEX, '..'), { recursive: true });
  await copyFile(index, join(root, INDEX));
}

function commonFiles({ kubelet }: NodeLayout, options: NodeFilesOptions): FileTree {
  const { nodeName, address, images, pki, taints } = options;
  const flags = [
    `--config=/${kubelet.config}`,
    `--kubeconfig=/${kubelet.kubeconfig}`,
    `--hostname-override=${nodeName}`,
    // Else it looks for the way to everywhere, which there is none.
    `--node-ip=${address}`,
  ];
  return {
    'etc/hostname': `${nodeName}\n`,
    'etc/kubelet-flags': `${flags.join('\n')}\n`,
    'etc/containerd/config.toml': containerdConfig(images.pause),
    'etc/crictl.yaml': `runtime-endpoint: ${CONTAINERD_SOCKET}\n`,
    'etc/cni/net.d/10-node.conflist': JSON.stringify(NETWORK),
    [kubelet.config]: JSON.stringify(kubeletConfiguration(taints)),
    ...below(KUBELET_PKI, {
      'client-ca.crt': pki.kubernetes.cert,
      'kubelet.crt': pki.kubelet.cert,
      'kubelet.key': pki.kubelet.key,
    }),
  };
}

const NETWORK = {
  cniVersion: '1.0.0',
  name: 'node',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipMasq: false,
      ipam: { type: 'host-local', ranges: [[{ subnet: POD_NETWORK }]] },
    },
  ],
};

function containerdConfig(pause: string): string {
  return `version = 3

[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "${pause}"

[plugins."io.containerd.cri.v1.runtime"]
disable_apparmor = true
# Not every root may lower it below its own.
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "/usr/sbin/runc"
SystemdCgroup = false
`;
}

function kubeletConfiguration(taints: readonly Taint[]): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    staticPodPath: `/${MANIFESTS}`,
    containerRuntimeEndpoint: CONTAINERD_SOCKET,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `/${KUBELET_PKI}/client-ca.crt` },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: `/${KUBELET_PKI}/kubelet.crt`,
    tlsPrivateKeyFile: `/${KUBELET_PKI}/kubelet.key`,
    registerWithTaints: taints,
    cgroupDriver: 'cgroupfs',
    failCgroupV1: false,
    failSwapOn: false,
    // There is no service network: neither kube-proxy nor a DNS.
    makeIPTablesUtilChains: false,
    resolvConf: '',
    // No more than a process may have that is not allowed to raise its own limits.
    maxOpenFiles: 20_000,
    // The disk is not the node's own: how full it is says nothing of the node.
    imageGCHighThresholdPercent: 100,
    evictionHard: {
      'imagefs.available': '1%',
      'memory.available': '100Mi',
      'nodefs.available': '1%',
    },
    // A pod is shown in the API, and started again, sooner than after a minute.
    syncFrequency: '10s',
    crashLoopBackOff: { maxContainerRestartPeriod: '10s' },
  };
}
