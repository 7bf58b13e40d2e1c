// What the API server of a host says of a restored cluster, and whether what it lists is what etcd holds. An API server whose
// watches were not cancelled goes on listing what is gone, and is ready all the while.

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { EtcdkeepError } from '../../base/errors.ts';
import type { LayoutName } from '../../controlplane/host.ts';
import type { EtcdClient } from '../../etcd/client/client.ts';
import type { ApiClient } from '../../kubernetes/api-client.ts';
import { ask, type Seen } from './seen.ts';

export interface ApiStatus {
  /** Objects that a list of the API server and etcd do not agree on; nothing if they do. */
  readonly lists: Seen<{ readonly compared: number; readonly stale: readonly string[] }>;
  /** OpenShift's own. */
  readonly operators: Seen<readonly OperatorStatus[]>;
  readonly nodes: Seen<readonly { readonly name: string; readonly isReady: boolean }[]>;
  /** Requests for certificates that nobody has decided on. They are the administrator's to look at. */
  readonly pendingRequests: Seen<
    readonly { readonly name: string; readonly signer: string; readonly user: string }[]
  >;
}

export interface OperatorStatus {
  readonly name: string;
  /** As the conditions say: `True`, `False` or `Unknown`. */
  readonly available: string;
  readonly progressing: string;
  readonly degraded: string;
}

/** What is compared: small, there in every cluster, and listed by everybody. Nodes are minions in etcd. */
const COMPARED = [
  { list: '/api/v1/namespaces', keys: 'namespaces/' },
  { list: '/api/v1/nodes', keys: 'minions/' },
  { list: '/api/v1/namespaces/kube-system/configmaps', keys: 'configmaps/kube-system/' },
];

/** --etcd-prefix of the API server: OpenShift's, and Kubernetes' own. */
const PREFIXES: Readonly<Record<LayoutName, string>> = {
  openshift: '/kubernetes.io/',
  kubeadm: '/registry/',
};

/** What changes while it is looked at settles in this time. */
const SETTLE_MS = 1000;

/** Of each kind, so many are read one by one as well. */
const READ_ONE_BY_ONE = 10;

const KEYS_MAX = 10_000;

const conditions = z.array(z.object({ type: z.string(), status: z.string() })).default([]);
const named = z.object({ metadata: z.object({ name: z.string() }) });
const listSchema = z.object({ items: z.array(named) });
const statusList = z.object({
  items: z.array(named.extend({ status: z.object({ conditions }).default({ conditions: [] }) })),
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

/** Asks for all of it; what cannot be asked is unknown. Throws nothing but the signal's reason. */
export async function askApi(
  api: ApiClient | EtcdkeepError,
  etcd: EtcdClient | EtcdkeepError,
  layout: LayoutName,
): Promise<ApiStatus> {
  if (api instanceof EtcdkeepError) {
    const unknown = { unknown: api.message };
    return { lists: unknown, operators: unknown, nodes: unknown, pendingRequests: unknown };
  }
  return {
    lists:
      etcd instanceof EtcdkeepError
        ? { unknown: etcd.message }
        : await ask(() => compareLists(api, etcd, layout)),
    operators:
      layout === 'openshift'
        ? await ask(() => operatorsOf(api))
        : { unknown: 'only OpenShift has them' },
    nodes: await ask(() => nodesOf(api)),
    pendingRequests: await ask(() => pendingRequestsOf(api)),
  };
}

async function compareLists(api: ApiClient, etcd: EtcdClient, layout: LayoutName) {
  let compared = 0;
  const stale: string[] = [];
  for (const { list, keys } of COMPARED) {
    const prefix = `${PREFIXES[layout]}${keys}`;
    let difference = await differenceOf(api, etcd, list, prefix);
    if (difference.stale.length > 0) {
      await sleep(SETTLE_MS);
      difference = await differenceOf(api, etcd, list, prefix);
    }
    compared += difference.compared;
    stale.push(...difference.stale);
  }
  return { compared, stale };
}

/** A list out of the API server's own cache, single reads, which go to etcd, and etcd's keys. */
async function differenceOf(api: ApiClient, etcd: EtcdClient, list: string, prefix: string) {
  const listed = new Set(
    parse(listSchema, await api.get(`${list}?resourceVersion=0`), list).items.map(nameOf),
  );
  const stored = new Set(await namesBelow(etcd, prefix));
  const all = [...new Set([...listed, ...stored])];
  const stale = all.filter((name) => listed.has(name) !== stored.has(name));
  for (const name of all.filter((one) => !stale.includes(one)).slice(0, READ_ONE_BY_ONE)) {
    const isThere = await api.get(`${list}/${name}`).then(
      () => true,
      (reason: unknown) => {
        if (reason instanceof EtcdkeepError && / 404: /.test(reason.message)) return false;
        throw reason;
      },
    );
    if (!isThere) stale.push(name);
  }
  return { compared: all.length, stale: stale.map((name) => `${list}/${name}`) };
}

async function namesBelow(etcd: EtcdClient, prefix: string): Promise<string[]> {
  const rangeEnd = Buffer.from(prefix);
  rangeEnd[rangeEnd.length - 1]! += 1;
  const { kvs } = await etcd.range(Buffer.from(prefix), {
    rangeEnd,
    keysOnly: true,
    limit: KEYS_MAX,
  });
  return kvs.map(({ key }) => Buffer.from(key).toString('utf8').slice(prefix.length));
}

async function operatorsOf(api: ApiClient): Promise<readonly OperatorStatus[]> {
  const path = '/apis/config.openshift.io/v1/clusteroperators';
  return parse(statusList, await api.get(path), path).items.map((item) => {
    const condition = (type: string): string =>
      item.status.conditions.find((one) => one.type === type)?.status ?? 'Unknown';
    return {
      name: nameOf(item),
      available: condition('Available'),
      progressing: condition('Progressing'),
      degraded: condition('Degraded'),
    };
  });
}

async function nodesOf(api: ApiClient) {
  const path = '/api/v1/nodes';
  return parse(statusList, await api.get(path), path).items.map((item) => ({
    name: nameOf(item),
    isReady: item.status.conditions.some(
      ({ type, status }) => type === 'Ready' && status === 'True',
    ),
  }));
}

async function pendingRequestsOf(api: ApiClient) {
  const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
  return parse(requestList, await api.get(path), path)
    .items.filter(({ status }) => status.conditions.length === 0)
    .map((item) => ({
      name: nameOf(item),
      signer: item.spec.signerName,
      user: item.spec.username,
    }));
}

function nameOf({ metadata }: { readonly metadata: { readonly name: string } }): string {
  return metadata.name;
}

function parse<T>(schema: z.ZodType<T>, answer: unknown, path: string): T {
  const { data } = schema.safeParse(answer);
  if (data !== undefined) return data;
  throw new EtcdkeepError('api-refused', `what the API server answers to ${path} is no list`);
}
