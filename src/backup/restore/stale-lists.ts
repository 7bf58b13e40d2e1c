// Whether what an API server lists is what etcd holds. One whose watches were not cancelled goes on listing what is gone, and
// not what came back, and is ready all the while.

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { EtcdkeepError } from '../../base/errors.ts';
import type { LayoutName } from '../../controlplane/host.ts';
import type { EtcdClient } from '../../etcd/client/client.ts';
import type { ApiClient } from '../../kubernetes/api-client.ts';
import { ApiRefusal, isNotFound } from '../../kubernetes/api-refusal.ts';

export interface ComparedLists {
  readonly compared: number;
  /** Objects that a list and etcd do not agree on, as paths; none if they do. */
  readonly stale: readonly string[];
  /** Where there is more than one API server: addresses of those that were asked by themselves, and that could not be. */
  readonly servers?: { readonly asked: readonly string[]; readonly unasked: readonly string[] };
}

/** What is compared: small, there in every cluster, and listed by everybody. Nodes are minions in etcd. */
export const COMPARED = [
  { path: '/api/v1/namespaces', keys: 'namespaces/' },
  { path: '/api/v1/nodes', keys: 'minions/' },
  { path: '/api/v1/namespaces/kube-system/configmaps', keys: 'configmaps/kube-system/' },
] as const;

/** --etcd-prefix of the API server: OpenShift's, and Kubernetes' own. */
const PREFIXES: Readonly<Record<LayoutName, string>> = {
  openshift: '/kubernetes.io/',
  kubeadm: '/registry/',
};

/** What changes while it is looked at settles in this time. */
const SETTLE_MS = 1000;

/** Of each kind, so many are read one by one as well, the newest first: what a restore takes back was written last. */
const READ_ONE_BY_ONE = 50;
const READ_AT_ONCE = 8;

const KEYS_MAX = 10_000;

const object = z.object({
  metadata: z.object({ name: z.string(), resourceVersion: z.string().regex(/^\d+$/) }),
});
const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string().regex(/^\d+$/) }),
  // An empty list of metadata has null.
  items: z
    .array(object)
    .nullish()
    .transform((items) => items ?? []),
});

interface Listed {
  readonly revision: string;
  /** By name, the revision that each was written with. */
  readonly objects: ReadonlyMap<string, bigint>;
}

/**
 * Compares lists with etcd's keys, on a host.
 * @throws EtcdkeepError
 */
export async function compareWithEtcd(
  api: ApiClient,
  etcd: EtcdClient,
  layout: LayoutName,
): Promise<ComparedLists> {
  return await compareAll(async ({ path, keys }) => {
    const { compared, suspects } = await compareWithKeys(api, etcd, path, PREFIXES[layout] + keys);
    if (suspects.length === 0) return { compared, stale: [] };
    await sleep(SETTLE_MS);
    const again = await compareWithKeys(api, etcd, path, PREFIXES[layout] + keys);
    return { compared, stale: suspects.filter((one) => again.suspects.includes(one)) };
  });
}

/**
 * Compares lists with what the same API server reads from etcd, where only it can be asked.
 * @throws EtcdkeepError `api-unreachable`; ApiRefusal; the signal's reason
 */
export async function compareWithReads(api: ApiClient): Promise<ComparedLists> {
  return await compareAll(async ({ path }) => {
    // Brings its cache up to date where that answers it; else it comes from etcd.
    const newest = await listOf(api, path);
    const cached = await listOf(api, `${path}?resourceVersion=0`);
    const names = new Set([...cached.objects.keys(), ...newest.objects.keys()]);
    const suspects = await suspectsOf(api, path, { cached, newest });
    const stale = suspects.size === 0 ? [] : await stillStale(api, path, cached, suspects);
    // A cache cannot know more than etcd, unless etcd has been taken back.
    const isAhead = await isBeyondEtcd(api, path, cached);
    return {
      compared: names.size,
      stale: isAhead ? [...stale, `the revision of ${path}, which etcd has not reached`] : stale,
    };
  });
}

async function compareAll(
  compare: (one: (typeof COMPARED)[number]) => Promise<ComparedLists>,
): Promise<ComparedLists> {
  let compared = 0;
  const stale: string[] = [];
  for (const one of COMPARED) {
    const found = await compare(one);
    compared += found.compared;
    stale.push(...found.stale.map((name) => (name.includes(' ') ? name : `${one.path}/${name}`)));
  }
  return { compared, stale };
}

