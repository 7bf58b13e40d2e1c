// Whose static pods an archive holds, at which revision, and with which encryption keys: what a host says of itself
// (layout.ts), said by its archive.

import { EtcdkeepError } from '../base/errors.ts';
import { type EncryptionConfig, parseEncryptionConfig } from '../kubernetes/encryption-config.ts';
import type { ArchiveFindings, ArchiveRule } from './archive-finding.ts';
import type { ArchiveMembers } from './archive-members.ts';
import { Host, type LayoutName, MANIFESTS, STATIC_POD_RESOURCES } from './host.ts';
import { PodManifest } from './kubeadm/manifest.ts';
import type { StaticPod } from './layout.ts';
import { STATIC_POD_NAMES } from './openshift/static-pods.ts';

export interface ArchivedEncryption {
  /** Of the member that says so. */
  readonly path: string;
  /** By the names of the keys; the keys themselves are read and let go. */
  readonly config: EncryptionConfig;
}

export interface ArchivedPods {
  /** Undefined if it is neither's. */
  readonly layout: LayoutName | undefined;
  /** In the order in which the documented procedure names them; every revision that is there. */
  readonly pods: readonly StaticPod[];
  /** Of the API server; undefined if there is none, or none that can be read. */
  readonly encryption: ArchivedEncryption | undefined;
}

const KUBEADM_NAMES = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'etcd',
] as const;

/** Flags of the four that name a file without which the pod does not start (kubeadm, app/phases/controlplane/manifests.go). */
const FILE_FLAGS = [
  ...['client-ca-file', 'tls-cert-file', 'tls-private-key-file', 'kubelet-client-certificate'],
  ...[
    'kubelet-client-key',
    'etcd-cafile',
    'etcd-certfile',
    'etcd-keyfile',
    'proxy-client-cert-file',
  ],
  ...['proxy-client-key-file', 'requestheader-client-ca-file', 'service-account-key-file'],
  ...['service-account-signing-key-file', 'service-account-private-key-file', 'root-ca-file'],
  ...['cluster-signing-cert-file', 'cluster-signing-key-file', 'kubeconfig', 'audit-policy-file'],
  ...[
    'cert-file',
    'key-file',
    'trusted-ca-file',
    'peer-cert-file',
    'peer-key-file',
    'peer-trusted-ca-file',
  ],
];

const OPENSHIFT = /^static-pod-resources\/([a-z-]+)-(\d{1,9})\//;
const OPENSHIFT_CONFIG =
  /^static-pod-resources\/kube-apiserver-pod-\d{1,9}\/secrets\/encryption-config\/encryption-config$/;
const KUBEADM_MANIFEST = /^etc\/kubernetes\/manifests\/([a-z-]+)\.yaml$/;
const MAX_CONFIGS = 100;
const MAX_MANIFEST_LENGTH = 1 << 20;

export class ArchivePods {
  readonly #findings: ArchiveFindings;
  #isWhole = true;
  readonly #manifests = new Map<string, string>();
  /** By path; an administrator's may lie anywhere, and come before the manifest that names it. */
  readonly #configs = new Map<string, EncryptionConfig | EtcdkeepError>();

  constructor(findings: ArchiveFindings) {
    this.#findings = findings;
  }

