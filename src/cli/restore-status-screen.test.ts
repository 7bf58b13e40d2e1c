import { describe, expect, it } from 'vitest';
import type { ApiStatus } from '../backup/restore/api-status.ts';
import type { ClusterStatus } from '../backup/restore/cluster-status.ts';
import type { RestorePlan } from '../backup/restore/plan.ts';
import { missingInCluster, missingOnHost } from '../backup/restore/recovery.ts';
import type { RestoreStatus } from '../backup/restore/status.ts';
import { fakeWorld } from './context.fixture.ts';
import {
  clusterDocument,
  concludeStatus,
  missingTeller,
  showClusterStatus,
  showRestoreStatus,
  statusDocument,
} from './restore-status-screen.ts';
import { type Screen, withScreen } from './screen.ts';

async function printed(
  draw: (screen: Screen) => void,
  output: 'text' | 'json' = 'text',
): Promise<{ stdout: string; stderr: string }> {
  const { context, stdout, stderr } = fakeWorld();
  await withScreen(context, { output, quiet: false }, (screen) => {
    draw(screen);
    return Promise.resolve();
  });
  return { stdout: stdout.text, stderr: stderr.text };
}

const API: ApiStatus = {
  lists: { seen: { compared: 3, stale: ['/api/v1/nodes/gone'] } },
  operators: {
    seen: [
      { name: 'etcd', available: 'True', progressing: 'False', degraded: 'True' },
      { name: 'dns', available: 'True', progressing: 'False', degraded: 'False' },
    ],
  },
  nodes: {
    seen: [
      { name: 'a', isReady: true, isSchedulable: false },
      { name: 'b', isReady: false, isSchedulable: true },
    ],
  },
  heartbeats: { seen: { heard: 1, silent: ['b'] } },
  pendingRequests: {
    seen: [{ name: 'csr-1', signer: 'kubernetes.io/kubelet-serving', user: 'system:node:b' }],
  },
};

const OF_API = [
  'lists       STALE: the API server and etcd differ on /api/v1/nodes/gone; restart the API server',
  'operators   1 of 2 at rest',
  '            etcd: Available=True Progressing=False Degraded=True',
  'nodes       1 of 2 ready',
  '            b is not',
  '            a is cordoned',
  'heartbeats  1 of 2 nodes heard',
  '            b is not',
  'requests    1 certificate requests wait for you to decide',
  '            csr-1  kubernetes.io/kubelet-serving  system:node:b',
  '            look at each: oc describe csr NAME; then: oc adm certificate approve NAME',
];

