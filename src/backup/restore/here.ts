// What this host has and does now: the running etcd, or the data that it has left.

import { join } from 'node:path';
import { EtcdkeepError } from '../../base/errors.ts';
import { type ClientOptions, EtcdClient } from '../../etcd/client/client.ts';
import { askRunningMember, asReason, openStoredData } from './cluster-data.ts';
import { type ClusterIdentity, identify } from './cluster-identity.ts';
import type { KnownMember, OwnHost } from './own-host.ts';

export interface RunningEtcd {
  readonly endpoint: string;
  readonly version: string;
  readonly revision: bigint;
  readonly clusterId: bigint;
}

export interface Here {
  readonly running: RunningEtcd | undefined;
  /** Why it does not answer. */
  readonly silence: EtcdkeepError | undefined;
  /** Undefined where nothing could be read. */
  readonly identity: ClusterIdentity | undefined;
  /** Of what was read, or why it could not be. */
  readonly source: string;
  /** Newest revision of what was read; what only a write-ahead log holds is above it. */
  readonly newest: bigint | undefined;
  readonly members: readonly KnownMember[];
  /** Version of etcd: of the running one, or the one that wrote the data. */
  readonly etcdVersion: string | undefined;
}

/** What is wrong with the command line is no silence of a member. */
const USAGE_EXIT_CODE = 2;

/**
 * Asks the running etcd; where none answers, reads the data directory.
 * @param connectTo how to reach the member, as for a backup
 */
export async function lookHere(
  own: OwnHost,
  connectTo: (own: OwnHost) => Promise<ClientOptions>,
  signal: AbortSignal,
): Promise<Here> {
  const asked = await askMember(own, connectTo, signal);
  if (!(asked instanceof EtcdkeepError)) return asked;
  const { host, member } = own;
  const path = join(member.dataDirectory, 'member/snap/db');
  const nothing = {
    running: undefined,
    silence: asked,
    identity: undefined,
    newest: undefined,
    members: [],
  };
  if (!(await host.isFile(path))) {
    return { ...nothing, source: `there is no ${path}`, etcdVersion: undefined };
  }
  try {
    using data = await openStoredData(host.realPath(path), `the data in ${member.dataDirectory}`);
    const { members, notes, from } = data;
    const etcdVersion = notes.storageVersion ?? notes.clusterVersion;
    const newest = data.index.currentRevision;
    const identity = await identify(data);
    return { ...nothing, identity, newest, source: from, members, etcdVersion };
  } catch (reason) {
    const why = asReason(reason).message;
    return { ...nothing, source: `${path} cannot be read: ${why}`, etcdVersion: undefined };
  }
}

async function askMember(
  own: OwnHost,
  connectTo: (own: OwnHost) => Promise<ClientOptions>,
  signal: AbortSignal,
): Promise<Here | EtcdkeepError> {
  let client: EtcdClient | undefined;
  try {
    client = await EtcdClient.connect(await connectTo(own));
    const data = await askRunningMember(client);
    const { status, revision, members, from } = data;
    const clusterId = status.header?.clusterId ?? 0n;
    return {
      running: { endpoint: client.endpoint, version: status.version, revision, clusterId },
      silence: undefined,
      identity: await identify(data),
      source: from,
      newest: revision,
      members,
      etcdVersion: status.version,
    };
  } catch (reason) {
    signal.throwIfAborted();
    const silence = asReason(reason);
    if (silence.exitCode === USAGE_EXIT_CODE) throw silence;
    return silence;
  } finally {
    client?.close();
  }
}
