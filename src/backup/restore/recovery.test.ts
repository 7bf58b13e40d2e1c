import { describe, expect, it } from 'vitest';
import type { ApiStatus } from './api-status.ts';
import type { ClusterStatus } from './cluster-status.ts';
import type { RestorePlan } from './plan.ts';
import { isWaitingInVain, missingInCluster, missingOnHost } from './recovery.ts';
import type { RestoreStatus } from './status.ts';

const WELL: ApiStatus = {
  lists: { seen: { compared: 3, stale: [] } },
  operators: {
    seen: [{ name: 'etcd', available: 'True', progressing: 'False', degraded: 'False' }],
  },
  nodes: { seen: [{ name: 'a', isReady: true, isSchedulable: true }] },
  heartbeats: { seen: { heard: 1, silent: [] } },
  pendingRequests: { seen: [] },
};
const CLUSTER: ClusterStatus = {
  endpoint: 'https://api.demo:6443',
  layout: 'openshift',
  readiness: { seen: { passing: 37, failing: [] } },
  members: { seen: [{ node: 'a', pod: 'ready' }] },
  etcdOperator: { seen: { message: '1 members are available', failing: [] } },
  api: WELL,
  missingPermissions: [],
};
const HOST: RestoreStatus = {
  plan: { host: { layout: 'openshift' } } as RestorePlan,
  phase: 'served',
  journal: [],
  etcd: {
    seen: {
      version: '3.6.16',
      revision: 7n,
      members: [{ name: 'a', peerUrls: ['https://a:2380'], isLearner: false }],
      alarms: 0,
    },
  },
  api: WELL,
  kept: [],
};

const words = (missing: readonly { what: string; words: string }[]): string[] =>
  missing.map((one) => `${one.what}: ${one.words}`);
const inCluster = (change: Partial<ClusterStatus>) =>
  words(missingInCluster({ ...CLUSTER, ...change }));
const inApi = (change: Partial<ApiStatus>) => inCluster({ api: { ...WELL, ...change } });
const onHost = (change: Partial<RestoreStatus>) => words(missingOnHost({ ...HOST, ...change }));

