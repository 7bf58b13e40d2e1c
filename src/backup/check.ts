// The preflight alone: what a backup of this host would be told, with nothing taken.

import { EtcdkeepError } from '../base/errors.ts';
import { findHost, type Host, type LayoutName } from '../controlplane/host.ts';
import type { LocalEtcd } from '../controlplane/layout.ts';
import { layoutOf } from '../controlplane/layouts.ts';
import { describeProxy } from '../controlplane/proxy.ts';
import { lookAtStaticResources } from '../controlplane/static-resources.ts';
import { type ClientOptions, EtcdClient } from '../etcd/client/client.ts';
import { type ClusterView, viewCluster } from './checks/cluster-view.ts';
import { type CheckPolicy, type PreflightFacts, runChecks } from './checks/preflight.ts';
import type { CheckResult } from './checks/result.ts';
import { lookAtFlights } from './single-flight.ts';
import { demandDirectories, targetOf } from './target.ts';

/** What is wrong with the command line is no result of a check. */
const USAGE_EXIT_CODE = 2;

export interface HostRequest {
  /** The host's root directory; undefined to find it. */
  readonly root: string | undefined;
  /** This machine's name, for a host that does not tell which of its nodes it is. */
  readonly hostName: string;
  /** Effective user id. */
  readonly uid: number;
  /** How to reach the host's own member; what the user named wins over what the host says. */
  readonly connectTo: (host: Host, member: LocalEtcd) => Promise<ClientOptions>;
  readonly policy: CheckPolicy;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

export interface CheckRequest extends HostRequest {
  /** Where a backup would go; undefined to ask nothing about it. */
  readonly directory: string | undefined;
  /** Where its archive would go, if not to the same place. */
  readonly resourcesDirectory: string | undefined;
}

export interface CheckedHost {
  readonly name: string;
  readonly layout: LayoutName;
  /** The cluster-wide proxy without its credentials; undefined if the host has none. */
  readonly proxy: string | undefined;
  readonly results: readonly CheckResult[];
}

/**
 * Makes the checks. A member that cannot be reached is a result.
 * @throws EtcdkeepError `target-not-directory`, and where there is no host to check
 */
export async function checkHost(request: CheckRequest): Promise<CheckedHost> {
  requireRoot(request.uid, 'checked');
  const { directory, resourcesDirectory, policy, now } = request;
  const target = directory === undefined ? undefined : targetOf(directory, resourcesDirectory);
  if (target !== undefined) await demandDirectories(target);
  const host = await findHost(request.root);
  const local = await layoutOf(host).findLocalEtcd(host, request.hostName);
  const resources = await lookAtStaticResources(host);
  const flights = await lookAtFlights(host, request);
  const facts = { host, local, resources, target, flights, now: now(), signal: request.signal };
  const results = await checkWith(request, facts).catch((reason: unknown) => {
    request.signal.throwIfAborted();
    if (!(reason instanceof EtcdkeepError) || reason.exitCode === USAGE_EXIT_CODE) throw reason;
    return runChecks({ ...facts, cluster: reason }, policy);
  });
  return { name: local.name, layout: host.layout, proxy: await describeProxy(host), results };
}

async function checkWith(
  { connectTo, policy }: CheckRequest,
  facts: Omit<PreflightFacts, 'cluster'>,
): Promise<readonly CheckResult[]> {
  const options = await connectTo(facts.host, facts.local);
  const client = await EtcdClient.connect(options);
  try {
    return await checkThrough(client, options, facts, policy);
  } finally {
    client.close();
  }
}

/** @throws EtcdkeepError `not-root` */
export function requireRoot(uid: number, what: 'checked' | 'backed up' | 'restored'): void {
  if (uid === 0) return;
  throw new EtcdkeepError('not-root', `a control-plane host is ${what} as root`);
}

/**
 * Makes the checks with a member that has been reached.
 * @throws EtcdkeepError if it does not answer
 */
export async function checkThrough(
  client: EtcdClient,
  options: ClientOptions,
  facts: Omit<PreflightFacts, 'cluster'>,
  policy: CheckPolicy,
): Promise<readonly CheckResult[]> {
  await using cluster = await viewCluster(client, options);
  const results = await runChecks({ ...facts, cluster }, policy);
  options.signal.throwIfAborted();
  return results;
}

/**
 * Looks at the cluster of this host as its own member and the others describe it.
 * @throws EtcdkeepError where there is no host, or its own member does not answer
 */
export async function viewHostsCluster<T>(
  { uid, root, hostName, connectTo }: Omit<HostRequest, 'policy'>,
  use: (view: ClusterView) => T,
): Promise<T> {
  requireRoot(uid, 'checked');
  const host = await findHost(root);
  const local = await layoutOf(host).findLocalEtcd(host, hostName);
  const options = await connectTo(host, local);
  const client = await EtcdClient.connect(options);
  try {
    await using cluster = await viewCluster(client, options);
    return use(cluster);
  } finally {
    client.close();
  }
}