/** A list out of the API server's own cache, single reads, which go to etcd, and etcd's keys. */
async function compareWithKeys(api: ApiClient, etcd: EtcdClient, path: string, prefix: string) {
  const { objects: listed } = await listOf(api, `${path}?resourceVersion=0`);
  const stored = new Set(await namesBelow(etcd, prefix));
  const all = [...new Set([...listed.keys(), ...stored])];
  const suspects = all.filter((name) => listed.has(name) !== stored.has(name));
  const others = newestFirst(listed).filter((name) => !suspects.includes(name));
  const read = await readEach(api, path, others.slice(0, READ_ONE_BY_ONE));
  for (const [name, revision] of read) if (revision === undefined) suspects.push(name);
  return { compared: all.length, suspects };
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

/** What etcd has otherwise than the cache: the revision it was written with, or undefined where etcd has none. */
type Suspects = Map<string, bigint | undefined>;

async function suspectsOf(
  api: ApiClient,
  path: string,
  { cached, newest }: { readonly cached: Listed; readonly newest: Listed },
): Promise<Suspects> {
  const unlisted = [...newest.objects.keys()].filter((name) => !cached.objects.has(name));
  const names = [...newestFirst(cached.objects).slice(0, READ_ONE_BY_ONE), ...unlisted];
  const suspects: Suspects = new Map();
  for (const [name, revision] of await readEach(api, path, names)) {
    if (cached.objects.get(name) !== revision) suspects.set(name, revision);
  }
  // Releases before 1.34 read this from etcd, so it is all of it at one moment; later ones may answer it from their cache.
  const query = `resourceVersion=${cached.revision}&resourceVersionMatch=Exact`;
  const exact = await listOf(api, `${path}?${query}`).catch(unlessRevisionRefused);
  for (const [name, revision] of exact?.objects ?? []) {
    if (cached.objects.get(name) !== revision) suspects.set(name, revision);
  }
  for (const name of cached.objects.keys()) {
    if (exact?.objects.has(name) === false) suspects.set(name, undefined);
  }
  return suspects;
}

/** Which of them are no changes that were under way. */
async function stillStale(
  api: ApiClient,
  path: string,
  { objects: before }: Listed,
  suspects: Suspects,
): Promise<string[]> {
  await sleep(SETTLE_MS);
  const { objects: now } = await listOf(api, `${path}?resourceVersion=0`);
  const stale: string[] = [];
  for (const [name, inEtcd] of suspects) {
    const [was, is] = [before.get(name), now.get(name)];
    if (inEtcd === undefined) {
      // Deleted, and that has not come through; or made anew since.
      if (is !== undefined && is === was) stale.push(name);
    } else if (was !== undefined && was > inEtcd) stale.push(name);
    else if (is === undefined) {
      const read = await readEach(api, path, [name]);
      if (read.get(name) !== undefined) stale.push(name);
    } else if (is < inEtcd) stale.push(name);
  }
  return stale;
}

/**
 * Whether etcd does not know the revision that a list is of. A list of one object at an exact revision goes to etcd in every
 * release (k8s.io/apiserver, pkg/storage/cacher: ShouldDelegateExactRV).
 */
async function isBeyondEtcd(
  api: ApiClient,
  path: string,
  { revision, objects }: Listed,
): Promise<boolean> {
  const [name] = objects.keys();
  if (name === undefined) return false;
  const one = `fieldSelector=${encodeURIComponent(`metadata.name=${name}`)}`;
  const query = `${one}&resourceVersion=${revision}&resourceVersionMatch=Exact`;
  try {
    await listOf(api, `${path}?${query}`);
    return false;
  } catch (reason) {
    if (isOfTheFuture(reason)) return true;
    unlessRevisionRefused(reason);
    return false;
  }
}

/** From 1.36 on in the words of the API server, before in etcd's. */
function isOfTheFuture(reason: unknown): boolean {
  return (
    reason instanceof ApiRefusal &&
    /too large resource version|required revision is a future revision/i.test(reason.message)
  );
}

/** Compacted by now, or not there yet: of that nothing is known from this. */
function unlessRevisionRefused(reason: unknown): undefined {
  const isCompacted = reason instanceof ApiRefusal && reason.status === 410;
  if (isCompacted || isOfTheFuture(reason)) return undefined;
  throw reason;
}

/** Reads them from etcd: undefined is what is not there. */
async function readEach(
  api: ApiClient,
  path: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, bigint | undefined>> {
  const read = new Map<string, bigint | undefined>();
  const one = async (name: string): Promise<void> => {
    const answer = await api.getMetadata(`${path}/${name}`, 'object').catch((reason: unknown) => {
      if (isNotFound(reason)) return undefined;
      throw reason;
    });
    const { resourceVersion } = answer === undefined ? {} : parse(object, answer, path).metadata;
    read.set(name, resourceVersion === undefined ? undefined : BigInt(resourceVersion));
  };
  for (let at = 0; at < names.length; at += READ_AT_ONCE) {
    await Promise.all(names.slice(at, at + READ_AT_ONCE).map(one));
  }
  return read;
}

async function listOf(api: ApiClient, path: string): Promise<Listed> {
  const { metadata, items } = parse(listSchema, await api.getMetadata(path, 'list'), path);
  const objects = items.map(
    (item) => [item.metadata.name, BigInt(item.metadata.resourceVersion)] as const,
  );
  return { revision: metadata.resourceVersion, objects: new Map(objects) };
}

function newestFirst(objects: ReadonlyMap<string, bigint>): string[] {
  const sorted = [...objects].sort(([, a], [, b]) => (a < b ? 1 : a > b ? -1 : 0));
  return sorted.map(([name]) => name);
}

function parse<T>(schema: z.ZodType<T>, answer: unknown, path: string): T {
  const { data } = schema.safeParse(answer);
  if (data !== undefined) return data;
  throw new EtcdkeepError('api-refused', `what the API server answers to ${path} is no list`);
}
