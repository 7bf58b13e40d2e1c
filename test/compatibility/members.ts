// Members beside those of test/servers: one that runs on a restored snapshot, and what any one holds.
import { expect } from 'vitest';
import { runCli } from '../cli/run.ts';
import { freeLoopbackAddress } from '../servers/addresses.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { binariesOf } from '../servers/etcd.ts';
import { EtcdMember, type MemberTls, type User } from '../servers/member.ts';
import type { CertificateAuthority, KeyPairFiles } from '../servers/pki.ts';
import type { EtcdVersion } from '../servers/versions.ts';

/** What a member says it holds. */
export interface Contents {
  readonly revision: number;
  readonly compactRevision: number;
  /** HashKV: CRC-32C over every record that compactions left, up to the revision. */
  readonly hash: number;
  readonly keys: bigint;
}

interface HashAnswer {
  readonly HashKV: {
    readonly header: { readonly revision: number };
    readonly hash: number;
    readonly compact_revision: number;
  };
}

/** Asks a member, which must not be written to meanwhile. */
export async function contentsOf(member: EtcdMember): Promise<Contents> {
  const outcome = await member.etcdctl(['endpoint', 'hashkv', '--write-out=json']);
  expect(outcome).toMatchObject({ code: 0 });
  const [{ HashKV: answer }] = JSON.parse(outcome.stdout) as [HashAnswer];
  return {
    revision: answer.header.revision,
    compactRevision: answer.compact_revision,
    hash: answer.hash,
    keys: await member.gateway.count(),
  };
}

export interface MemberOptions {
  readonly version: EtcdVersion;
  readonly name: string;
  /** Where its files go. */
  readonly directory: string;
  /** Issues its certificates, for mutual TLS; plain HTTP if there is none. */
  readonly authority?: CertificateAuthority;
  /** What stands before its command line. */
  readonly launcher?: readonly string[];
}

/** Makes a member without starting it. */
export async function createMember(options: MemberOptions): Promise<EtcdMember> {
  const { version, name, directory, authority, launcher = [] } = options;
  const address = await freeLoopbackAddress();
  const tls = authority && (await issueFor(authority, name, address));
  const binaries = await binariesOf(version);
  return new EtcdMember({ binaries, name, address, directory, tls, flags: [], launcher });
}

async function issueFor(
  authority: CertificateAuthority,
  name: string,
  address: string,
): Promise<MemberTls> {
  const issue = (kind: string): Promise<KeyPairFiles> =>
    authority.issue(`${name}-${kind}`, { commonName: kind, names: [address, 'localhost'] });
  const [serving, peer, client] = [
    await issue('server'),
    await issue('peer'),
    await issue('client'),
  ];
  return { mode: 'mutual', ca: authority.cert, serving, peer, client };
}

/** A member that runs on a restored snapshot. */
export interface RestoredMember extends AsyncDisposable {
  readonly member: EtcdMember;
}

export interface BootOptions {
  /** More flags for `snapshot restore`. */
  readonly flags?: readonly string[];
  /** Who restores it; the etcdutl of that version if left out. */
  readonly by?: 'etcdutl' | 'etcdkeep';
  /** Who logs in, where the snapshot has users. */
  readonly root?: User;
}

/** Restores a snapshot, and boots a version on it. */
export async function bootRestored(
  version: EtcdVersion,
  snapshot: string,
  { flags = [], by = 'etcdutl', root }: BootOptions = {},
): Promise<RestoredMember> {
  const directory = temporaryDirectory();
  // It holds log and database against each other when it starts (server/verify/verify.go, since 3.5).
  const launcher = ['env', 'ETCD_VERIFY=all'];
  const member = await createMember({ version, name: 'restored', directory, launcher });
  const dispose = async (): Promise<void> => {
    await member.kill();
    removeTemporaryDirectory(directory);
  };
  try {
    const args = ['snapshot', 'restore', snapshot, ...restoreFlags(member, [member]), ...flags];
    const outcome = await (by === 'etcdutl' ? member.etcdutl(args) : runCli(args));
    expect(outcome).toMatchObject({ code: 0 });
    member.start([member], 'new');
    await member.waitUntilHealthy();
    if (root !== undefined) await member.logIn(root);
    await member.waitUntilVersioned();
  } catch (reason) {
    await dispose();
    throw reason;
  }
  return { member, [Symbol.asyncDispose]: dispose };
}

/** The flags that restore a snapshot for a member of a new cluster. */
export function restoreFlags(member: EtcdMember, cluster: readonly EtcdMember[]): string[] {
  return [
    `--name=${member.name}`,
    `--data-dir=${member.dataDir}`,
    `--initial-advertise-peer-urls=${member.peerUrl}`,
    `--initial-cluster=${cluster.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',')}`,
  ];
}

/** Adds a member to a running cluster, and waits until it serves. It is gone with what is disposed of. */
export async function addMember(
  version: EtcdVersion,
  cluster: readonly EtcdMember[],
): Promise<RestoredMember> {
  const directory = temporaryDirectory();
  const member = await createMember({ version, name: 'added', directory });
  const dispose = async (): Promise<void> => {
    await member.kill();
    removeTemporaryDirectory(directory);
  };
  try {
    await cluster[0]!.gateway.call('/v3/cluster/member/add', { peerURLs: [member.peerUrl] });
    member.start([...cluster, member], 'existing');
    await member.waitUntilHealthy();
  } catch (reason) {
    await dispose();
    throw reason;
  }
  return { member, [Symbol.asyncDispose]: dispose };
}
