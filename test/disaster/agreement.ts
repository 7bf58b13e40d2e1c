// Whether all ways to read the cluster give the same: a list out of the API server's cache, a list as everybody asks for it,
// and each object by itself, which is read from etcd.
import {
  CONFIG_MAPS,
  CORE,
  DEPLOYMENTS,
  LATE,
  LATE_NAMESPACE,
  LATE_WORKLOAD,
  SECRETS,
  WORKLOADS,
} from './contents.ts';
import { type Lab, messageOf } from './lab.ts';

interface ApiObject {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly data?: Readonly<Record<string, string>>;
}

/** What is listed, and names that could be there: one that no list shows may still be read. */
const COMPARED: readonly { readonly path: string; readonly names: readonly string[] }[] = [
  { path: '/api/v1/nodes', names: [] },
  { path: '/api/v1/namespaces', names: [LATE_NAMESPACE] },
  { path: `${CORE}/secrets`, names: [...Object.keys(SECRETS), ...LATE] },
  { path: `${CORE}/configmaps`, names: [...Object.keys(CONFIG_MAPS), ...LATE] },
  { path: DEPLOYMENTS, names: [...Object.keys(WORKLOADS), LATE_WORKLOAD] },
];

/** What the ways to read do not agree on, each a line; nothing if they do. */
export async function disagreements(lab: Lab): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { path, names } of COMPARED) {
    const cached = await listed(lab, `${path}?resourceVersion=0`);
    const asked = await listed(lab, path);
    for (const name of new Set([...names, ...cached.keys(), ...asked.keys()])) {
      const single = await read(lab, `${path}/${name}`);
      const [inEtcd, inCache, inList] = [single, cached.get(name), asked.get(name)].map(words);
      if (inEtcd === inCache && inEtcd === inList) continue;
      found.push(`${path}/${name}: GET ${inEtcd}, LIST ${inList}, LIST from the cache ${inCache}`);
    }
  }
  return found;
}

/** The objects of a list, by name. */
export async function listed({ node }: Lab, path: string): Promise<Map<string, ApiObject>> {
  const { items } = (await node.api.request('GET', path)) as {
    readonly items: readonly ApiObject[];
  };
  return new Map(items.map((item) => [item.metadata.name, item]));
}

/** One object; undefined if it is not there. */
export async function read({ node }: Lab, path: string): Promise<ApiObject | undefined> {
  try {
    return (await node.api.request('GET', path)) as ApiObject;
  } catch (reason) {
    if (messageOf(reason).includes(': 404 ')) return undefined;
    throw reason;
  }
}

/** What two objects that are one have in common. */
function words(object: ApiObject | undefined): string {
  if (object === undefined) return 'nothing';
  const { data = {}, metadata } = object;
  return data.word === undefined ? metadata.uid : `${metadata.uid} (${data.word})`;
}