describe('a restored cluster on the screen', () => {
  it('of a host: what is stale and who waits is said, and unknown is unknown', async () => {
    const status: RestoreStatus = {
      plan: { stamp: '20261123-170200', host: { layout: 'openshift' } } as RestorePlan,
      phase: 'served',
      journal: [{ at: '2026-11-23T17:02:00Z', step: 'serve', state: 'done' }],
      etcd: {
        seen: {
          version: '3.6.16',
          revision: 7n,
          members: [{ name: '', peerUrls: ['https://10.0.1.3:2380'], isLearner: true }],
          alarms: 0,
        },
      },
      api: { ...API, operators: { unknown: 'connection refused' } },
      kept: [],
    };
    const { stdout } = await printed((screen) => showRestoreStatus(screen, status));
    expect(stdout.trimEnd().split('\n')).toEqual([
      'restore     20261123-170200: served',
      'etcd        3.6.16, revision 7, no alarm',
      '            not started https://10.0.1.3:2380 (learner)',
      OF_API[0],
      'operators   unknown: connection refused',
      ...OF_API.slice(3),
    ]);
    expect(statusDocument(status)).toMatchObject({
      phase: 'served',
      etcd: { seen: { revision: '7' } },
    });
    expect(missingOnHost(status).map(({ what }) => what)).toContain('operators');
  });

  const CLUSTER: ClusterStatus = {
    endpoint: 'https://api.demo:6443',
    layout: 'openshift',
    readiness: { seen: { passing: 36, failing: ['etcd'] } },
    members: {
      seen: [
        { node: 'a', pod: 'ready' },
        { node: 'b', pod: 'absent' },
        { node: 'c', pod: 'not ready' },
      ],
    },
    etcdOperator: {
      seen: { message: '2 of 3 members are available', failing: ['EtcdMembersDegraded'] },
    },
    api: API,
    missingPermissions: ['list nodes'],
  };

  it('of a workstation: with all that is missing', async () => {
    const { stdout, stderr } = await printed((screen) => showClusterStatus(screen, CLUSTER));
    expect(stdout.trimEnd().split('\n')).toEqual([
      'cluster     https://api.demo:6443 · OpenShift layout',
      'ready       NOT: etcd',
      'etcd        a: ready',
      '            b: NO POD of etcd',
      '            c: its pod is NOT READY',
      '            its operator: 2 of 3 members are available',
      '            its operator: NOT WELL: EtcdMembersDegraded',
      ...OF_API,
    ]);
    expect(stderr).toBe('warning     the user may not list nodes\n');
  });

  it('of an API server that does not answer: one reason, said once', async () => {
    const why = 'cannot ask the API server at https://api.demo:6443: connection refused';
    const unknown = { unknown: why };
    const status: ClusterStatus = {
      ...CLUSTER,
      layout: undefined,
      readiness: unknown,
      members: unknown,
      etcdOperator: unknown,
    };
    const { stdout } = await printed((screen) => showClusterStatus(screen, status));
    expect(stdout).toBe(`cluster     https://api.demo:6443\nready       unknown: ${why}\n`);
  });

  it.each<[string[], string[], string[]]>([
    [['a:1', 'b:1'], [], ['asked of 2 of 2 API servers, each by itself']],
    [['a:1'], ['b:1'], ['asked of 1 of 2 API servers, each by itself', 'b:1 does not answer']],
    [
      [],
      ['a:1', 'b:1'],
      ['asked of one of 2 API servers: none can be reached by itself from here'],
    ],
  ])('says which API servers were asked: %j, and not %j', async (asked, unasked, lines) => {
    const lists = { seen: { compared: 3, stale: [], servers: { asked, unasked } } };
    const { stdout } = await printed((screen) =>
      showClusterStatus(screen, { ...CLUSTER, api: { ...API, lists } }),
    );
    expect(stdout).toContain(
      ['lists       the API server and etcd agree on 3 objects', ...lines].join(
        `\n${' '.repeat(12)}`,
      ),
    );
  });

  it('ends with what is missing, by name and as a code', async () => {
    const missing = missingInCluster(CLUSTER);
    const { stdout } = await printed((screen) => {
      expect(concludeStatus(screen, missing, {})).toMatchObject({
        code: 'cluster-not-recovered',
        exitCode: 5,
        message:
          'the cluster has not recovered: API server: etcd; etcd: b, c; etcd operator: EtcdMembersDegraded; ' +
          'lists: stale; operators: etcd; nodes: a, b; heartbeats: b; certificate requests: csr-1',
      });
    });
    expect(stdout).toBe('recovered   NO\n');
    const json = await printed((screen) => {
      concludeStatus(screen, missing, clusterDocument(CLUSTER));
    }, 'json');
    expect(JSON.parse(json.stdout)).toMatchObject({
      layout: 'openshift',
      members: { seen: [{ node: 'a', pod: 'ready' }, {}, {}] },
      lists: { seen: { stale: ['/api/v1/nodes/gone'] } },
      recovered: false,
      missing: expect.arrayContaining([{ what: 'nodes', words: 'a, b' }]) as object,
      error: { code: 'cluster-not-recovered' },
    });
  });

  it('says once why several things are not known', async () => {
    const unknown = (what: string, why: string) => {
      return { what, words: 'unknown', why, isForbidden: false };
    };
    const { stderr } = await printed((screen) =>
      missingTeller(screen)(
        [
          unknown('API server', 'connection refused'),
          { what: 'etcd', words: 'b', isForbidden: false },
          unknown('lists', 'it answered 429'),
          unknown('nodes', 'connection refused'),
        ],
        0,
      ),
    );
    expect(stderr).toBe(
      'waiting     0:00  API server, nodes: unknown (connection refused); etcd: b; lists: unknown (it answered 429)\n',
    );
  });

  it('ends with nothing where nothing is missing', async () => {
    const { stdout } = await printed((screen) => {
      expect(concludeStatus(screen, [], {})).toBeUndefined();
    });
    expect(stdout).toBe('recovered   all that can be seen\n');
  });

  it('is told of while it is waited for, as often as it changes', async () => {
    const missing = { what: 'nodes', words: 'b', isForbidden: false };
    const { stderr } = await printed((screen) => {
      const tell = missingTeller(screen);
      tell([missing, { ...missing, what: 'operators' }], 0);
      tell([missing], 5000);
      tell([missing], 10_000);
    });
    expect(stderr.split('\n')).toEqual([
      'waiting     0:00  nodes: b; operators: b',
      'waiting     0:05  nodes: b',
      '',
    ]);
  });
});
