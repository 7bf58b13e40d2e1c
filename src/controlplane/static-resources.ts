// The static resources of a host at one moment: which pods at which revision, with which
// encryption keys, in which files.

import { createHash } from 'node:crypto';
import {
  type EncryptionConfig,
  NO_ENCRYPTION,
  parseEncryptionConfig,
} from '../kubernetes/encryption-config.ts';
import type { Host } from './host.ts';
import type { StaticPod } from './layout.ts';
import { layoutOf } from './layouts.ts';
import { listTrees, type TreeEntry } from './resource-tree.ts';

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
 * `manifest-invalid`, `encryption-config-invalid`, `resources-changing`, `file-failed`
 */
export async function lookAtStaticResources(host: Host): Promise<StaticResources> {
  const { pods, resources, encryptionConfig } = await layoutOf(host).findStaticPods(host);
  const encryption =
    encryptionConfig === undefined
      ? NO_ENCRYPTION
      : parseEncryptionConfig(
          await host.readText(encryptionConfig),
          host.realPath(encryptionConfig),
        );
  const entries = await listTrees(host, resources);
  return { pods, encryption, entries, fingerprint: fingerprintOf(pods, encryption, entries) };
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
