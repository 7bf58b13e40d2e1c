// The member of an OpenShift host: its endpoint, and the certificates to reach it with.

import { EtcdkeepError } from '../../base/errors.ts';
import { type Host, MANIFESTS } from '../host.ts';
import type { LocalEtcd } from '../layout.ts';
import {
  ETCD_ENV,
  type EtcdEnv,
  type EtcdEnvNode,
  etcdEnvInvalid,
  readEtcdEnv,
  safeNodeName,
} from './etcd-env.ts';

const CLIENT_PORT = 2379;

/** Where the etcd pod mounts what lies under `static-pod-resources/etcd-certs` on the host. */
const IN_POD = '/etc/kubernetes/static-pod-certs/';
const ON_HOST = '/etc/kubernetes/static-pod-resources/etcd-certs/';

/** Where the host keeps what etcd.env names by its path in the etcd pod. */
export function onHost(inPod: string): string {
  return inPod.replace(IN_POD, ON_HOST);
}

const EXPIRED_ADVICE =
  'OpenShift renews it once its API is back: "Recovering from expired control plane certificates"; ' +
  'or name another pair with --cert and --key';

/**
 * Finds the host's own member.
 * @param hostName the machine's name, asked for when nothing on the host tells which node it is
 * @throws EtcdkeepError `etcd-env-invalid`, `certificate-missing`, `file-failed`
 */
export async function findOpenshiftEtcd(host: Host, hostName: string): Promise<LocalEtcd> {
  const env = await readEtcdEnv(host);
  const node = await findNode(host, env, hostName);
  return {
    name: node.name,
    endpoint: `https://${node.urlHost}:${CLIENT_PORT}`,
    cacert: await findCertificate(host, env.cacert, 'the CA bundle'),
    cert: await findCertificate(host, env.cert, 'the client certificate'),
    key: await findCertificate(host, env.key, 'the client key'),
    credentialWords: { whose: "this host's", expiredAdvice: EXPIRED_ADVICE },
    dataDirectory: env.dataDirectory,
  };
}

/** The file lists every node; the peer certificate it names is this host's own. */
async function findNode(host: Host, env: EtcdEnv, hostName: string): Promise<EtcdEnvNode> {
  const known = (safeName: string): EtcdEnvNode | undefined =>
    env.nodes.find((node) => node.safeName === safeName);
  const certified = /\/etcd-peer-([^/]+)\.crt$/.exec(env.cert)?.[1] ?? '';
  const node =
    known(safeNodeName(certified)) ??
    known(await nodeOfManifest(host)) ??
    known(safeNodeName(hostName));
  if (node !== undefined) return node;
  throw etcdEnvInvalid(
    'it does not tell which of its nodes is this host',
    host.realPath(ETCD_ENV),
    [
      ['nodes', env.nodes.map(({ name }) => name).join(' ')],
      ['certificate', env.cert],
      ['host name', hostName],
    ],
  );
}

/**
 * The node whose variables the etcd pod's own script expands. Its environment lists every node's,
 * so only an expansion tells (cluster-etcd-operator, bindata/etcd/pod.gotpl.yaml).
 */
async function nodeOfManifest(host: Host): Promise<string> {
  const manifest = `${MANIFESTS}/etcd-pod.yaml`;
  if (!(await host.isFile(manifest))) return '';
  const expansions = (await host.readText(manifest)).matchAll(/\$\{NODE_(\w+?)_ETCD_NAME\b/g);
  const names = new Set([...expansions].map((match) => match[1]!));
  return names.size === 1 ? [...names][0]! : '';
}

async function findCertificate(host: Host, hostPath: string, what: string): Promise<string> {
  const places = [hostPath, onHost(hostPath)];
  for (const place of places) if (await host.isFile(place)) return place;
  throw new EtcdkeepError(
    'certificate-missing',
    `${what} that etcd.env names is not on this host`,
    {
      facts: [...new Set(places)].map((place) => ['not a file', host.realPath(place)] as const),
    },
  );
}
