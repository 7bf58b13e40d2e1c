// The host that is to be restored: its own member, and the manifest that runs it, wherever an earlier stop has left that.

import { EtcdkeepError } from '../../base/errors.ts';
import { findHost, Host, MANIFESTS, USUAL_ROOTS } from '../../controlplane/host.ts';
import { kubeadmEtcdOf } from '../../controlplane/kubeadm/local-etcd.ts';
import { PodManifest } from '../../controlplane/kubeadm/manifest.ts';
import type { LocalEtcd } from '../../controlplane/layout.ts';
import { readEtcdEnv } from '../../controlplane/openshift/etcd-env.ts';
import { findOpenshiftEtcd } from '../../controlplane/openshift/local-etcd.ts';
import { STOPPED_MANIFESTS } from '../../controlplane/stopped-etcd.ts';
import { parseEndpoint } from '../../etcd/client/endpoint.ts';
import { type EtcdManifest, findKubeadmManifests, findOpenshiftManifest } from './etcd-manifest.ts';
import { demandKnownDistribution, demandUnfenced, externalEtcd } from './topology.ts';

/** A member as somebody knows it. */
export interface KnownMember {
  /** Its id in hex where it has never started, and has no name yet. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  /** The name is its id, as it has none yet. */
  readonly isUnnamed?: true;
}

export interface OwnHost {
  readonly host: Host;
  readonly member: LocalEtcd;
  readonly peerUrls: readonly string[];
  readonly manifest: EtcdManifest;
  /** Every member that files of this host name, its own as well. */
  readonly named: readonly KnownMember[];
  /** Version in the tag of etcd's image; OpenShift names images by their digest. */
  readonly imageVersion: string | undefined;
  /** Where the write-ahead log is kept, if not in the data directory. */
  readonly walDirectory: string | undefined;
}

const PEER_PORT = 2380;
const ON_THIS_HOST = /\/\/(127\.0\.0\.1|localhost|\[::1\]):/;

/** Path in the archive of the static resources, which may not be known yet. */
interface Archived {
  readonly path: string | undefined;
  /** Directory of the revision of etcd that is in it, on OpenShift. */
  readonly etcdPod: string | undefined;
}

/**
 * Finds the host where a restore is possible, also while its etcd is stopped.
 * @throws EtcdkeepError `topology-unsuited`, `not-a-control-plane-host`, `file-failed`
 */
export async function findRestoredHost(root: string | undefined): Promise<Host> {
  const roots = root === undefined ? USUAL_ROOTS : [root];
  for (const candidate of roots) await demandUnfenced(candidate);
  try {
    return await findHost(root);
  } catch (reason) {
    const isElsewhere =
      reason instanceof EtcdkeepError && reason.code === 'not-a-control-plane-host';
    if (!isElsewhere) throw reason;
    for (const candidate of roots) {
      await demandKnownDistribution(candidate);
      const host = new Host(candidate, 'kubeadm');
      if (await host.isFile(`${STOPPED_MANIFESTS.kubeadm}/etcd.yaml`)) return host;
      if (await hasOwnEtcd(host)) return host;
      const external = await externalEtcd(candidate);
      if (external !== undefined) throw external;
    }
    throw reason;
  }
}

/** Whether the API server is told that etcd is on this host, whose manifest is elsewhere then. */
async function hasOwnEtcd(host: Host): Promise<boolean> {
  const path = `${MANIFESTS}/kube-apiserver.yaml`;
  if (!(await host.isFile(path))) return false;
  const manifest = new PodManifest(host, path, await host.readText(path));
  return ON_THIS_HOST.test(manifest.flag('etcd-servers') ?? '');
}

/**
 * Finds the host's own member.
 * @param archive of the static resources, asked where the host itself has no manifest
 * @throws EtcdkeepError `etcd-env-invalid`, `static-pod-missing`, `manifest-invalid`, `certificate-missing`, `file-failed`
 */
export function lookAtOwnHost(host: Host, hostName: string, archive: Archived): Promise<OwnHost> {
  return host.layout === 'openshift'
    ? openshiftHost(host, hostName, archive)
    : kubeadmHost(host, archive);
}

async function openshiftHost(host: Host, hostName: string, archive: Archived): Promise<OwnHost> {
  const member = await findOpenshiftEtcd(host, hostName);
  const { nodes } = await readEtcdEnv(host);
  const named = nodes.map(({ name, urlHost }) => ({
    name,
    peerUrls: [`https://${urlHost}:${PEER_PORT}`],
    clientUrls: [`https://${urlHost}:2379`],
  }));
  return {
    host,
    member,
    peerUrls: named.find(({ name }) => name === member.name)!.peerUrls,
    manifest: await findOpenshiftManifest(host, archive.etcdPod),
    named,
    imageVersion: undefined,
    walDirectory: undefined,
  };
}

async function kubeadmHost(host: Host, { path }: Archived): Promise<OwnHost> {
  const { manifest, etcd, apiServer } = await findKubeadmManifests(host, path);
  return {
    host,
    member: await kubeadmEtcdOf(host, etcd, apiServer),
    peerUrls: etcd.demand('initial-advertise-peer-urls').split(','),
    manifest,
    named: membersOf(etcd.flag('initial-cluster') ?? ''),
    imageVersion: /:v?(\d+\.\d+\.\d+)[^/]*$/.exec(etcd.image)?.[1],
    walDirectory: etcd.flag('wal-dir'),
  };
}

/** `cp-1=https://10.0.1.2:2380,cp-2=...`: a name can be there more than once. */
function membersOf(initialCluster: string): readonly KnownMember[] {
  const urls = new Map<string, string[]>();
  for (const part of initialCluster.split(',')) {
    const [name = '', url = ''] = part.split(/=(.*)/s);
    if (url !== '') urls.set(name, [...(urls.get(name) ?? []), url]);
  }
  return [...urls].map(([name, peerUrls]) => ({ name, peerUrls, clientUrls: [] }));
}

/** Port of a URL of etcd's. @throws EtcdkeepError `endpoint-invalid` */
export function portOf(url: string): number {
  const { address } = parseEndpoint(url, true);
  return 'port' in address ? address.port : 0;
}
