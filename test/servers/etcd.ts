// Real etcd servers for tests, benchmarks and the demonstration: one call gives a running member or
// cluster, and it is always stopped: by `await using`, by `stop()`, or with the process.
import { join } from 'node:path';
import { freeLoopbackAddress } from './addresses.ts';
import { findRelease } from './binaries.ts';
import { removeTemporaryDirectory, temporaryDirectory } from './directories.ts';
import type { Gateway } from './gateway.ts';
import { EtcdMember, type MemberTls, type User } from './member.ts';
import type { NetworkHost, TestNetwork } from './network.ts';
import { CertificateAuthority, type KeyPairFiles } from './pki.ts';
import type { EtcdBinaries, EtcdVersion } from './versions.ts';

/** The users of a cluster with authentication: one with the root role, one who may read and write. */
export const ROOT_USER: User = { name: 'root', password: 'root-secret' };
export const PLAIN_USER: User = { name: 'reader', password: 'reader-secret' };

export interface EtcdOptions {
  /** A version that the tests know, or the programs themselves. */
  readonly version: EtcdVersion | EtcdBinaries;
  /** Voting members; defaults to 1. */
  readonly size?: 1 | 3;
  /** Defaults to `off`. `mutual` demands client certificates; peers speak TLS whenever clients do. */
  readonly tls?: 'off' | 'server' | 'mutual';
  /** Turns authentication on, with ROOT_USER and PLAIN_USER. */
  readonly auth?: boolean;
  /** Adds a learner. */
  readonly learner?: boolean;
  /** More flags for every member. They override, since etcd takes the last of a flag given twice. */
  readonly flags?: readonly string[];
  /** Machines for the voting members; they share this one if left out. */
  readonly network?: TestNetwork;
  /** Names of the members; default to `etcd-0`, `etcd-1`, ... */
  readonly names?: readonly string[];
}

/** A running cluster, of one member most of the time. */
export class EtcdCluster {
  readonly members: readonly EtcdMember[];
  readonly learner: EtcdMember | undefined;
  /** Issued every certificate of the cluster, and issues more. Undefined without TLS. */
  readonly authority: CertificateAuthority | undefined;
  readonly #directory: string;

  constructor(
    directory: string,
    members: readonly EtcdMember[],
    learner: EtcdMember | undefined,
    authority: CertificateAuthority | undefined,
  ) {
    this.#directory = directory;
    this.members = members;
    this.learner = learner;
    this.authority = authority;
  }

  /** The first member. */
  get member(): EtcdMember {
    return this.members[0]!;
  }

  /** The first member's endpoint. */
  get endpoint(): string {
    return this.member.endpoint;
  }

  /** The endpoints of all voting members. */
  get endpoints(): string[] {
    return this.members.map((member) => member.endpoint);
  }

  /** The first member's gateway. */
  get gateway(): Gateway {
    return this.member.gateway;
  }

  /** The member that leads now. Throws if none does. */
  async leader(): Promise<EtcdMember> {
    for (const member of this.members) {
      const { header, leader } = await member.gateway.status();
      if ((header as { member_id: string }).member_id === leader) return member;
    }
    throw new Error('no member leads');
  }

