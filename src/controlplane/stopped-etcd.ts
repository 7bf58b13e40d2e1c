// How etcd is stopped on a control-plane host by hand, and where its manifest lies afterwards. OpenShift's scripts come from
// cluster-etcd-operator, bindata/etcd (disable-etcd.sh since 4.18; etcd-common-tools); with kubeadm the place is our own.

import { type Host, type LayoutName, MANIFESTS } from './host.ts';

/** Directory of the manifests of pods that are stopped, and what etcd's is called. */
export const STOPPED_MANIFESTS: Readonly<Record<LayoutName, string>> = {
  openshift: '/home/core/assets/manifests-stopped',
  kubeadm: '/etc/kubernetes/manifests-stopped',
};

const ETCD_MANIFESTS: Readonly<Record<LayoutName, string>> = {
  openshift: 'etcd-pod.yaml',
  kubeadm: 'etcd.yaml',
};

const DISABLE_ETCD = '/usr/local/bin/disable-etcd.sh';

/** Where OpenShift puts the script that restores a pair. */
export const CLUSTER_RESTORE = '/usr/local/bin/cluster-restore.sh';

/** Where that script moves the data of before, and destroys what it has moved there earlier. */
export const KEPT_BY_CLUSTER_RESTORE = '/var/lib/etcd-backup/member';

/**
 * The line by which etcd is stopped on a host of the same cluster, and stays stopped. A restore finds the manifest where it
 * puts it.
 * @param host every other one has the scripts that it has
 * @throws EtcdkeepError `file-failed`
 */
export async function stopCommand(host: Host): Promise<string> {
  if (host.layout === 'openshift' && (await host.isFile(DISABLE_ETCD))) {
    return `sudo -E ${DISABLE_ETCD}`;
  }
  const manifest = `${MANIFESTS}/${ETCD_MANIFESTS[host.layout]}`;
  const directory = STOPPED_MANIFESTS[host.layout];
  return `sudo mkdir -p ${directory} && sudo mv ${manifest} ${directory}/`;
}
