import { describe, expect, it } from 'vitest';
import { DATABASES, readDatabase } from '../../../test/fixtures/databases/databases.ts';
import { readMeta } from '../../bbolt/meta.ts';
import type { PageSource } from '../../bbolt/page-source.ts';
import { bytesSource, type Element } from '../../bbolt/testing.ts';
import { walkTree } from '../../bbolt/walk.ts';
import { buckets, message, number64, revisionKey } from './bucket-testing.ts';
import { checkContents, LeaseReferences } from './check-contents.ts';
import type { ContentsFinding } from './contents-finding.ts';
import { readKeyIndex } from './key-index.ts';
import { RecordVisitor } from './records.ts';
import { readStoreContents } from './store-contents.ts';

/** All that is found in a database, its keys' leases among it. */
async function check(source: PageSource): Promise<string[]> {
  const findings: ContentsFinding[] = [];
  const meta = await readMeta(source);
  const contents = await readStoreContents(source, meta, (finding) => findings.push(finding));
  let last = 0n;
  await walkTree(source, meta, new RecordVisitor(({ main }) => (last = main)));
  findings.push(...checkContents(contents, last));
  const references = new LeaseReferences();
  // What is wrong already may keep the keys from being read.
  if (findings.some(({ rule }) => rule === 'notes')) return findings.map(lineOf);
  for (const { lease } of (await readKeyIndex(source)).inKeyOrder()) references.add(lease);
  findings.push(...references.check(contents));
  return findings.map(lineOf);
}

const lineOf = ({ rule, severity, message: said }: ContentsFinding): string =>
  `${rule} ${severity}: ${said}`;

const MEMBER = 0x8e9e05c52164694dn;
const OTHER = 0x91bc3c398fb3c146n;
const json = (text: string): Buffer => Buffer.from(text);
const member = (id: bigint, peer: string, more = ''): Element => ({
  key: id.toString(16),
  value: json(`{"id":${id},"peerURLs":["http://${peer}:2380"]${more},"name":"${peer}"}`),
});
const lease = (id: bigint, value: Buffer): Element => ({ key: number64(id), value });
const note = (key: string, value: Buffer | string): Element => ({ key, value });
const record = (main: bigint, key: string, ofLease: bigint): Element => ({
  key: revisionKey(main),
  value: message([1, key], [2, main], [3, main], [4, 1n], [5, 'v'], [6, ofLease]),
});
const LEASE = 0x32695410dcc0ca06n;