  /** Kills every member and removes every file. */
  async stop(): Promise<void> {
    const all = this.learner === undefined ? this.members : [...this.members, this.learner];
    await Promise.all(all.map((member) => member.kill()));
    removeTemporaryDirectory(this.#directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Starts a cluster and waits until it is healthy. Throws with the end of a log if it never is. */
export async function startEtcd(options: EtcdOptions): Promise<EtcdCluster> {
  const binaries = await binariesOf(options.version);
  const directory = temporaryDirectory();
  const issuer = await createIssuer(directory, options.tls ?? 'off');
  const create = async (name: string, host?: NetworkHost): Promise<EtcdMember> => {
    const address = host?.clientAddress ?? (await freeLoopbackAddress());
    const tls = await issuer?.issueFor(name, [address, host?.peerAddress ?? address]);
    const flags = options.flags ?? [];
    return new EtcdMember({ binaries, name, address, directory, tls, flags, ...host });
  };
  const members: EtcdMember[] = [];
  for (let index = 0; index < (options.size ?? 1); index += 1) {
    const name = options.names?.[index] ?? `etcd-${index}`;
    members.push(await create(name, options.network?.hosts[index]));
  }
  const learner = options.learner === true ? await create('etcd-learner') : undefined;
  const cluster = new EtcdCluster(directory, members, learner, issuer?.authority);
  try {
    for (const member of members) member.start(members, 'new');
    await Promise.all(members.map((member) => member.waitUntilHealthy()));
    await Promise.all(members.map((member) => member.waitUntilVersioned()));
    if (learner !== undefined) await addLearner(members, learner);
    if (options.auth === true) await enableAuthentication(members);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

/** The programs of a version, which must be there. */
export async function binariesOf(version: EtcdVersion | EtcdBinaries): Promise<EtcdBinaries> {
  if (typeof version !== 'string') return version;
  const found = await findRelease(version);
  if ('reason' in found) throw new Error(`etcd ${version} cannot be had: ${found.reason}`);
  return found.binaries;
}

/** The authority of a cluster, and what it issues for each member. Undefined without TLS. */
async function createIssuer(directory: string, mode: 'off' | 'server' | 'mutual') {
  if (mode === 'off') return undefined;
  const authority = await CertificateAuthority.create(join(directory, 'pki'));
  const client = await authority.issue('etcd-client', {
    commonName: 'etcd-client',
    usages: ['client'],
  });
  const issueFor = async (name: string, addresses: readonly string[]): Promise<MemberTls> => {
    // Subjects as OpenShift's cluster-etcd-operator gives them.
    const issue = (kind: string): Promise<KeyPairFiles> =>
      authority.issue(`etcd-${kind}-${name}`, {
        commonName: `system:etcd-${kind}:${name}`,
        organization: `system:etcd-${kind}s`,
        names: [...new Set(addresses), 'localhost'],
      });
    const [serving, peer] = [await issue('server'), await issue('peer')];
    return { mode, ca: authority.cert, serving, peer, client };
  };
  return { authority, issueFor };
}

/** Adds a learner, and waits until it has what the leader had when it was added. */
async function addLearner(members: readonly EtcdMember[], learner: EtcdMember): Promise<void> {
  const { gateway } = members[0]!;
  await gateway.call('/v3/cluster/member/add', { peerURLs: [learner.peerUrl], isLearner: true });
  const { raftIndex } = await gateway.status();
  learner.start([...members, learner], 'existing');
  // A learner serves Status but never answers /health as healthy.
  await learner.waitUntil('caught up', async () => {
    const status = await learner.gateway.status().catch(() => undefined);
    return (
      BigInt((status?.raftAppliedIndex as string | undefined) ?? 0) >= BigInt(raftIndex as string)
    );
  });
}

async function enableAuthentication(members: readonly EtcdMember[]): Promise<void> {
  const { gateway } = members[0]!;
  await gateway.call('/v3/auth/user/add', { ...ROOT_USER });
  await gateway.call('/v3/auth/user/grant', { user: ROOT_USER.name, role: 'root' });
  await gateway.call('/v3/auth/user/add', { ...PLAIN_USER });
  await gateway.call('/v3/auth/role/add', { name: 'everything' });
  // From the zero key to the end: may read and write every key, and is not root.
  const perm = { permType: 'READWRITE', key: 'AA==', range_end: 'AA==' };
  await gateway.call('/v3/auth/role/grant', { name: 'everything', perm });
  await gateway.call('/v3/auth/user/grant', { user: PLAIN_USER.name, role: 'everything' });
  await gateway.call('/v3/auth/enable', {});
  await Promise.all(members.map((member) => member.logIn(ROOT_USER)));
}
