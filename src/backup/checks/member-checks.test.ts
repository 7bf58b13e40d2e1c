// Views of a cluster made by hand: members that lag, or have compacted differently at one moment, can't
// be had from real ones on demand. What real ones say is in test/cli/check.test.ts.

import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { EtcdkeepError } from '../../base/errors.ts';
import {
  HashKVResponseSchema,
  MemberSchema,
  StatusResponseSchema,
} from '../../etcd/client/gen/rpc_pb.js';
import type { ClusterView, MemberView } from './cluster-view.ts';
import { checkHashes, checkLag, checkLearner, checkOtherMembers } from './member-checks.ts';

type Status = Partial<
  Pick<MemberView['status'], 'version' | 'leader' | 'raftIndex' | 'raftAppliedIndex' | 'isLearner'>
>;

const HASH = { hash: 7, compactRevision: 3n, hashRevision: 9n };

function member(id: bigint, status: Status, hash: typeof HASH | EtcdkeepError = HASH): MemberView {
  const client = {
    endpoint: `https://10.0.0.${id}:2379`,
    hashKV: () =>
      hash instanceof EtcdkeepError
        ? Promise.reject(hash)
        : Promise.resolve(create(HashKVResponseSchema, hash)),
  };
  return {
    name: `etcd-${id}`,
    client: client as unknown as MemberView['client'],
    status: create(StatusResponseSchema, {
      version: '3.6.16',
      leader: 2n,
      ...status,
      header: { memberId: id, revision: 9n },
    }),
  };
}

function view(
  own: MemberView,
  others: readonly MemberView[],
  count = others.length + 1,
): ClusterView {
  return {
    own,
    others,
    silent: [],
    members: Array.from({ length: count }, (_, index) =>
      create(MemberSchema, { ID: BigInt(index + 1) }),
    ),
    alarms: [],
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

describe('lag', () => {
  const leader = (raftIndex: bigint): MemberView => member(2n, { raftIndex });

  it.each([
    ['as far as the leader', 5000n, 'passed'],
    ['asked after the leader', 4000n, 'passed'],
    ['a little behind', 6000n, 'passed'],
    ['far behind', 6001n, 'failed'],
  ])('%s', (_, raftIndex, result) => {
    const own = member(1n, { raftAppliedIndex: 5000n });
    expect(checkLag(view(own, [leader(raftIndex)])).result).toBe(result);
  });

  it('of the leader itself is what it has not applied', () => {
    const own = member(2n, { raftAppliedIndex: 5000n, raftIndex: 6001n });
    expect(checkLag(view(own, [])).result).toBe('failed');
  });

  it.each([
    ['that knows no leader', member(1n, { leader: 0n }), [leader(1n)]],
    ['whose leader does not answer', member(1n, { leader: 3n }), [leader(1n)]],
  ])('of a member %s is unknown', (_, own, others) => {
    expect(checkLag(view(own, others)).result).toBe('unknown');
  });

  it('of a member that knows no leader is seen where another has gone on', () => {
    const own = member(1n, { leader: 0n, raftAppliedIndex: 5000n });
    const others = [member(2n, { raftIndex: 6000n }), member(3n, { raftIndex: 6001n })];
    expect(checkLag(view(own, others)).result).toBe('failed');
    expect(checkLag(view(own, others.slice(0, 1))).result).toBe('unknown');
  });
});

describe('hashes', () => {
  const own = member(1n, {});

  it.each<[string, MemberView, string]>([
    ['are equal', member(2n, {}), 'passed'],
    ['differ', member(2n, {}, { ...HASH, hash: 8 }), 'failed'],
    ['of another compaction', member(2n, {}, { ...HASH, hash: 8, compactRevision: 4n }), 'unknown'],
    ['of another revision', member(2n, {}, { ...HASH, hash: 8, hashRevision: 8n }), 'unknown'],
    [
      'of another minor version',
      member(2n, { version: '3.5.35' }, { ...HASH, hash: 8 }),
      'unknown',
    ],
    ['of another patch version', member(2n, { version: '3.6.9' }), 'passed'],
  ])('that %s', async (_, other, result) => {
    expect((await checkHashes(view(own, [other]))).result).toBe(result);
  });

  it('that differ are found among others that cannot be compared', async () => {
    const others = [
      member(2n, {}, { ...HASH, compactRevision: 4n }),
      member(3n, {}, { ...HASH, hash: 8 }),
    ];
    const outcome = await checkHashes(view(own, others));
    expect(outcome.result).toBe('failed');
    expect(outcome.evidence).toBe('HashKV at revision 9 differs: etcd-1 7, etcd-3 8');
  });

  it('are unknown where a member could not be asked', async () => {
    expect((await checkHashes(view(own, [member(2n, {})], 3))).result).toBe('unknown');
    expect((await checkHashes(view(own, [], 3))).result).toBe('unknown');
  });

  it('of the only member are not compared', async () => {
    expect((await checkHashes(view(own, []))).result).toBe('passed');
  });
});

describe('a learner', () => {
  const own = member(1n, { isLearner: true });

  it('is said to be one, and cannot tell of the others', async () => {
    expect(checkLearner(view(own, [], 0)).result).toBe('failed');
    expect(checkOtherMembers(view(own, [], 0)).result).toBe('unknown');
    expect((await checkHashes(view(own, [], 0))).result).toBe('unknown');
  });
});