describe('what etcd keeps besides records', () => {
  // Made by real members of 3.5 to 3.7, by etcdutl and by bbolt.
  it.each(DATABASES)('is without a fault in the database %s', async (name) => {
    expect(await check(bytesSource(readDatabase(name)))).toEqual([]);
  });

  it('is read as it is, ids beyond 2^53 to the last digit', async () => {
    const source = buckets({
      alarm: [{ key: message([1, MEMBER], [2, 1n]) }],
      auth: [note('authEnabled', Buffer.from([1])), note('authRevision', number64(9n))],
      authRoles: [{ key: 'r', value: message([1, 'r'], [2, message([1, 2n], [2, 'a'])]) }],
      authUsers: [
        { key: 'u', value: message([1, 'u'], [2, '$2a$04$x'], [3, 'r'], [3, 's'], [4, '']) },
        { key: 'v', value: message([1, 'v'], [4, message([1, 1n])]) },
      ],
      cluster: [
        note('clusterVersion', '3.6.0'),
        note('downgrade', '{"target-version":"3.5.0","enabled":true}'),
      ],
      lease: [lease(LEASE, message([1, LEASE], [2, 60n], [3, 12n]))],
      members: [member(MEMBER, 'a'), member(OTHER, 'b', ',"isLearner":true')],
      members_removed: [{ key: 'ff', value: 'removed' }],
      meta: [
        note('confState', `{"voters":[${MEMBER}],"learners":[${OTHER}],"auto_leave":false}`),
        note('consistent_index', number64(2n ** 63n + 1n)),
        note('finishedCompactRev', revisionKey(7n)),
        note('scheduledCompactRev', revisionKey(8n)),
        note('storageVersion', '3.6.0'),
        note('term', number64(3n)),
      ],
    });
    const found: ContentsFinding[] = [];
    const contents = await readStoreContents(source, await readMeta(source), (finding) =>
      found.push(finding),
    );
    expect(found).toEqual([]);
    const place = { page: 2, offset: 8192 };
    const read = { id: MEMBER, name: 'a', peerUrls: ['http://a:2380'], clientUrls: [] };
    expect(contents.members).toMatchObject([
      { ...read, isLearner: false, ...place },
      { id: OTHER, isLearner: true },
    ]);
    expect(contents.membersRemoved).toEqual([{ id: 255n, ...place }]);
    expect(contents.alarms).toEqual([{ memberId: MEMBER, type: 'NOSPACE', ...place }]);
    expect(contents.users).toEqual([
      { name: 'u', roles: ['r', 's'], hasPassword: true, ...place },
      { name: 'v', roles: [], hasPassword: false, ...place },
    ]);
    expect(contents.roles).toEqual([{ name: 'r', permissions: 1, ...place }]);
    expect([...contents.leases.values()]).toEqual([LEASE]);
    expect(contents.notes).toMatchObject({
      consistentIndex: 2n ** 63n + 1n,
      term: 3n,
      confState: { voters: [MEMBER], learners: [OTHER] },
      scheduledCompactRevision: 8n,
      finishedCompactRevision: 7n,
      storageVersion: '3.6.0',
      clusterVersion: '3.6.0',
      downgrade: { isEnabled: true, targetVersion: '3.5.0' },
      authEnabled: true,
      authRevision: 9n,
    });
    expect(contents.notes.placeOf('meta/term')).toEqual(place);
  });

  it.each<[string, Record<string, Element[]>, string[]]>([
    [
      'a lease under a key of another size',
      { lease: [{ key: 'short', value: '' }] },
      ['lease error: a lease has a key of 5 bytes, not 8'],
    ],
    [
      'a lease that is none',
      { lease: [lease(0x1an, json('\x08'))] },
      ['lease error: the value of lease 000000000000001a is no lease'],
    ],
    [
      'a lease of another id',
      { lease: [lease(LEASE, message([1, LEASE + 1n], [2, 60n]))] },
      ['lease error: lease 32695410dcc0ca06 says that it is lease 32695410dcc0ca07'],
    ],
    [
      'a lease without a time to live',
      { lease: [lease(LEASE, message([1, LEASE]))] },
      ['lease error: lease 32695410dcc0ca06 has a time to live of 0 s'],
    ],
    [
      'a lease with more left than it had',
      { lease: [lease(LEASE, message([1, LEASE], [2, 5n], [3, 6n]))] },
      [
        'lease warning: lease 32695410dcc0ca06 has 6 s left of 5 s, which etcd would not have given',
      ],
    ],
    [
      'a lease that lives longer than etcd lets it',
      { lease: [lease(LEASE, message([1, LEASE], [2, 9_000_000_001n]))] },
      [
        'lease warning: lease 32695410dcc0ca06 has 0 s left of 9000000001 s, which etcd would not have given',
      ],
    ],
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
      'a member under what is no id',
      { members: [{ key: 'x\n', value: '{}' }] },
      ['member error: bucket members has the key "x\\u000a", which is no id'],
    ],
    [
      'a member that is no JSON',
      { members: [{ key: '8e9e05c52164694d', value: '{"id":' }] },
      ['member error: the entry of member 8e9e05c52164694d is no JSON object'],
    ],
    [
      'a member that is nested deeper than can be read',
      { members: [{ key: '1f', value: `${'['.repeat(1000)}${']'.repeat(1000)}` }] },
      ['member error: the entry of member 1f is no JSON object'],
    ],
    [
      'a member without an id',
      { members: [{ key: '1f', value: '{"peerURLs":[]}' }] },
      ['member error: the entry of member 1f has no id that is a number of 64 bits'],
    ],
    [
      'a member whose URLs are none',
      { members: [{ key: '1f', value: '{"id":31,"peerURLs":[7]}' }] },
      ['member error: the entry of member 1f has URLs that are no texts'],
    ],
    [
      'a member under the id of another',
      { members: [{ ...member(MEMBER, 'a'), key: '1f' }] },
      ['member error: the entry of member 1f says that it is 8e9e05c52164694d'],
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
      'a removed member that is none',
      { members_removed: [{ key: '12345678123456781', value: 'removed' }] },
      ['member error: bucket members_removed has the key "12345678123456781", which is no id'],
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
      'a list in raft that is none',
      { meta: [note('confState', '{"voters":["a"]}')] },
      ['notes error: meta/confState has ids that are no numbers'],
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
      'an alarm that is none',
      { alarm: [{ key: '\x0a\x01a' }] },
      ['alarm error: a key of bucket alarm is no alarm'],
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
      'authentication that is neither on nor off, at a revision that is none',
      { auth: [note('authEnabled', Buffer.from([2])), note('authRevision', 'abc')] },
      [
        'auth error: auth/authEnabled is neither 0 nor 1',
        'auth error: auth/authRevision is 3 bytes long, not 8',
      ],
    ],
    [
      'a user and a role that are none, or others',
      {
        authRoles: [{ key: 'r', value: '\x08\x01' }],
        authUsers: [
          { key: 'u', value: '\x0a\x09' },
          { key: 'v', value: message([1, 'w']) },
        ],
      },
      [
        'auth error: the entry of role "r" is no role',
        'auth error: the entry of user "u" is no user',
        'auth error: the entry of user "v" says that it is "w"',
      ],
    ],
    [
      'notes of another size',
      {
        meta: [
          note('consistent_index', 'abc'),
          note('finishedCompactRev', revisionKey(7n, 0n, 't')),
          note('scheduledCompactRev', 'abc'),
          note('term', ''),
        ],
      },
      [
        'notes error: meta/consistent_index is 3 bytes long, not 8',
        'notes error: the revision meta/finishedCompactRev is 18 bytes long, not 17',
        'notes error: the revision meta/scheduledCompactRev is 3 bytes long, not 17 or 18',
        'notes error: meta/term is 0 bytes long, not 8',
      ],
    ],
    [
      'versions and a downgrade that are none',
      {
        cluster: [note('clusterVersion', 'new'), note('downgrade', '{"enabled":1}')],
        meta: [note('storageVersion', '3.6')],
      },
      [
        'notes error: cluster/clusterVersion is "new", which is no version',
        'notes error: cluster/downgrade does not say whether one is under way',
        'notes error: meta/storageVersion is "3.6", which is no version',
      ],
    ],
    [
      'a downgrade to nowhere',
      { cluster: [note('downgrade', '{"target-version":"","enabled":true}')] },
      ['notes error: cluster/downgrade is to what is no version'],
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
    expect(await check(buckets(contents))).toEqual(said);
  });

  it('says where it lies', async () => {
    const found: ContentsFinding[] = [];
    const source = buckets({ members: [{ key: '1f', value: '' }] });
    await readStoreContents(source, await readMeta(source), (finding) => found.push(finding));
    expect(found).toMatchObject([{ rule: 'member', severity: 'error', page: 2, offset: 8192 }]);
  });

  it('is not kept where it is more than any cluster has', async () => {
    const name = 'n'.repeat(1000);
    const many = Array.from({ length: 40_000 }, (_, index) => {
      const id = BigInt(index + 0x10000);
      return { key: id.toString(16), value: json(`{"id":${id},"name":"${name}"}`) };
    });
    const source = buckets({ members: many });
    const found: ContentsFinding[] = [];
    const contents = await readStoreContents(source, await readMeta(source), (finding) =>
      found.push(finding),
    );
    expect(found.map(({ message: said }) => said)).toEqual([
      expect.stringMatching(/^bucket members is larger than in any cluster: from "\w+" on it was/),
    ]);
    expect(contents.members.length).toBeLessThan(40_000);
  });
});