  see(path: string, text: string): void {
    const name = KUBEADM_MANIFEST.exec(path)?.[1];
    if (KUBEADM_NAMES.some((each) => each === name) && text.length <= MAX_MANIFEST_LENGTH) {
      this.#manifests.set(path, text);
    }
    const isConfig = OPENSHIFT_CONFIG.test(path) || text.includes('EncryptionConfiguration');
    if (isConfig && this.#configs.size < MAX_CONFIGS)
      this.#configs.set(path, parseConfig(path, text));
  }

  /**
   * What there is, once the archive has been read.
   * @param isWhole whether to its end: else nothing is said to be missing
   */
  judge(members: ArchiveMembers, isWhole: boolean): ArchivedPods {
    this.#isWhole = isWhole;
    const { list } = members;
    if (list.some(({ path }) => path.startsWith('static-pod-resources/')))
      return this.#openshift(members);
    if (list.some(({ path }) => path.startsWith('etc/kubernetes/'))) return this.#kubeadm(members);
    this.#miss('layout-unknown', "these are neither OpenShift's static pods nor kubeadm's");
    return { layout: undefined, pods: [], encryption: undefined };
  }

  #openshift(members: ArchiveMembers): ArchivedPods {
    const revisions = new Map<string, Set<number>>(
      STATIC_POD_NAMES.map((name) => [name, new Set()]),
    );
    for (const { path } of members.list) {
      const [, name, revision] = OPENSHIFT.exec(path) ?? [];
      if (name !== undefined) revisions.get(name)?.add(Number(revision));
    }
    const pods = [...revisions].flatMap(([name, found]) =>
      [...found]
        .sort((left, right) => left - right)
        .map((revision) => {
          return { name, revision, path: `${STATIC_POD_RESOURCES}/${name}-${revision}` };
        }),
    );
    for (const name of STATIC_POD_NAMES) {
      if (revisions.get(name)!.size === 0) this.#miss('pod-missing', `there is no ${name}`);
    }
    for (const { name, revision } of pods) {
      const directory = `static-pod-resources/${name}-${revision}`;
      if (members.find(`${directory}/${name}.yaml`)?.sha256 !== undefined) continue;
      this.#miss('pod-missing', `revision ${revision} of ${name} has no manifest`, directory);
    }
    const newest = pods.findLast(({ name }) => name === STATIC_POD_NAMES[0]);
    const config = `static-pod-resources/${newest?.name ?? ''}-${newest?.revision ?? ''}/secrets/encryption-config/encryption-config`;
    return { layout: 'openshift', pods, encryption: this.#encryptionAt(config) };
  }

  #kubeadm(members: ArchiveMembers): ArchivedPods {
    const pods: StaticPod[] = [];
    let encryption: ArchivedEncryption | undefined;
    for (const name of KUBEADM_NAMES) {
      const path = `${MANIFESTS}/${name}.yaml`;
      const text = this.#manifests.get(path.slice(1));
      if (text === undefined) {
        this.#miss('pod-missing', `there is no manifest of ${name}`);
        continue;
      }
      pods.push({ name, path });
      const config = this.#judgeManifest(path, text, members);
      if (config !== undefined) encryption = this.#encryptionAt(config);
    }
    return { layout: 'kubeadm', pods, encryption };
  }

  /** @returns path of the encryption-config in the archive, if the manifest names one that is there */
  #judgeManifest(path: string, text: string, members: ArchiveMembers): string | undefined {
    try {
      const manifest = new PodManifest(new Host('/', 'kubeadm'), path, text);
      for (const flag of FILE_FLAGS) this.#findFile(manifest, flag, members);
      return this.#findFile(manifest, 'encryption-provider-config', members);
    } catch (reason) {
      if (!(reason instanceof EtcdkeepError)) throw reason;
      this.#findings.add('manifest-unreadable', reason.message, path.slice(1));
      return undefined;
    }
  }

  #findFile(manifest: PodManifest, flag: string, members: ArchiveMembers): string | undefined {
    const inPod = manifest.flag(flag);
    if (inPod?.startsWith('/') !== true) return undefined;
    const onHost = manifest.onHost(inPod);
    const found = members.find(onHost.slice(1));
    if (found?.sha256 !== undefined) return found.path;
    const message = `${onHost} is not there, which ${manifest.path} names with --${flag}`;
    this.#miss('member-missing', message);
    return undefined;
  }

  #miss(rule: ArchiveRule, message: string, member?: string): void {
    if (this.#isWhole) this.#findings.add(rule, message, member);
  }

  #encryptionAt(path: string): ArchivedEncryption | undefined {
    const config = this.#configs.get(path);
    if (config === undefined) return undefined;
    if (!(config instanceof EtcdkeepError)) return { path, config };
    this.#findings.add('encryption-config-unreadable', config.message, path);
    return undefined;
  }
}

function parseConfig(path: string, text: string): EncryptionConfig | EtcdkeepError {
  try {
    return parseEncryptionConfig(text, path);
  } catch (reason) {
    if (reason instanceof EtcdkeepError) return reason;
    throw reason;
  }
}
