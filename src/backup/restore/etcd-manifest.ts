// The manifest that runs etcd on a host: in its place, where a stop has put it, or where it can be had again.

import { namesIn } from '../../base/directory-names.ts';
import { EtcdkeepError } from '../../base/errors.ts';
import { readArchivedText } from '../../controlplane/archived-file.ts';
import { type Host, MANIFESTS, STATIC_POD_RESOURCES } from '../../controlplane/host.ts';
import { PodManifest } from '../../controlplane/kubeadm/manifest.ts';
import { revisionOf } from '../../controlplane/openshift/static-pods.ts';
import { STOPPED_MANIFESTS } from '../../controlplane/stopped-etcd.ts';

/**
 * `stopped`: where disable-etcd.sh or an earlier restore has put it; `installed`: in the directory of a revision, from which
 * OpenShift's installer has copied it; `archived`: only the backup has it.
 */
export type ManifestState = 'in place' | 'stopped' | 'installed' | 'archived';

export interface EtcdManifest {
  /** `/etc/kubernetes/manifests/etcd-pod.yaml`, whether it is there or not. */
  readonly path: string;
  readonly state: ManifestState;
  /** Where it is now, or will be once the static resources are placed. */
  readonly source: string;
  /** Where it is put while etcd is stopped. */
  readonly stopped: string;
}

/**
 * Finds OpenShift's. A manifest that names no revision of etcd is none: the pod that cluster-restore.sh puts there restores
 * a snapshot of its own.
 * @param archived directory of the revision in the archive, as the host knows it
 * @throws EtcdkeepError `static-pod-missing`, `file-failed`
 */
export async function findOpenshiftManifest(
  host: Host,
  archived: string | undefined,
): Promise<EtcdManifest> {
  const path = `${MANIFESTS}/etcd-pod.yaml`;
  const stopped = `${STOPPED_MANIFESTS.openshift}/etcd-pod.yaml`;
  if (await isEtcdPod(host, path)) return { path, state: 'in place', source: path, stopped };
  if (await isEtcdPod(host, stopped)) return { path, state: 'stopped', source: stopped, stopped };
  const installed = await newestInstalled(host);
  if (archived !== undefined && installed?.startsWith(`${archived}/`) !== true) {
    return { path, state: 'archived', source: `${archived}/etcd-pod.yaml`, stopped };
  }
  if (installed !== undefined) return { path, state: 'installed', source: installed, stopped };
  throw missing(host, path, stopped);
}

export interface KubeadmManifests {
  readonly manifest: EtcdManifest;
  readonly etcd: PodManifest;
  readonly apiServer: PodManifest;
}

/**
 * Finds kubeadm's, and that of the API server, which says how etcd is reached.
 * @param archive of the static resources
 * @throws EtcdkeepError `static-pod-missing`, `manifest-invalid`, `file-failed`
 */
export async function findKubeadmManifests(
  host: Host,
  archive: string | undefined,
): Promise<KubeadmManifests> {
  const path = `${MANIFESTS}/etcd.yaml`;
  const stopped = `${STOPPED_MANIFESTS.kubeadm}/etcd.yaml`;
  const { state, source, text } = await findText(host, 'etcd.yaml', archive);
  const apiServer = await findText(host, 'kube-apiserver.yaml', archive);
  return {
    manifest: { path, state, source, stopped },
    etcd: new PodManifest(host, source, text),
    apiServer: new PodManifest(host, apiServer.source, apiServer.text),
  };
}

async function findText(
  host: Host,
  name: string,
  archive: string | undefined,
): Promise<{ readonly state: ManifestState; readonly source: string; readonly text: string }> {
  const path = `${MANIFESTS}/${name}`;
  const stopped = `${STOPPED_MANIFESTS.kubeadm}/${name}`;
  if (await host.isFile(path)) {
    return { state: 'in place', source: path, text: await host.readText(path) };
  }
  if (await host.isFile(stopped)) {
    return { state: 'stopped', source: stopped, text: await host.readText(stopped) };
  }
  const text = archive === undefined ? undefined : await readArchivedText(archive, path.slice(1));
  // In the manifests directory it would run at once: it is put beside it first.
  if (text !== undefined) return { state: 'archived', source: stopped, text };
  throw missing(host, path, stopped);
}

async function isEtcdPod(host: Host, path: string): Promise<boolean> {
  if (!(await host.isFile(path))) return false;
  return revisionOf('etcd-pod', await host.readText(path)) !== undefined;
}

async function newestInstalled(host: Host): Promise<string | undefined> {
  const revisions = (await namesIn(host.realPath(STATIC_POD_RESOURCES)))
    .map((name) => Number(/^etcd-pod-(\d{1,9})$/.exec(name)?.[1]))
    .filter((revision) => revision > 0)
    .sort((left, right) => right - left);
  for (const revision of revisions) {
    const path = `${STATIC_POD_RESOURCES}/etcd-pod-${revision}/etcd-pod.yaml`;
    if (await isEtcdPod(host, path)) return path;
  }
  return undefined;
}

function missing(host: Host, path: string, stopped: string): EtcdkeepError {
  return new EtcdkeepError(
    'static-pod-missing',
    'the manifest is neither in its place nor where it is put when its pod is stopped',
    {
      path: host.realPath(path),
      facts: [['nor', host.realPath(stopped)]],
      advice: 'put it back in one of the two places, or name a backup with its static resources',
    },
  );
}
