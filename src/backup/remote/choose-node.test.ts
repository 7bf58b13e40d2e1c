import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ControlPlaneNode } from '../../controlplane/cluster-nodes.ts';
import { candidates, chooseNode, type MemberState, namedNode } from './choose-node.ts';

/** A node that is ready, and whose etcd is. */
function node(name: string, wishes: Partial<ControlPlaneNode> & { etcdIsReady?: boolean } = {}) {
  const { etcdIsReady = true, ...rest } = wishes;
  const etcd = {
    namespace: 'openshift-etcd',
    name: `etcd-${name}`,
    isReady: etcdIsReady,
    image: '',
  };
  return { name, isReady: true, hasDiskPressure: false, architecture: 'amd64', etcd, ...rest };
}

/** A follower that serves and keeps up. */
function member(name: string, wishes: Partial<MemberState> = {}): MemberState {
  return {
    name,
    silent: undefined,
    isLeader: false,
    isLearner: false,
    lag: 0,
    alarms: [],
    databaseBytes: 1 << 30,
    ...wishes,
  };
}

function failure(run: () => unknown): unknown {
  try {
    return run();
  } catch (reason) {
    return reason;
  }
}

describe('the node that is named', () => {
  const nodes = [node('a'), node('b', { isReady: false })];

  it('is the one of that name', () => expect(namedNode(nodes, 'a')).toBe(nodes[0]));

  it('there is none: those that there are', () => {
    const reason = failure(() => namedNode(nodes, 'c'));
    expect(reason).toMatchObject({ code: 'node-not-found', facts: [['nodes', 'a, b']] });
    const none = failure(() => namedNode([], 'c'));
    expect(none).toMatchObject({ code: 'node-not-found', facts: [['nodes', 'none']] });
  });

  it('is not ready', () =>
    expect(failure(() => namedNode(nodes, 'b'))).toMatchObject({ code: 'node-not-ready' }));
});

describe('the nodes that can be', () => {
  it('are ready and have an etcd, those first whose etcd is ready', () => {
    const nodes = [
      node('a', { etcdIsReady: false }),
      node('b', { isReady: false }),
      node('c', { etcd: undefined }),
      node('d'),
      node('e'),
    ];
    expect(candidates(nodes).map(({ name }) => name)).toEqual(['d', 'e', 'a']);
  });

  it('there are none with an etcd', () =>
    expect(failure(() => candidates([node('a', { etcd: undefined })]))).toMatchObject({
      code: 'node-not-found',
    }));

  it('there are none that are ready: which those are', () => {
    const nodes = [node('a', { isReady: false }), node('b', { isReady: false })];
    expect(failure(() => candidates(nodes))).toMatchObject({
      code: 'node-not-ready',
      message: expect.stringContaining('a, b') as string,
    });
  });
});

describe('the node that is chosen', () => {
  const choose = (
    among: readonly ControlPlaneNode[],
    members: readonly MemberState[],
    room: Readonly<Record<string, number>> = {},
  ) => chooseNode(among, members, new Map(Object.entries(room)));
  const nodes = [node('a'), node('b'), node('c')];

  it.each<[string, MemberState, MemberState]>([
    ['serves', member('a', { silent: 'no answer' }), member('b', { isLeader: true })],
    ['votes', member('a', { isLearner: true }), member('b', { alarms: ['NOSPACE'], lag: 5000 })],
    [
      'has no alarm',
      member('a', { alarms: ['NOSPACE'] }),
      member('b', { isLeader: true, lag: 5000 }),
    ],
    ['keeps up', member('a', { lag: 1001 }), member('b', { isLeader: true })],
    ['does not lead', member('a', { isLeader: true }), member('b', { lag: 1000 })],
    ['is the least behind', member('a', { lag: 4 }), member('b', { lag: 3 })],
    ['is the least behind of all that are', member('a', { lag: 9000 }), member('b', { lag: 8000 })],
  ])('%s', (_, worse, better) => {
    expect(choose(nodes, [worse, better]).node).toBe('b');
    expect(choose(nodes, [better, worse]).node).toBe('b');
  });

  it('has a node that can be reached', () =>
    expect(choose([node('b')], [member('a'), member('b', { isLeader: true })]).node).toBe('b'));

  it('has room for its database', () => {
    const members = [member('a', { lag: 3 }), member('b', { lag: 4 })];
    const choice = choose(nodes, members, { a: 1_073_741_824, b: 9_000_000_000 });
    expect(choice).toEqual({
      node: 'b',
      why: 'its member follows, 4 entries behind; a follows, 3 entries behind, its node has 1.07 GB left for 1.07 GB',
    });
    const full = [node('a', { hasDiskPressure: true }), node('b')];
    expect(choose(full, members).why).toMatch(/^its member .*; a .*, its node is short of disk/);
  });

  it('is chosen with what is known of each', () => {
    const members = [
      member('a', { isLeader: true }),
      member('b', { lag: 1234 }),
      member('c', { silent: 'no answer in 5 s' }),
      member('d', { isLearner: true, alarms: ['NOSPACE', 'CORRUPT'] }),
    ];
    expect(choose(nodes, members)).toEqual({
      node: 'a',
      why: 'its member leads; b follows, 1,234 entries behind; c does not serve (no answer in 5 s); d is a learner, has raised NOSPACE and CORRUPT',
    });
  });

  it('there is none: why each is not', () => {
    const members = [member('a', { silent: 'no answer' }), member('elsewhere')];
    expect(failure(() => choose(nodes, members))).toMatchObject({
      code: 'node-not-ready',
      message: 'no member can be backed up: a: no answer; elsewhere: has no node that is ready',
    });
  });

  it('never is one that does not serve, or has no node; never leads where an equal follows', () => {
    const state = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      silent: fc.option(fc.constant('no answer'), { nil: undefined }),
      isLeader: fc.boolean(),
      isLearner: fc.boolean(),
      lag: fc.nat(3000),
      alarms: fc.subarray(['NOSPACE', 'CORRUPT']),
      databaseBytes: fc.constant(1 << 30),
    });
    fc.assert(
      fc.property(fc.uniqueArray(state, { selector: ({ name }) => name }), (members) => {
        const usable = members.filter(
          ({ name, silent }) => silent === undefined && 'abc'.includes(name),
        );
        const choice = failure(() => choose(nodes, members));
        if (usable.length === 0) {
          expect(choice).toMatchObject({ code: 'node-not-ready' });
          return;
        }
        const chosen = usable.find(({ name }) => name === (choice as { node: string }).node);
        expect(chosen).toBeDefined();
        const isSound = (one: MemberState): boolean =>
          !one.isLearner && one.alarms.length === 0 && one.lag <= 1000;
        const followers = usable.filter((one) => isSound(one) && !one.isLeader);
        if (usable.some(isSound)) expect(isSound(chosen!)).toBe(true);
        if (followers.length > 0) {
          expect(chosen!.isLeader).toBe(false);
          expect(chosen!.lag).toBe(Math.min(...followers.map(({ lag }) => lag)));
        }
      }),
    );
  });
});
