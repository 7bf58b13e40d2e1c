// The member of a host that kubeadm set up: what its manifest and the API server's say of it.

import { EtcdkeepError } from '../../base/errors.ts';
import type { Host } from '../host.ts';
import type { LocalEtcd } from '../layout.ts';
import { type PodManifest, readPodManifest } from './manifest.ts';

const EXPIRED_ADVICE =
  'kubeadm certs renew apiserver-etcd-client; or name another pair with --cert and --key';

/**
 * Finds the host's own member. It is reached as the API server of the same host reaches it, with the
 * client certificate that kubeadm made for that (kubeadm, app/phases/certs/certlist.go,
 * KubeadmCertEtcdAPIClient).
 * @throws EtcdkeepError `static-pod-missing`, `manifest-invalid`, `certificate-missing`, `file-failed`
 */
export async function findKubeadmEtcd(host: Host): Promise<LocalEtcd> {
  const etcd = await readPodManifest(host, 'etcd');
  return kubeadmEtcdOf(host, etcd, await readPodManifest(host, 'kube-apiserver'));
}

/**
 * The same by two manifests, which may lie elsewhere while the pods are stopped.
 * @throws EtcdkeepError `manifest-invalid`, `certificate-missing`, `file-failed`
 */
export async function kubeadmEtcdOf(
  host: Host,
  etcd: PodManifest,
  apiServer: PodManifest,
): Promise<LocalEtcd> {
  // Several are allowed by etcd; kubeadm gives one (app/phases/etcd/local.go, getEtcdCommand).
  const [endpoint] = etcd.demand('advertise-client-urls').split(',');
  return {
    name: etcd.demand('name'),
    endpoint: endpoint!,
    cacert: await findFile(host, etcd, 'trusted-ca-file', 'the CA bundle'),
    cert: await findFile(host, apiServer, 'etcd-certfile', 'the client certificate'),
    key: await findFile(host, apiServer, 'etcd-keyfile', 'the client key'),
    credentialWords: { whose: "this host's", expiredAdvice: EXPIRED_ADVICE },
    dataDirectory: etcd.onHost(etcd.demand('data-dir')),
  };
}

async function findFile(
  host: Host,
  manifest: PodManifest,
  flag: string,
  what: string,
): Promise<string> {
  const path = manifest.onHost(manifest.demand(flag));
  if (await host.isFile(path)) return path;
  throw new EtcdkeepError(
    'certificate-missing',
    `${what} that ${manifest.path} names with --${flag} is not on this host`,
    { facts: [['not a file', host.realPath(path)]] },
  );
}
