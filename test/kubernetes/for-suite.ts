// Clients of a suite's API server, made as a workstation makes them.

import { afterEach } from 'vitest';
import { ApiClient, type ApiOptions } from '../../src/kubernetes/api-client.ts';
import { type ApiAccess, readKubeconfig } from '../../src/kubernetes/kubeconfig.ts';
import type { ApiServer } from '../servers/api-server.ts';

export type MakeClient = (
  wishes?: Partial<ApiAccess>,
  options?: Partial<ApiOptions>,
) => Promise<ApiClient>;

/** @returns makes one of a cluster-admin, or with other credentials; it is closed after the test */
export function clientsForSuite(server: () => ApiServer): MakeClient {
  const made: ApiClient[] = [];
  afterEach(() => {
    for (const client of made.splice(0)) client.close();
  });
  return async (wishes = {}, options = {}) => {
    const admin = await readKubeconfig(server().kubeconfig(), '/config', () =>
      Promise.reject(new Error('it names no files')),
    );
    const client = new ApiClient(
      { ...admin, ...wishes },
      { proxy: undefined, timeoutMs: 20_000, signal: new AbortController().signal, ...options },
    );
    made.push(client);
    return client;
  };
}

/** Who has come in without any credentials. */
export const NOBODY: Partial<ApiAccess> = { cert: undefined, key: undefined };
