// A control-plane machine, seen as a directory: its own root, or where a debug pod mounts it.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readSmallFile } from '../base/durable-files.ts';
import { EtcdkeepError, readError, systemCodeOf } from '../base/errors.ts';

/** Where a distribution keeps things: OpenShift, or Kubernetes as kubeadm sets it up. */
export type LayoutName = 'openshift' | 'kubeadm';

/** The static pods that a kubelet runs by itself. */
export const MANIFESTS = '/etc/kubernetes/manifests';

/** OpenShift's revisions of the static pods, and the certificates they share. */
export const STATIC_POD_RESOURCES = '/etc/kubernetes/static-pod-resources';

/** What the etcd operator writes on each of its hosts, and on no other. */
const ETCD_CERTS = `${STATIC_POD_RESOURCES}/etcd-certs`;

/** What kubeadm writes where etcd runs on the control plane's own hosts. */
const KUBEADM_ETCD = `${MANIFESTS}/etcd.yaml`;

const KUBEADM_API_SERVER = `${MANIFESTS}/kube-apiserver.yaml`;
const ETCD_ELSEWHERE =
  "its API server's etcd runs on other hosts: save a snapshot of one with etcdkeep snapshot save, and keep /etc/kubernetes with it";

/** Paths in an archive are relative to this directory of the host. */
const ARCHIVE_BASES: Readonly<Record<LayoutName, string>> = {
  // As cluster-backup.sh has it (tar -C /etc/kubernetes).
  openshift: '/etc/kubernetes',
  // kubeadm lets the PKI and the encryption-config lie anywhere.
  kubeadm: '/',
};

/** In this order: the machine itself, or a container into which `chroot /host` is still to come. */
export const USUAL_ROOTS = ['/', '/host'] as const;

/** Manifests, etcd.env and their like hold a few kB. */
const MAX_TEXT_BYTES = 4 << 20;

export class Host {
  readonly root: string;
  readonly layout: LayoutName;

  constructor(root: string, layout: LayoutName) {
    this.root = root;
    this.layout = layout;
  }

  /** Paths in an archive are relative to this directory of the host. */
  get archiveBase(): string {
    return ARCHIVE_BASES[this.layout];
  }

  /**
   * Where a file of the host is reached from here.
   * @param hostPath absolute path as the host knows it; users and records are shown these
   */
  realPath(hostPath: string): string {
    return join(this.root, hostPath);
  }

  /** Whether the path is a file, or a symbolic link to one. */
  isFile(hostPath: string): Promise<boolean> {
    return isKind(this.realPath(hostPath), (found) => found.isFile());
  }

  /** Whether the path is a directory, or a symbolic link to one. */
  isDirectory(hostPath: string): Promise<boolean> {
    return isKind(this.realPath(hostPath), (found) => found.isDirectory());
  }

  /**
   * Reads a small file of text.
   * @throws EtcdkeepError `file-failed`
   */
  async readText(hostPath: string): Promise<string> {
    const path = this.realPath(hostPath);
    return (await readSmallFile(path, `read ${hostPath}`, MAX_TEXT_BYTES)).toString('utf8');
  }
}

/**
 * Finds the host: under the root that is named, else this machine, else what a debug pod mounts.
 * @param root as the user named it
 * @param usualRoots where to look when none is named
 * @throws EtcdkeepError `not-a-control-plane-host`, `file-failed`
 */
export async function findHost(
  root: string | undefined,
  usualRoots: readonly string[] = USUAL_ROOTS,
): Promise<Host> {
  const roots = root === undefined ? usualRoots : [root];
  for (const candidate of roots) {
    const host = new Host(candidate, 'openshift');
    if (!(await host.isDirectory(MANIFESTS))) continue;
    // Every node has the manifests directory, a worker's may be empty.
    if (await host.isDirectory(ETCD_CERTS)) return host;
    if (await host.isFile(KUBEADM_ETCD)) return new Host(candidate, 'kubeadm');
    throw notAControlPlane(
      `neither OpenShift's ${host.realPath(ETCD_CERTS)} nor kubeadm's ${host.realPath(KUBEADM_ETCD)} is there`,
      candidate,
      (await host.isFile(KUBEADM_API_SERVER)) ? ETCD_ELSEWHERE : undefined,
    );
  }
  const looked = roots.map((candidate) => join(candidate, MANIFESTS));
  throw notAControlPlane(`there is no ${looked.join(' and no ')}`, roots[0]!);
}

function notAControlPlane(why: string, root: string, advice?: string): EtcdkeepError {
  return new EtcdkeepError(
    'not-a-control-plane-host',
    `this is not a control-plane host with an etcd of its own: ${why}`,
    { path: root, ...(advice === undefined ? {} : { advice }) },
  );
}

async function isKind(
  path: string,
  test: (found: Awaited<ReturnType<typeof stat>>) => boolean,
): Promise<boolean> {
  try {
    return test(await stat(path));
  } catch (reason) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(reason) ?? '')) return false;
    throw readError(reason, 'look at it', path);
  }
}
