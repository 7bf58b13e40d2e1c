import { describe, expect, it } from 'vitest';
import { DATABASES, readDatabase } from '../../../test/fixtures/databases/databases.ts';
import { bytesSource, type Element } from '../../bbolt/testing.ts';
import {
  buckets,
  contentsFindings,
  LEASE,
  lease,
  lineOf,
  MEMBER,
  member,
  message,
  note,
  number64,
  OTHER,
  revisionKey,
} from './bucket-testing.ts';

const record = (main: bigint, key: string, ofLease: bigint): Element => ({
  key: revisionKey(main),
  value: message([1, key], [2, main], [3, main], [4, 1n], [5, 'v'], [6, ofLease]),
});

describe('checkContents', () => {
  // Made by real members of 3.5 to 3.7, by etcdutl and by bbolt.
  it.each(DATABASES)('is without a fault in the database %s', async (name) => {
    expect(await contentsFindings(bytesSource(readDatabase(name)))).toEqual([]);
  });

  it.each<[string, Record<string, Element[]>, string[]]>([
    [
      'keys of leases that are not there',
      {
        key: [record(2n, 'a', LEASE), record(3n, 'b', 0n), record(4n, 'c', 0x1fn)],
        lease: [lease(LEASE, message([1, LEASE], [2, 60n]))],
      },
      [
        'lease error: keys have leases that are not in the database, so they would never expire: 000000000000001f',
      ],
    ],
    [
      'two members with one peer URL',
      { members: [member(MEMBER, 'a'), member(OTHER, 'a')] },
      [
        'member warning: members 8e9e05c52164694d and 91bc3c398fb3c146 have the peer URL "http://a:2380": one of them may be left from before a restore',
      ],
    ],
    [
      'a member that was removed, in 3.6',
      {
        members: [member(MEMBER, 'a')],
        members_removed: [{ key: MEMBER.toString(16), value: 'removed' }],
        meta: [note('storageVersion', '3.6.0'), note('term', number64(2n))],
      },
      [
        'member error: member 8e9e05c52164694d is among the removed ones as well: etcd refuses to talk to it',
      ],
    ],
    [
      'a member that was removed, before 3.6',
      {
        members: [member(MEMBER, 'a')],
        members_removed: [{ key: MEMBER.toString(16), value: 'removed' }],
      },
      [
        'member warning: member 8e9e05c52164694d is among the removed ones as well: etcd refuses to talk to it',
      ],
    ],
    [
      'another list of members in raft',
      {
        members: [member(MEMBER, 'a'), member(OTHER, 'b', ',"isLearner":true')],
        meta: [note('confState', `{"voters":[${OTHER},31]}`)],
      },
      [
        "member warning: raft's list of members (meta/confState) is not that of bucket members, as after a restore: it lacks 8e9e05c52164694d; it still has 1f; it has 91bc3c398fb3c146 as a voter, and it is a learner",
      ],
    ],
    [
      'a voter that is a learner for raft',
      { members: [member(OTHER, 'b')], meta: [note('confState', `{"learners":[${OTHER}]}`)] },
      [
        "member warning: raft's list of members (meta/confState) is not that of bucket members, as after a restore: it has 91bc3c398fb3c146 as a learner, and it is a voter",
      ],
    ],
    [
      'alarms',
      {
        alarm: [
          { key: message([1, MEMBER], [2, 1n]) },
          { key: message([1, MEMBER], [2, 2n]) },
          { key: message([1, MEMBER], [2, 7n]) },
        ],
      },
      [
        'alarm warning: alarm NOSPACE of member 8e9e05c52164694d is on and survives a restore: the members refuse to write until "etcdctl alarm disarm"',
        'alarm warning: alarm CORRUPT of member 8e9e05c52164694d is on and survives a restore: the members refuse to read and to write until "etcdctl alarm disarm"',
        'alarm warning: alarm 7 of member 8e9e05c52164694d is on and survives a restore: what it does is not known until "etcdctl alarm disarm"',
      ],
    ],
    [
      'authentication without its root user',
      { auth: [note('authEnabled', Buffer.from([1]))] },
      [
        'auth warning: authentication is on and there is no user "root": after a restore nobody may be able to turn it off',
      ],
    ],
    [
      'authentication with a root user that has no root role',
      {
        auth: [note('authEnabled', Buffer.from([1]))],
        authUsers: [{ key: 'root', value: message([1, 'root'], [3, 'reader']) }],
      },
      [
        'auth warning: authentication is on and user "root" has no role "root": after a restore nobody may be able to turn it off',
      ],
    ],
    [
      'the term 0',
      { meta: [note('term', number64(0n))] },
      ['notes error: meta/term is 0, and terms begin with 1'],
    ],
    [
      'a storage version without the fields of 3.5',
      { meta: [note('storageVersion', '3.6.0')] },
      [
        'notes warning: the storage version is 3.6.0, and meta/term, which etcd has since 3.5, is missing',
      ],
    ],
    [
      'a storage version of before there was one',
      { meta: [note('storageVersion', '3.5.0'), note('term', number64(2n))] },
      ['notes warning: the storage version is 3.5.0, and etcd notes it only since 3.6'],
    ],
    [
      'a storage version above that of the cluster',
      {
        cluster: [note('clusterVersion', '3.5.0')],
        meta: [note('storageVersion', '3.7.0'), note('term', number64(2n))],
      },
      [
        'notes warning: the storage version is 3.7.0 and the cluster version 3.5.0, though no downgrade is under way: an etcd between the two refuses to start on it',
      ],
    ],
    [
      'a storage version above that of the cluster while it is downgraded',
      {
        cluster: [
          note('clusterVersion', '3.6.0'),
          note('downgrade', '{"target-version":"3.6.0","enabled":true}'),
        ],
        meta: [note('storageVersion', '3.7.0'), note('term', number64(2n))],
      },
      [],
    ],
    [
      'a compaction that was not begun',
      {
        key: [record(9n, 'a', 0n)],
        meta: [note('finishedCompactRev', revisionKey(7n))],
      },
      ['notes error: the compaction to 7 is finished, and none was begun'],
    ],
    [
      'a compaction that went further than it was to',
      {
        key: [record(9n, 'a', 0n)],
        meta: [
          note('finishedCompactRev', revisionKey(7n)),
          note('scheduledCompactRev', revisionKey(6n)),
        ],
      },
      ['notes error: the compaction to 7 is finished, and only 6 was begun'],
    ],
    [
      'a compaction beyond the last record',
      {
        key: [record(9n, 'a', 0n)],
        meta: [note('scheduledCompactRev', revisionKey(12n))],
      },
      [
        'notes warning: the last record is of revision 9, before the compaction to 12: etcd before 3.4.32 and 3.5.14 would give revisions out again',
      ],
    ],
  ])('%s', async (_, contents, said) => {
    expect((await contentsFindings(buckets(contents))).map(lineOf)).toEqual(said);
  });
});
