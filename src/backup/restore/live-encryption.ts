// The encryption-config that the host's API server loads now, and whether what comes back from the archive takes its place.

import { EtcdkeepError } from '../../base/errors.ts';
import { type Host, MANIFESTS, STATIC_POD_RESOURCES } from '../../controlplane/host.ts';
import { readPodManifest } from '../../controlplane/kubeadm/manifest.ts';
import { findEncryptionConfig } from '../../controlplane/kubeadm/static-pods.ts';
import { ENCRYPTION_CONFIG, revisionNamed } from '../../controlplane/openshift/static-pods.ts';
import {
  type EncryptionConfig,
  NO_ENCRYPTION,
  parseEncryptionConfig,
} from '../../kubernetes/encryption-config.ts';
import type { PlacedResource } from './plan.ts';

export interface LiveEncryption {
  /** Undefined if it is not there, or cannot be read. */
  readonly config: EncryptionConfig | undefined;
  /** Of the directory or the file that it is in, as the host knows it; undefined without a manifest of the API server. */
  readonly place: string | undefined;
}

/** @throws EtcdkeepError `file-failed` */
export async function readLiveEncryption(host: Host): Promise<LiveEncryption> {
  return host.layout === 'openshift' ? openshiftEncryption(host) : kubeadmEncryption(host);
}

/** Whether the API server will load the archive's, because that is put where it looks, or names where it looks. */
export function isConfigReplaced(
  { place }: LiveEncryption,
  resources: readonly PlacedResource[],
): boolean {
  const changed = resources.filter(({ action }) => action !== 'leave').map(({ path }) => path);
  const manifests = ['kube-apiserver-pod.yaml', 'kube-apiserver.yaml'];
  if (place !== undefined && changed.includes(place)) return true;
  return manifests.some((name) => changed.includes(`${MANIFESTS}/${name}`));
}

async function openshiftEncryption(host: Host): Promise<LiveEncryption> {
  const revision = await revisionNamed(host, 'kube-apiserver-pod');
  if (revision === undefined) return { config: undefined, place: undefined };
  const place = `${STATIC_POD_RESOURCES}/kube-apiserver-pod-${revision}`;
  if (!(await host.isDirectory(place))) return { config: undefined, place };
  const path = `${place}/${ENCRYPTION_CONFIG}`;
  return { config: await readConfig(host, (await host.isFile(path)) ? path : undefined), place };
}

async function kubeadmEncryption(host: Host): Promise<LiveEncryption> {
  if (!(await host.isFile(`${MANIFESTS}/kube-apiserver.yaml`))) {
    return { config: undefined, place: undefined };
  }
  const manifest = await readPodManifest(host, 'kube-apiserver');
  const inPod = manifest.flag('encryption-provider-config');
  const place = inPod === undefined ? undefined : manifest.onHost(inPod);
  const path = await findEncryptionConfig(host, manifest).catch(ifInvalid);
  return { config: path === null ? undefined : await readConfig(host, path), place };
}

async function readConfig(
  host: Host,
  path: string | undefined,
): Promise<EncryptionConfig | undefined> {
  if (path === undefined) return NO_ENCRYPTION;
  try {
    return parseEncryptionConfig(await host.readText(path), host.realPath(path));
  } catch (reason) {
    ifInvalid(reason);
    return undefined;
  }
}

/** The API server cannot load it either: so it has none of the keys. */
function ifInvalid(reason: unknown): null {
  if (reason instanceof EtcdkeepError && reason.code === 'encryption-config-invalid') return null;
  throw reason;
}
