// The static resources of a host at one moment: which pods at which revision, with which
// encryption keys, in which files.

import { createHash } from 'node:crypto';
import {
  type EncryptionConfig,
  NO_ENCRYPTION,
  parseEncryptionConfig,
} from '../kubernetes/encryption-config.ts';
import type { Host } from './host.ts';
import { listTrees, type TreeEntry } from './resource-tree.ts';
import { findStaticPods, type StaticPod } from './static-pods.ts';

export interface StaticResources {
  readonly pods: readonly StaticPod[];
  /** Of the API server; the keys of the other API servers are stored in etcd, under these. */
  readonly encryption: EncryptionConfig;
  readonly entries: readonly TreeEntry[];
  /**
   * Equal for two looks when the kubelet was told to run the same revisions at both, with the same
   * encryption keys, and no file had been touched in between.
   */
  readonly fingerprint: string;
}

/**
 * Looks at the static resources. A second look after an archive was made tells whether the archive
 * still holds what the host runs.
 * @throws EtcdkeepError `static-pod-missing`, `static-pod-revision-missing`,
 * `encryption-config-invalid`, `resources-changing`, `file-failed`
 */
export async function lookAtStaticResources(host: Host): Promise<StaticResources> {
  const pods = await findStaticPods(host);
  const encryption = await readEncryptionConfig(host, pods);
  const entries = await listTrees(
    host,
    pods.map((pod) => pod.path),
  );
  return { pods, encryption, entries, fingerprint: fingerprintOf(pods, encryption, entries) };
}

/** The API server's encryption-config is there only where encryption has ever been on. */
async function readEncryptionConfig(
  host: Host,
  pods: readonly StaticPod[],
): Promise<EncryptionConfig> {
  const apiServer = pods.find((pod) => pod.name === 'kube-apiserver-pod')!;
  const path = `${apiServer.path}/secrets/encryption-config/encryption-config`;
  if (!(await host.isFile(path))) return NO_ENCRYPTION;
  return parseEncryptionConfig(await host.readText(path), host.realPath(path));
}

function fingerprintOf(
  pods: readonly StaticPod[],
  encryption: EncryptionConfig,
  entries: readonly TreeEntry[],
): string {
  const files = entries.map(({ path, type, version }) => [path, type, version]);
  return createHash('sha256')
    .update(JSON.stringify([pods, encryption, files]))
    .digest('hex');
}