describe('what is missing for a cluster to have recovered', () => {
  it('is nothing where all is well', () => {
    expect(inCluster({})).toEqual([]);
    expect(onHost({})).toEqual([]);
  });

  it('is no operator where there are none by nature', () => {
    const api = { ...WELL, operators: { unknown: 'only OpenShift has them' } };
    const etcdOperator = { unknown: 'only OpenShift has it' };
    expect(inCluster({ layout: 'kubeadm', api, etcdOperator })).toEqual([]);
    expect(onHost({ plan: { host: { layout: 'kubeadm' } } as RestorePlan, api })).toEqual([]);
    expect(inCluster({ api })).toEqual(['operators: unknown']);
  });

  it.each(Object.keys(WELL) as (keyof ApiStatus)[])('is what is unknown: %s', (what) => {
    expect(inApi({ [what]: { unknown: 'the API server answered 429' } })).toEqual([
      expect.stringMatching(/: unknown$/),
    ]);
  });

  it('is all of it where nothing answers', () => {
    const unknown = { unknown: 'connection refused' };
    const api = Object.fromEntries(Object.keys(WELL).map((key) => [key, unknown]));
    const missing = inCluster({
      layout: undefined,
      readiness: unknown,
      members: unknown,
      etcdOperator: unknown,
      api: api as unknown as ApiStatus,
    });
    expect(missing).toHaveLength(7);
  });

  it.each<[string, string[], string[]]>([
    ['True', ['False', 'False'], []],
    ['False', ['False', 'False'], ['operators: etcd']],
    ['True', ['True', 'False'], ['operators: etcd']],
    ['True', ['False', 'True'], ['operators: etcd']],
    ['Unknown', ['Unknown', 'Unknown'], ['operators: etcd']],
  ])('of an operator: Available=%s, Progressing and Degraded %j', (available, others, expected) => {
    const [progressing, degraded] = others as [string, string];
    const operators = { seen: [{ name: 'etcd', available, progressing, degraded }] };
    expect(inApi({ operators })).toEqual(expected);
  });

  it('is a list of nothing where there must be something', () => {
    expect(inApi({ operators: { seen: [] } })).toEqual(['operators: none']);
    expect(inApi({ nodes: { seen: [] } })).toEqual(['nodes: none']);
    expect(inCluster({ members: { seen: [] } })).toEqual(['etcd: no node of the control plane']);
  });

  it('is a node that is not ready, cordoned, or not heard', () => {
    const node = (name: string, isReady: boolean, isSchedulable: boolean) => ({
      name,
      isReady,
      isSchedulable,
    });
    const nodes = {
      seen: [node('a', true, true), node('b', false, true), node('c', true, false)],
    };
    expect(inApi({ nodes })).toEqual(['nodes: b, c']);
    expect(inApi({ heartbeats: { seen: { heard: 2, silent: ['d'] } } })).toEqual(['heartbeats: d']);
  });

  it('is a request of a kubelet, and none of anybody else', () => {
    const request = (name: string, signer: string) => ({ name, signer, user: 'u' });
    const pendingRequests = {
      seen: [
        request('serving', 'kubernetes.io/kubelet-serving'),
        request('client', 'kubernetes.io/kube-apiserver-client-kubelet'),
        request('alice', 'kubernetes.io/kube-apiserver-client'),
      ],
    };
    expect(inApi({ pendingRequests })).toEqual(['certificate requests: serving, client']);
  });

  it('is a list that is stale, a pod that is not ready, a check that fails', () => {
    expect(inApi({ lists: { seen: { compared: 1, stale: ['/api/v1/nodes/x'] } } })).toEqual([
      'lists: stale',
    ]);
    expect(inCluster({ members: { seen: [{ node: 'b', pod: 'not ready' }] } })).toEqual([
      'etcd: b',
    ]);
    expect(inCluster({ readiness: { seen: { passing: 1, failing: ['etcd'] } } })).toEqual([
      'API server: etcd',
    ]);
    expect(
      inCluster({ etcdOperator: { seen: { message: '', failing: ['EtcdMembersDegraded'] } } }),
    ).toEqual(['etcd operator: EtcdMembersDegraded']);
  });

  it('is an API server that does not answer where others do', () => {
    const lists = (asked: string[], unasked: string[]) =>
      inApi({ lists: { seen: { compared: 1, stale: [], servers: { asked, unasked } } } });
    expect(lists(['a:6443', 'b:6443'], [])).toEqual([]);
    expect(lists(['a:6443'], ['b:6443'])).toEqual(['lists: b:6443']);
    // A workstation that reaches the load balancer alone.
    expect(lists([], ['a:6443', 'b:6443'])).toEqual([]);
  });

  it('on a host is also a restore that is not over, a member that has not started, an alarm', () => {
    expect(onHost({ phase: 'started' })).toEqual(['restore: started']);
    expect(onHost({ phase: 'unfinished' })).toEqual(['restore: unfinished']);
    expect(onHost({ phase: 'rolled back' })).toEqual([]);
    const member = (name: string, isLearner: boolean) => ({
      name,
      peerUrls: ['https://b:2380'],
      isLearner,
    });
    const members = [member('', false), member('c', true)];
    const etcd = { seen: { version: '3.6.16', revision: 7n, members, alarms: 1 } };
    expect(onHost({ etcd })).toEqual(['etcd: https://b:2380, c, 1 alarms']);
  });

  it('names five of them', () => {
    const silent = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    expect(inApi({ heartbeats: { seen: { heard: 0, silent } } })).toEqual([
      'heartbeats: a, b, c, d, e and 2 more',
    ]);
  });

  it('is waited for in vain where only permissions are missing', () => {
    const forbidden = { unknown: 'forbidden', isForbidden: true } as const;
    const of = (change: Partial<ApiStatus>) =>
      isWaitingInVain(missingInCluster({ ...CLUSTER, api: { ...WELL, ...change } }));
    expect(of({ nodes: forbidden, lists: forbidden })).toBe(true);
    expect(of({ nodes: forbidden, lists: { unknown: 'connection refused' } })).toBe(false);
    expect(of({})).toBe(false);
  });
});
