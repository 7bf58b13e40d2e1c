// The newest revision that the API server of a host has seen. It lists out of its cache also while there is no etcd, and that
// cache is what has to be told of a restore.

import { z } from 'zod';
import { EtcdkeepError } from '../../base/errors.ts';
import type { Host } from '../../controlplane/host.ts';
import { openLocalApi } from '../../controlplane/local-api.ts';
import type { SeenRevision } from './bump.ts';

/** What is in the cache is there at once. */
const TIMEOUT_MS = 5000;

/** Few objects, changed every few seconds; as old as the cache is (Kubernetes, "resourceVersion unset, 0 and exact"). */
const LEASES = '/apis/coordination.k8s.io/v1/leases?resourceVersion=0';

const listSchema = z.object({ metadata: z.object({ resourceVersion: z.string().regex(/^\d+$/) }) });

/**
 * Asks for it.
 * @returns undefined where no API server answers: one that does not run has no cache
 * @throws the signal's reason
 */
export async function revisionInApi(
  host: Host,
  signal: AbortSignal,
): Promise<SeenRevision | undefined> {
  try {
    const api = await openLocalApi(host, TIMEOUT_MS, signal);
    try {
      const { data } = listSchema.safeParse(await api.get(LEASES));
      if (data === undefined) return undefined;
      return { revision: BigInt(data.metadata.resourceVersion), whose: 'the API server' };
    } finally {
      api.close();
    }
  } catch (reason) {
    signal.throwIfAborted();
    if (!(reason instanceof EtcdkeepError)) throw reason;
    return undefined;
  }
}
