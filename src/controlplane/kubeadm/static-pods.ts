// The static pods that kubeadm sets up, and the files of the host that they cannot run without: the PKI,
// the kubeconfigs, and what an administrator has added under /etc/kubernetes.

import { lstat, readlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { EtcdkeepError, readError, systemCodeOf } from '../../base/errors.ts';
import type { Host } from '../host.ts';
import type { StaticPods } from '../layout.ts';
import { type PodManifest, readPodManifest } from './manifest.ts';

/** In the order in which the documented procedure of OpenShift names them. */
const NAMES = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'] as const;

/** What kubeadm writes is here. Outside of it lie logs, and what the operating system brings. */
const KUBERNETES = '/etc/kubernetes/';

/** The flags that name a file of the PKI, wherever kubeadm was told to put it (certificatesDir). */
const PKI_FLAGS = ['client-ca-file', 'trusted-ca-file'] as const;

/** As many as Linux follows (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * Finds the four pods and what they mount. A directory that is mounted is archived whole.
 * @throws EtcdkeepError `static-pod-missing`, `manifest-invalid`, `encryption-config-invalid`,
 * `file-failed`
 */
export async function findKubeadmPods(host: Host): Promise<StaticPods> {
  const manifests: PodManifest[] = [];
  for (const name of NAMES) manifests.push(await readPodManifest(host, name));
  const encryptionConfig = await findEncryptionConfig(host, manifests[0]!);
  const wanted = manifests.flatMap((manifest) => [
    manifest.path,
    ...manifest.hostPaths.filter((path) => path.startsWith(KUBERNETES)),
    ...PKI_FLAGS.flatMap((flag) => manifest.flag(flag) ?? []).map((file) => manifest.mountOf(file)),
  ]);
  if (encryptionConfig !== undefined) wanted.push(encryptionConfig);
  return {
    pods: NAMES.map((name, index) => ({ name, path: manifests[index]!.path })),
    resources: outermost(await existing(host, wanted)),
    encryptionConfig,
  };
}

/** kubeadm writes none: where there is one, an administrator has added the flag and the volume. */
export async function findEncryptionConfig(
  host: Host,
  apiServer: PodManifest,
): Promise<string | undefined> {
  const inPod = apiServer.flag('encryption-provider-config');
  if (inPod === undefined) return undefined;
  const path = apiServer.onHost(inPod);
  if (await host.isFile(path)) return path;
  throw new EtcdkeepError(
    'encryption-config-invalid',
    'cannot use the encryption-config: the API server is told to read it and it is not on this host',
    { path: host.realPath(path), advice: `compare with ${apiServer.path}` },
  );
}

/**
 * The paths that are there. A volume may be a link: then what it points to is archived as well. A volume that
 * is not there is one that the kubelet makes.
 */
async function existing(host: Host, paths: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const path of paths) {
    let place = path;
    for (let links = 0; links < MAX_LINKS; links += 1) {
      const stats = await lookAt(host, place);
      if (stats !== undefined) found.push(place);
      if (stats?.isSymbolicLink() !== true) break;
      place = resolve(dirname(place), await readlink(host.realPath(place)));
    }
  }
  return found;
}

async function lookAt(host: Host, path: string) {
  try {
    return await lstat(host.realPath(path));
  } catch (reason) {
    if (systemCodeOf(reason) === 'ENOENT') return undefined;
    throw readError(reason, 'look at it', host.realPath(path));
  }
}

/** Each once, and none that comes with another. */
function outermost(paths: readonly string[]): readonly string[] {
  const distinct = [...new Set(paths)].sort();
  return distinct.filter((path) => !distinct.some((other) => path.startsWith(`${other}/`)));
}
