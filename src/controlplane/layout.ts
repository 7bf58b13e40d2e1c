// What has to be known of a host's layout: its own etcd member, and what is to be archived.

import type { CredentialWords } from '../etcd/client/credentials.ts';
import type { Host } from './host.ts';

export interface LocalEtcd {
  /** Name of the member, which is the node's. */
  readonly name: string;
  /** Client URL of this one member: a snapshot is taken from the host it runs on. */
  readonly endpoint: string;
  /** Paths as the host knows them; each was a file when it was looked for. */
  readonly cacert: string;
  readonly cert: string;
  readonly key: string;
  /** How errors speak of them. */
  readonly credentialWords: CredentialWords;
  /** As the host knows it. */
  readonly dataDirectory: string;
}

export interface StaticPod {
  /** As the file of its manifest: `etcd-pod` on OpenShift, `etcd` with kubeadm. */
  readonly name: string;
  /** OpenShift's revision that the kubelet is told to run; kubeadm has none. */
  readonly revision?: number;
  /** Directory of the revision, or the manifest, as the host knows it. */
  readonly path: string;
}

export interface StaticPods {
  /** The four, in the order in which the documented procedure names them. */
  readonly pods: readonly StaticPod[];
  /** Files and directories that are to be archived, none inside another, as the host knows them. */
  readonly resources: readonly string[];
  /** The API server's encryption-config, as the host knows it; undefined if it has none. */
  readonly encryptionConfig: string | undefined;
}

export interface Layout {
  /**
   * Finds the host's own member.
   * @param hostName the machine's name, asked for when nothing on the host tells which node it is
   * @throws EtcdkeepError `etcd-env-invalid`, `manifest-invalid`, `certificate-missing`, `file-failed`
   */
  findLocalEtcd(host: Host, hostName: string): Promise<LocalEtcd>;
  /**
   * Finds the static pods and all that belongs to them.
   * @throws EtcdkeepError `static-pod-missing`, `static-pod-revision-missing`, `manifest-invalid`,
   * `encryption-config-invalid`, `file-failed`
   */
  findStaticPods(host: Host): Promise<StaticPods>;
}
