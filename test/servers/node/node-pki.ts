// The authorities and certificates of a one-node control plane, of which each layout puts what it wants where it wants it.
import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kubeconfigText } from '../../fixtures/kubeconfig.ts';
import { CertificateAuthority, type CertificateOptions } from '../pki.ts';

/** PEM. */
export interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface NodePki {
  /** Of etcd's members and clients. */
  readonly etcd: Pair;
  /** Of the API server, the kubelet and their clients. */
  readonly kubernetes: Pair;
  /** Of the API server as a client of other API servers. */
  readonly aggregator: Pair;
  readonly etcdServing: Pair;
  readonly etcdPeer: Pair;
  readonly etcdClient: Pair;
  readonly apiServer: Pair;
  readonly kubelet: Pair;
  /** The API server's own for the kubelet. */
  readonly kubeletClient: Pair;
  readonly aggregatorClient: Pair;
  /** With which tokens of service accounts are signed. */
  readonly serviceAccount: { readonly key: Buffer; readonly publicKey: string };
  /** Of ADMIN. */
  readonly admin: Pair;
  /** A kubeconfig with a client certificate of its own. */
  readonly kubeconfig: (server: string, user: User) => Promise<string>;
  /** For another member of etcd, of those names, to serve with and to be a peer. */
  readonly etcdMember: (names: readonly string[]) => Promise<Pair>;
}

export interface User {
  readonly name: string;
  readonly group?: string;
  /** When its certificate is valid, if not for years. */
  readonly valid?: Pick<CertificateOptions, 'notBefore' | 'notAfter'>;
}

export const ADMIN: User = { name: 'system:admin', group: 'system:masters' };

/** @param directory is made, and keeps the files */
export async function makeNodePki(
  directory: string,
  { nodeName, address }: { readonly nodeName: string; readonly address: string },
): Promise<NodePki> {
  const [etcd, kubernetes, aggregator] = await Promise.all([
    Issuer.create(join(directory, 'etcd'), 'etcd-signer'),
    Issuer.create(join(directory, 'kubernetes'), 'kube-ca'),
    Issuer.create(join(directory, 'aggregator'), 'aggregator-ca'),
  ]);
  const names = [nodeName, address, 'localhost', '127.0.0.1', '::1'];
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  const signing = await kubernetes.issue({ commonName: 'service-account' });
  const clientOf = ({ name, group, valid }: User): Promise<Pair> =>
    kubernetes.issue({
      ...valid,
      commonName: name,
      ...(group !== undefined && { organization: group }),
      usages: ['client'],
    });
  return {
    etcd: etcd.own,
    kubernetes: kubernetes.own,
    aggregator: aggregator.own,
    etcdServing: await etcd.issue({ commonName: `system:etcd-server:${nodeName}`, names }),
    etcdPeer: await etcd.issue({ commonName: `system:etcd-peer:${nodeName}`, names }),
    etcdClient: await etcd.issue({ commonName: 'system:etcd-client', usages: ['client'] }),
    apiServer: await kubernetes.issue({
      commonName: 'kube-apiserver',
      names: [...names, ...service, FIRST_SERVICE_ADDRESS],
      usages: ['server'],
    }),
    kubelet: await kubernetes.issue({ commonName: `system:node:${nodeName}`, names }),
    kubeletClient: await kubernetes.issue({
      commonName: 'system:kube-apiserver',
      organization: 'system:masters',
      usages: ['client'],
    }),
    aggregatorClient: await aggregator.issue({
      commonName: 'front-proxy-client',
      usages: ['client'],
    }),
    serviceAccount: {
      key: signing.key,
      publicKey: createPublicKey(signing.key).export({ format: 'pem', type: 'spki' }).toString(),
    },
    admin: await clientOf(ADMIN),
    kubeconfig: async (server, user) =>
      kubeconfigText({ server, ca: kubernetes.own.cert, ...(await clientOf(user)) }),
    etcdMember: (others) => etcd.issue({ commonName: 'system:etcd-peer:other', names: others }),
  };
}

/** Where services are found, and the first of them, which is the API server's. */
export const SERVICE_NETWORK = '10.96.0.0/12';
const FIRST_SERVICE_ADDRESS = '10.96.0.1';

const DAY_MS = 86_400_000;

/** As in a cluster that is neither young nor about to renew them. */
const VALID = {
  notBefore: new Date(Date.now() - 60 * DAY_MS),
  notAfter: new Date(Date.now() + 3 * 365 * DAY_MS),
};

/** An authority whose certificates are read as soon as they are written. */
class Issuer {
  readonly own: Pair;
  readonly #authority: CertificateAuthority;
  #issued = 0;

  private constructor(authority: CertificateAuthority, own: Pair) {
    this.#authority = authority;
    this.own = own;
  }

  static async create(directory: string, name: string): Promise<Issuer> {
    const authority = await CertificateAuthority.create(directory, name, VALID);
    const files = { cert: authority.cert, key: await authority.writeKey() };
    return new Issuer(authority, await read(files));
  }

  async issue(options: CertificateOptions): Promise<Pair> {
    this.#issued += 1;
    return await read(
      await this.#authority.issue(`issued-${this.#issued}`, { ...VALID, ...options }),
    );
  }
}

async function read(files: { readonly cert: string; readonly key: string }): Promise<Pair> {
  return { cert: await readFile(files.cert), key: await readFile(files.key) };
}
