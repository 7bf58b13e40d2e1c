// Conditions of OpenShift's operators, read for the checks of a host from its own API server.

import { EtcdkeepError } from '../../base/errors.ts';
import type { Host } from '../../controlplane/host.ts';
import { openLocalApi } from '../../controlplane/local-api.ts';
import { type Condition, conditionsAt } from '../../controlplane/openshift/conditions.ts';
import type { ApiClient } from '../../kubernetes/api-client.ts';

/** For each request; all are made at once. An API server that hangs must not keep a backup waiting. */
const TIMEOUT_MS = 5000;

/**
 * Reads a condition of several objects from the host's own API server.
 * @param paths of the objects
 * @returns in the order of the paths: the condition, undefined where the object has none of this type, or why it could not
 * be asked
 */
export async function conditionsOf(
  host: Host,
  { paths, type, signal }: { paths: readonly string[]; type: string; signal: AbortSignal },
): Promise<readonly (Condition | undefined | EtcdkeepError)[]> {
  const api = await openLocalApi(host, TIMEOUT_MS, signal).catch(onlyOurs);
  if (api instanceof EtcdkeepError) return paths.map(() => api);
  try {
    return await Promise.all(paths.map((path) => conditionOf(api, path, type).catch(onlyOurs)));
  } finally {
    api.close();
  }
}

async function conditionOf(
  api: ApiClient,
  path: string,
  type: string,
): Promise<Condition | undefined> {
  const conditions = await conditionsAt(api, path);
  return conditions?.find((condition) => condition.type === type);
}

function onlyOurs(reason: unknown): EtcdkeepError {
  if (reason instanceof EtcdkeepError) return reason;
  throw reason;
}
