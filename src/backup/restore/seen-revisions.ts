// Which revisions anybody can have seen of this cluster, as far as this host knows: its etcd or the data of it, its API
// server, what earlier restores have kept, and up to where they raised revisions.

import { join } from 'node:path';
import { EtcdkeepError } from '../../base/errors.ts';
import type { Host } from '../../controlplane/host.ts';
import { revisionInApi } from './api-revision.ts';
import {
  type Bump,
  openshiftRevision,
  planBump,
  revisionInData,
  type SeenRevision,
} from './bump.ts';
import { asReason } from './cluster-data.ts';
import type { DataDirectory } from './data-directory.ts';
import type { Here } from './here.ts';
import { knownRestores } from './journal.ts';
import type { OwnHost } from './own-host.ts';

/**
 * How far revisions are to rise.
 * @param revision of the snapshot's last record
 * @throws the signal's reason
 */
export async function settleBump(
  { host, member }: OwnHost,
  data: DataDirectory,
  { running }: Here,
  revision: bigint,
  signal: AbortSignal,
): Promise<Bump> {
  const places = data.safetyCopies.map((path) => ({ path, whose: path }));
  // What runs says itself how far it is.
  if (running === undefined && data.hasMember) {
    places.unshift({ path: join(data.path, 'member'), whose: `the data in ${data.path}` });
  }
  const read = await Promise.all(
    places.map(({ path, whose }) => revisionInData(host.realPath(path), whose)),
  );
  const figure = await openshiftRevision(host, member.dataDirectory, revision);
  const earlier = await raisedBefore(host);
  const cached = await revisionInApi(host, signal);
  const seen = [
    ...(running === undefined ? [] : [{ revision: running.revision, whose: 'the running etcd' }]),
    ...read.flatMap((one) => (one instanceof EtcdkeepError ? [] : [one])),
    ...(figure === undefined ? [] : [figure]),
    ...(cached === undefined ? [] : [cached]),
    ...(earlier instanceof EtcdkeepError ? [] : earlier),
  ];
  const unread = read.flatMap((one, index) =>
    one instanceof EtcdkeepError ? [`${places[index]!.whose} cannot be read: ${one.message}`] : [],
  );
  if (earlier instanceof EtcdkeepError) unread.push(`earlier restores: ${earlier.message}`);
  return planBump(revision, seen, unread);
}

/**
 * The highest revision that an earlier restore of this host has started etcd at. Where the data of after it are lost, nothing
 * else tells of it, and an API server that has seen them still runs.
 */
async function raisedBefore(host: Host): Promise<readonly SeenRevision[] | EtcdkeepError> {
  try {
    const started = (await knownRestores(host)).filter(({ state }) => state.begun.has('start'));
    return started
      .map(({ plan: { stamp, bump } }) => ({
        revision: BigInt(bump.to),
        whose: `the restore ${stamp}`,
      }))
      .sort((one, other) => (one.revision < other.revision ? 1 : -1))
      .slice(0, 1);
  } catch (reason) {
    return asReason(reason);
  }
}
