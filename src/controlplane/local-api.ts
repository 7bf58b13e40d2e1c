// The API server of a host itself, with the credentials that the host keeps for its administrator.

import { EtcdkeepError } from '../base/errors.ts';
import { proxyFor } from '../base/proxy-rules.ts';
import { ApiClient } from '../kubernetes/api-client.ts';
import { readKubeconfig } from '../kubernetes/kubeconfig.ts';
import { type Host, type LayoutName, STATIC_POD_RESOURCES } from './host.ts';
import { readProxy } from './proxy.ts';

/** The one that cluster-backup.sh uses (cluster-etcd-operator, bindata/etcd/etcd-common-tools). */
export const LOCALHOST_KUBECONFIG = `${STATIC_POD_RESOURCES}/kube-apiserver-certs/secrets/node-kubeconfigs/localhost.kubeconfig`;

/** What kubeadm leaves for the administrator. */
export const ADMIN_KUBECONFIG = '/etc/kubernetes/admin.conf';

const KUBECONFIGS: Readonly<Record<LayoutName, string>> = {
  openshift: LOCALHOST_KUBECONFIG,
  kubeadm: ADMIN_KUBECONFIG,
};

/**
 * Opens a client for it. Nothing is sent yet.
 * @param timeoutMs for the whole of one request
 * @throws EtcdkeepError `kubeconfig-missing`, `kubeconfig-invalid`, `proxy-invalid`, `file-failed`
 */
export async function openLocalApi(
  host: Host,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ApiClient> {
  const kubeconfig = KUBECONFIGS[host.layout];
  const path = host.realPath(kubeconfig);
  if (!(await host.isFile(kubeconfig))) {
    throw new EtcdkeepError(
      'kubeconfig-missing',
      'this host has no kubeconfig for its API server',
      {
        path,
      },
    );
  }
  const text = await host.readText(kubeconfig);
  const access = await readKubeconfig(text, kubeconfig, (file) => host.readText(file));
  const proxy = await readProxy(host);
  return new ApiClient(access, {
    proxy: proxy === undefined ? undefined : proxyFor(access.server, proxy),
    timeoutMs,
    signal,
  });
}
