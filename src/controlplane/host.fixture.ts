// For tests: a directory that looks like the root of an OpenShift control-plane host.

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Host } from './host.ts';

export const NODE_NAME = 'ip-10-0-1-2.ec2.internal';
export const RESOURCES = '/etc/kubernetes/static-pod-resources';
const BUNDLE = 'configmaps/etcd-all-bundles/server-ca-bundle.crt';

/** A directory of its own, gone when the test is over. */
export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'etcdkeep-test-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Writes a file of the host, 0600 like those that OpenShift's installer pod writes. */
export async function put(host: Host, hostPath: string, text: string, mode = 0o600): Promise<void> {
  const path = host.realPath(hostPath);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text, { mode });
}

/** The etcd.env of the first of three nodes. */
export const ETCD_ENV_TEXT = `export ALL_ETCD_ENDPOINTS="https://10.0.1.2:2379,https://10.0.1.3:2379"
export ETCDCTL_CACERT="/etc/kubernetes/static-pod-certs/${BUNDLE}"
export ETCDCTL_CERT="/etc/kubernetes/static-pod-certs/secrets/etcd-all-certs/etcd-peer-${NODE_NAME}.crt"
export ETCDCTL_KEY="/etc/kubernetes/static-pod-certs/secrets/etcd-all-certs/etcd-peer-${NODE_NAME}.key"
export NODE_ip_10_0_1_2_ec2_internal_ETCD_NAME="${NODE_NAME}"
export NODE_ip_10_0_1_2_ec2_internal_ETCD_URL_HOST="10.0.1.2"
export NODE_ip_10_0_1_2_ec2_internal_IP="10.0.1.2"
export NODE_master_1_ETCD_NAME="master-1"
export NODE_master_1_ETCD_URL_HOST="[fd00::3]"
export NODE_master_1_IP="[fd00::3]"
export NODE_master_2_ETCD_NAME="master-2"
export NODE_master_2_IP="10.0.1.4"
`;

const REVISIONS = {
  'kube-apiserver-pod': 14,
  'kube-controller-manager-pod': 5,
  'kube-scheduler-pod': 7,
  'etcd-pod': 3,
} as const;

/**
 * Makes the host. Every file in a directory named `secrets` holds a text that occurs nowhere else,
 * and so does each key of the encryption-config.
 */
export async function makeHost(): Promise<{ host: Host; secrets: readonly string[] }> {
  const host = new Host(await temporaryDirectory(), 'openshift');
  const secrets: string[] = [];
  const secret = (): string => {
    const text = randomBytes(32).toString('base64');
    secrets.push(text);
    return text;
  };
  for (const [name, revision] of Object.entries(REVISIONS)) {
    const directory = `${RESOURCES}/${name}-${revision}`;
    const manifest = `{"spec":{"volumes":[{"hostPath":{"path":"${directory}"}}]}}\n`;
    await put(host, `/etc/kubernetes/manifests/${name}.yaml`, manifest);
    await put(host, `${directory}/${name}.yaml`, manifest);
    await put(host, `${directory}/configmaps/config/config.yaml`, `# ${name}\n`);
    await put(host, `${directory}/secrets/serving-cert/tls.key`, secret());
  }
  await put(
    host,
    `${RESOURCES}/kube-apiserver-pod-14/secrets/encryption-config/encryption-config`,
    encryptionConfig(secret(), secret()),
  );
  const certs = `${RESOURCES}/etcd-certs`;
  const peer = `${certs}/secrets/etcd-all-certs/etcd-peer-${NODE_NAME}`;
  await put(host, `${certs}/configmaps/etcd-scripts/etcd.env`, ETCD_ENV_TEXT);
  await put(host, `${certs}/${BUNDLE}`, 'a bundle');
  await put(host, `${peer}.crt`, 'a certificate');
  await put(host, `${peer}.key`, secret());
  return { host, secrets };
}

/** Key 3 writes, key 2 still reads, and "identity" is carried as OpenShift carries it. */
export function encryptionConfig(secret3: string, secret2: string): string {
  const providers = [
    { aescbc: { keys: [{ name: '3', secret: secret3 }] } },
    { aescbc: { keys: [{ name: '2', secret: secret2 }] } },
    { identity: {} },
    { aesgcm: { keys: [{ name: '1', secret: 'AAAAAAAAAAAAAAAAAAAAAA==' }] } },
  ];
  return JSON.stringify({
    kind: 'EncryptionConfiguration',
    apiVersion: 'apiserver.config.k8s.io/v1',
    resources: [
      { resources: ['configmaps'], providers },
      { resources: ['secrets'], providers },
    ],
  });
}
