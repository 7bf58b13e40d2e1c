// A client of the member that a plan restores.

import { EtcdClient } from '../../etcd/client/client.ts';
import { readCredentials } from '../../etcd/client/credentials.ts';
import { parseSingleEndpoint } from '../../etcd/client/endpoint.ts';
import type { Run } from './run.ts';

const REQUEST_TIMEOUT_MS = 5000;

/** A client of etcd's in Go pings no more often, and etcd closes a connection that does. */
const KEEPALIVE_MS = 10_000;

/** @throws EtcdkeepError as `EtcdClient.connect` and `readCredentials` do */
export async function connectToMember({
  host,
  plan,
  now,
  signal,
}: Pick<Run, 'host' | 'plan' | 'now' | 'signal'>): Promise<EtcdClient> {
  const { endpoint, cacert, cert, key } = plan.member;
  const files = {
    cacert: host.realPath(cacert),
    cert: host.realPath(cert),
    key: host.realPath(key),
  };
  return await EtcdClient.connect({
    endpoint: parseSingleEndpoint(endpoint, true),
    credentials: await readCredentials(files, now(), { whose: "this host's" }),
    insecureSkipVerify: false,
    dialTimeoutMs: REQUEST_TIMEOUT_MS,
    keepaliveTimeMs: KEEPALIVE_MS,
    keepaliveTimeoutMs: REQUEST_TIMEOUT_MS,
    commandTimeoutMs: REQUEST_TIMEOUT_MS,
    login: undefined,
    signal,
  });
}
