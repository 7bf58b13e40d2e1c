// The objects of an API server that tell whether a cluster has recovered: operators, nodes, their heartbeats, and requests for
// certificates. Nothing is changed, and nothing is approved.

import { z } from 'zod';
import { EtcdkeepError } from '../../base/errors.ts';
import type { ApiClient } from '../../kubernetes/api-client.ts';

export interface OperatorStatus {
  readonly name: string;
  /** As the conditions say: `True`, `False` or `Unknown`. */
  readonly available: string;
  readonly progressing: string;
  readonly degraded: string;
}

export interface NodeStatus {
  readonly name: string;
  readonly isReady: boolean;
  /** Not while it is cordoned, which a restore brings back like everything else. */
  readonly isSchedulable: boolean;
}

export interface Heartbeats {
  readonly heard: number;
  /** Nodes whose kubelet has said nothing of late, whatever their objects say. */
  readonly silent: readonly string[];
}

export interface PendingRequest {
  readonly name: string;
  readonly signer: string;
  readonly user: string;
}

export const PATHS = {
  operators: '/apis/config.openshift.io/v1/clusteroperators',
  nodes: '/api/v1/nodes',
  heartbeats: '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases',
  requests: '/apis/certificates.k8s.io/v1/certificatesigningrequests',
} as const;

/** A kubelet renews its Lease every 10 s; clocks may differ by a minute or so. */
const HEARD_WITHIN_MS = 120_000;

const conditions = z.array(z.object({ type: z.string(), status: z.string() })).default([]);
const named = z.object({ metadata: z.object({ name: z.string() }) });
const operatorList = z.object({
  items: z.array(named.extend({ status: z.object({ conditions }).default({ conditions: [] }) })),
});
const nodeList = z.object({
  items: z.array(
    named.extend({
      spec: z.object({ unschedulable: z.boolean().default(false) }).prefault({}),
      status: z.object({ conditions }).default({ conditions: [] }),
    }),
  ),
});
const leaseList = z.object({
  items: z.array(named.extend({ spec: z.object({ renewTime: z.string().optional() }) })),
});
const requestList = z.object({
  items: z.array(
    named.extend({
      spec: z.object({ signerName: z.string().default(''), username: z.string().default('') }),
      status: z
        .object({ conditions: z.array(z.unknown()).default([]) })
        .default({ conditions: [] }),
    }),
  ),
});

/** @throws EtcdkeepError `api-unreachable`; ApiRefusal; the signal's reason. So do all of these. */
export async function operatorsOf(api: ApiClient): Promise<readonly OperatorStatus[]> {
  const { items } = await list(api, operatorList, PATHS.operators);
  return items.map((item) => {
    const condition = (type: string): string =>
      item.status.conditions.find((one) => one.type === type)?.status ?? 'Unknown';
    return {
      name: item.metadata.name,
      available: condition('Available'),
      progressing: condition('Progressing'),
      degraded: condition('Degraded'),
    };
  });
}

export async function nodesOf(api: ApiClient): Promise<readonly NodeStatus[]> {
  const { items } = await list(api, nodeList, PATHS.nodes);
  return items.map(({ metadata, spec, status }) => ({
    name: metadata.name,
    isReady: status.conditions.some(
      (condition) => condition.type === 'Ready' && condition.status === 'True',
    ),
    isSchedulable: !spec.unschedulable,
  }));
}

/**
 * Who is heard. The conditions of a node are those of the backup until somebody writes others; its Lease has a time in it.
 * @param now for a server that does not tell the time
 */
export async function heartbeatsOf(api: ApiClient, now: () => Date): Promise<Heartbeats> {
  const nodes = await list(api, z.object({ items: z.array(named) }), PATHS.nodes);
  const { items } = await list(api, leaseList, PATHS.heartbeats);
  const time = (api.serverTime ?? now()).getTime();
  const heard = new Set(
    items
      .filter(({ spec }) => time - Date.parse(spec.renewTime ?? '') < HEARD_WITHIN_MS)
      .map(({ metadata }) => metadata.name),
  );
  const silent = nodes.items
    .map(({ metadata }) => metadata.name)
    .filter((name) => !heard.has(name));
  return { heard: nodes.items.length - silent.length, silent };
}

/** Those that nobody has decided on. */
export async function pendingRequestsOf(api: ApiClient): Promise<readonly PendingRequest[]> {
  const { items } = await list(api, requestList, PATHS.requests);
  return items
    .filter(({ status }) => status.conditions.length === 0)
    .map(({ metadata, spec }) => ({
      name: metadata.name,
      signer: spec.signerName,
      user: spec.username,
    }));
}

async function list<T>(api: ApiClient, schema: z.ZodType<T>, path: string): Promise<T> {
  const { data } = schema.safeParse(await api.get(path));
  if (data !== undefined) return data;
  throw new EtcdkeepError('api-refused', `what the API server answers to ${path} is no list`, {
    endpoint: api.endpoint,
  });
}
