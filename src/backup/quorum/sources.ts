// What is looked at: the data directories and endpoints that were named, or those of this host.

import { EtcdkeepError } from '../../base/errors.ts';
import { findHost, type Host } from '../../controlplane/host.ts';
import { readPodManifest } from '../../controlplane/kubeadm/manifest.ts';
import type { LocalEtcd } from '../../controlplane/layout.ts';
import { layoutOf } from '../../controlplane/layouts.ts';
import { readEtcdEnv } from '../../controlplane/openshift/etcd-env.ts';
import type { ClientOptions } from '../../etcd/client/client.ts';
import type { Candidate, SilentSource } from './candidate.ts';
import { lookAtDirectory, type NamedDirectory } from './look-at-directory.ts';
import { lookAtEndpoint } from './look-at-endpoint.ts';

const CLIENT_PORT = 2379;

/** The host that it runs on, and its own member. */
export interface OwnHost {
  readonly host: Host;
  readonly local: LocalEtcd;
}

export interface SourcesRequest {
  /** The host's root directory, if it is not the usual one. */
  readonly root: string | undefined;
  readonly hostName: string;
  /** Effective user id. */
  readonly uid: number;
  /** None of both to look at what this host knows. */
  readonly directories: readonly NamedDirectory[];
  readonly endpoints: readonly string[];
  readonly connectTo: (endpoint: string, own: OwnHost | undefined) => Promise<ClientOptions>;
  /** Told of each source before it is looked at. */
  readonly report: (source: string) => void;
  readonly signal: AbortSignal;
}

export interface Found {
  readonly own: OwnHost | undefined;
  readonly candidates: readonly Candidate[];
  readonly silent: readonly SilentSource[];
}

/**
 * Looks at all of them. What does not answer is part of the answer.
 * @throws EtcdkeepError `not-a-control-plane-host` and its like where nothing is named and there is no host;
 * `data-directory-invalid`, and the signal's reason
 */
export async function lookAtSources(request: SourcesRequest): Promise<Found> {
  const isNamed = request.directories.length + request.endpoints.length > 0;
  const own = await findOwnHost(request, isNamed);
  const candidates: Candidate[] = [];
  const silent: SilentSource[] = [];
  const directories = isNamed ? request.directories : [ownDirectory(own!, request.uid)];
  for (const directory of directories) {
    request.report(directory.path);
    const found = await silentOr(directory.name, directory.path, request.signal, () =>
      lookAtDirectory(directory, request.signal),
    );
    if ('reason' in found) silent.push(found);
    else candidates.push(found);
  }
  const endpoints = isNamed ? request.endpoints : await endpointsOf(own!, candidates);
  for (const endpoint of endpoints) request.report(endpoint);
  const answers = await Promise.all(
    endpoints.map((endpoint) =>
      silentOr(undefined, endpoint, request.signal, async () =>
        lookAtEndpoint(await request.connectTo(endpoint, own)),
      ),
    ),
  );
  for (const answer of answers) {
    if ('reason' in answer) silent.push(answer);
    else candidates.push(answer);
  }
  return { own, candidates: joined(candidates), silent };
}

/** Without a name or a root, there need be no host. */
async function findOwnHost(
  { root, hostName }: SourcesRequest,
  isNamed: boolean,
): Promise<OwnHost | undefined> {
  try {
    const host = await findHost(root);
    return { host, local: await layoutOf(host).findLocalEtcd(host, hostName) };
  } catch (reason) {
    if (!(reason instanceof EtcdkeepError) || root !== undefined) throw reason;
    if (isNamed) return undefined;
    const advice = 'name what there is: --data-dir NAME=DIR, --endpoints URL,...; or --root';
    throw new EtcdkeepError(reason.code, reason.message, {
      ...reason.position,
      facts: reason.facts,
      advice,
    });
  }
}

/** @throws EtcdkeepError `not-root` */
function ownDirectory({ host, local }: OwnHost, uid: number): NamedDirectory {
  if (uid !== 0)
    throw new EtcdkeepError('not-root', 'the data directory of a host is read as root');
  return { name: local.name, path: host.realPath(local.dataDirectory) };
}

/** As the host's own files name them, and as its members have told. */
async function endpointsOf(own: OwnHost, candidates: readonly Candidate[]): Promise<string[]> {
  const told = candidates.flatMap(({ members }) =>
    members.flatMap(({ clientUrls }) => clientUrls.slice(0, 1)),
  );
  return [...new Set([own.local.endpoint, ...(await configuredEndpoints(own)), ...told])];
}

async function configuredEndpoints({ host }: OwnHost): Promise<string[]> {
  if (host.layout === 'openshift') {
    const { nodes } = await readEtcdEnv(host);
    return nodes.map(({ urlHost }) => `https://${urlHost}:${CLIENT_PORT}`);
  }
  const manifest = await readPodManifest(host, 'etcd');
  // The first member of a cluster has itself there alone; a later one has all that were there when it joined.
  const cluster = manifest.flag('initial-cluster') ?? '';
  return cluster.split(',').flatMap((one) => {
    const url = URL.parse(one.replace(/^[^=]*=/, ''));
    return url === null ? [] : [`${url.protocol}//${url.hostname}:${CLIENT_PORT}`];
  });
}

async function silentOr(
  name: string | undefined,
  source: string,
  signal: AbortSignal,
  look: () => Promise<Candidate>,
): Promise<Candidate | SilentSource> {
  try {
    return await look();
  } catch (reason) {
    signal.throwIfAborted();
    if (!(reason instanceof EtcdkeepError)) throw reason;
    // A word of the command line that is wrong is no member that is silent.
    if (['data-directory-invalid', 'endpoint-invalid', 'usage'].includes(reason.code)) throw reason;
    return { name: name ?? source, source, reason };
  }
}

/** Of a member that runs, the log is read from its directory, and the rest is what it says itself. */
function joined(candidates: readonly Candidate[]): readonly Candidate[] {
  const runsOn = (one: Candidate): Candidate | undefined =>
    candidates.find(
      ({ fromDirectory, memberId, clusterId }) =>
        fromDirectory?.isLocked === true &&
        memberId === one.memberId &&
        clusterId === one.clusterId,
    );
  const isEndpoint = ({ fromEndpoint }: Candidate): boolean => fromEndpoint !== undefined;
  return candidates.flatMap((one) => {
    if (isEndpoint(one)) return runsOn(one) === undefined ? [one] : [];
    const answer = candidates.find((other) => isEndpoint(other) && runsOn(other) === one);
    if (answer === undefined) return [one];
    const { fromEndpoint, members, unfit } = answer;
    return [
      {
        ...one,
        fromEndpoint,
        members: members.length > 0 ? members : one.members,
        unfit: [...one.unfit, ...unfit],
      },
    ];
  });
}
