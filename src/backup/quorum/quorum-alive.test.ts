// Members that run without a leader, which no test can hold still: put together by hand.
import { describe, expect, it } from 'vitest';
import { EtcdkeepError } from '../../base/errors.ts';
import type { Candidate, KnownMember } from './candidate.ts';
import { demandNoQuorum } from './quorum-alive.ts';

const members = (voters: number, learners = 0): KnownMember[] =>
  Array.from({ length: voters + learners }, (_, index) => ({
    id: BigInt(index + 1),
    name: `m${index + 1}`,
    peerUrls: [],
    clientUrls: [],
    isLearner: index >= voters,
  }));

const running = (id: number, known: readonly KnownMember[], hasQuorum = false): Candidate => ({
  ...{ name: `m${id}`, memberId: BigInt(id), clusterId: 9n, isLearner: false, members: known },
  ...{ fromDirectory: undefined, unfit: [] },
  fromEndpoint: {
    ...{ endpoint: `https://m${id}:2379`, version: '3.6.16', leader: 0n, hasQuorum },
    ...{ committed: 5n, applied: 5n, term: 2n, revision: 3n, isLearner: false, errors: [] },
    ...{ memberId: BigInt(id), clusterId: 9n, members: known },
  },
});

const verdict = (candidates: readonly Candidate[]): string => {
  try {
    demandNoQuorum(candidates);
    return 'lost';
  } catch (reason) {
    return (reason as EtcdkeepError).message;
  }
};

describe('a quorum', () => {
  it.each<[string, readonly Candidate[], string]>([
    ['nobody runs', [], 'lost'],
    ['one of three runs', [running(1, members(3))], 'lost'],
    ['two of four run', [running(1, members(4)), running(2, members(4))], 'lost'],
    ['one voter and a learner run', [running(1, members(3, 1)), running(4, members(3, 1))], 'lost'],
    ['one is asked twice', [running(1, members(3)), running(1, members(3))], 'lost'],
    [
      'two of three run',
      [running(1, members(3)), running(2, members(3))],
      '2 of 3 voters run, which is enough for a quorum, though none leads now',
    ],
    [
      'one serves',
      [running(1, members(3), true)],
      'a quorum lives: m1 serves reads that a majority has agreed to',
    ],
  ])('where %s', (_, candidates, expected) => expect(verdict(candidates)).toBe(expected));
});
