// Each API server of a cluster by itself: a load balancer gives one of them, and each has a memory of its own that can be stale.

import { z } from 'zod';
import { EtcdkeepError } from '../../base/errors.ts';
import type { Permission } from '../../kubernetes/access-review.ts';
import type { ApiClient } from '../../kubernetes/api-client.ts';
import { isAbsent } from '../../kubernetes/api-refusal.ts';
import { type ComparedLists, compareWithReads } from './stale-lists.ts';

/** Where they say that they are. */
export const SERVERS: Permission = {
  verb: 'get',
  group: 'discovery.k8s.io',
  resource: 'endpointslices',
  name: 'kubernetes',
  namespace: 'default',
};

/** Packets to an address of another network are lost without a word as a rule. */
const REACH_TIMEOUT_MS = 3000;

const PATH = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes';

const schema = z.object({
  endpoints: z
    .array(z.object({ addresses: z.array(z.string()) }))
    .nullish()
    .transform((list) => list ?? []),
  ports: z
    .array(z.object({ port: z.number() }))
    .nullish()
    .transform((list) => list ?? []),
});

/**
 * Compares the lists of each with etcd, or of the one that is given where none can be reached by itself.
 * @throws EtcdkeepError `api-unreachable`; ApiRefusal; the signal's reason
 */
export async function compareServers(api: ApiClient): Promise<ComparedLists> {
  return await compareAt(api, await apiServersOf(api));
}

/**
 * Their addresses, `10.0.1.2:6443`, as they keep them themselves (k8s.io/kubernetes, pkg/controlplane/reconcilers).
 * @throws as `compareServers`
 */
export async function apiServersOf(api: ApiClient): Promise<readonly string[]> {
  const answer = await api.get(PATH).catch((reason: unknown) => {
    if (isAbsent(reason)) return { endpoints: [] };
    throw reason;
  });
  const { data } = schema.safeParse(answer);
  if (data === undefined) {
    throw new EtcdkeepError('api-refused', `what the API server answers to ${PATH} is no slice`, {
      endpoint: api.endpoint,
    });
  }
  const port = data.ports[0]?.port ?? 6443;
  const addresses = data.endpoints.flatMap((endpoint) => endpoint.addresses);
  return addresses.map((one) => `${one.includes(':') ? `[${one}]` : one}:${port}`).sort();
}

/** The same of these. */
export async function compareAt(
  api: ApiClient,
  addresses: readonly string[],
): Promise<ComparedLists> {
  // One alone is the one that is given; below a path of a proxy there is no way past the proxy.
  const isGiven = addresses.length < 2 || api.access.server.pathname !== '/';
  const [asked, unasked, stale]: [string[], string[], string[]] = [[], [], []];
  let compared = 0;
  const others = isGiven ? [] : addresses;
  using closing = new DisposableStack();
  const clients = others.map((address) => api.atOne(new URL(`https://${address}`)));
  closing.defer(() => clients.forEach((one) => one.close()));
  const answering = await Promise.all(clients.map(answers));
  for (const [index, address] of others.entries()) {
    const one = clients[index]!;
    if (answering[index] !== true) {
      unasked.push(address);
      continue;
    }
    const found = await compareWithReads(one);
    asked.push(address);
    compared = Math.max(compared, found.compared);
    stale.push(...found.stale.map((name) => `${name} (${address})`));
  }
  const servers = isGiven ? {} : { servers: { asked, unasked } };
  if (asked.length > 0) return { compared, stale, ...servers };
  const given = api.atOne();
  closing.defer(() => given.close());
  return { ...(await compareWithReads(given)), ...servers };
}

/** Whether it can be reached from here: what it answers is another question. */
async function answers(api: ApiClient): Promise<boolean> {
  try {
    await api.getText('/readyz', REACH_TIMEOUT_MS);
    return true;
  } catch (reason) {
    if (reason instanceof EtcdkeepError && reason.code === 'api-unreachable') return false;
    throw reason;
  }
}
