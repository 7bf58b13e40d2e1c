// What an API server says of a restored cluster, as a host's status and a workstation's both ask it.

import { EtcdkeepError } from '../../base/errors.ts';
import type { LayoutName } from '../../controlplane/host.ts';
import type { EtcdClient } from '../../etcd/client/client.ts';
import type { ApiClient } from '../../kubernetes/api-client.ts';
import {
  type Heartbeats,
  heartbeatsOf,
  type NodeStatus,
  nodesOf,
  type OperatorStatus,
  operatorsOf,
  type PendingRequest,
  pendingRequestsOf,
} from './cluster-objects.ts';
import { ask, type Seen } from './seen.ts';
import { type ComparedLists, compareWithEtcd } from './stale-lists.ts';

export interface ApiStatus {
  readonly lists: Seen<ComparedLists>;
  /** OpenShift's own. */
  readonly operators: Seen<readonly OperatorStatus[]>;
  readonly nodes: Seen<readonly NodeStatus[]>;
  readonly heartbeats: Seen<Heartbeats>;
  /** Requests for certificates that nobody has decided on. They are the administrator's to look at. */
  readonly pendingRequests: Seen<readonly PendingRequest[]>;
}

export interface ApiQuestions {
  readonly layout: LayoutName;
  /** How lists are compared with etcd. */
  readonly compare: () => Promise<ComparedLists>;
  /** How each is asked. */
  readonly ask: typeof ask;
  readonly now: () => Date;
}

/** Of an API server that cannot be asked. */
export function nothingKnown(why: string): ApiStatus {
  const unknown = { unknown: why };
  return {
    lists: unknown,
    operators: unknown,
    nodes: unknown,
    heartbeats: unknown,
    pendingRequests: unknown,
  };
}

/** Asks for all of it. Throws what `ask` throws. */
export async function askObjects(api: ApiClient, questions: ApiQuestions): Promise<ApiStatus> {
  const { layout, compare, ask, now } = questions;
  return {
    lists: await ask(compare),
    operators:
      layout === 'openshift'
        ? await ask(() => operatorsOf(api))
        : { unknown: 'only OpenShift has them' },
    nodes: await ask(() => nodesOf(api)),
    heartbeats: await ask(() => heartbeatsOf(api, now)),
    pendingRequests: await ask(() => pendingRequestsOf(api)),
  };
}

/** The same on a host; what cannot be asked is unknown. Throws nothing but the signal's reason. */
export async function askApi(
  api: ApiClient | EtcdkeepError,
  etcd: EtcdClient | EtcdkeepError,
  { layout, now }: { readonly layout: LayoutName; readonly now: () => Date },
): Promise<ApiStatus> {
  if (api instanceof EtcdkeepError) return nothingKnown(api.message);
  const compare = () => {
    if (etcd instanceof EtcdkeepError) throw etcd;
    return compareWithEtcd(api, etcd, layout);
  };
  return await askObjects(api, { layout, compare: async () => compare(), ask, now });
}
