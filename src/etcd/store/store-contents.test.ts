import { describe, expect, it } from 'vitest';
import { readMeta } from '../../bbolt/meta.ts';
import type { Element } from '../../bbolt/testing.ts';
import {
  buckets,
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
import type { ContentsFinding } from './contents-finding.ts';
import { readStoreContents } from './store-contents.ts';

/** What is found while the buckets are read. */
async function read(contents: Record<string, Element[]>): Promise<ContentsFinding[]> {
  const findings: ContentsFinding[] = [];
  const source = buckets(contents);
  await readStoreContents(source, await readMeta(source), (finding) => findings.push(finding));
  return findings;
}

describe('StoreContents', () => {
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
      { lease: [lease(0x1an, Buffer.from([8]))] },
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
      'a removed member that is none',
      { members_removed: [{ key: '12345678123456781', value: 'removed' }] },
      ['member error: bucket members_removed has the key "12345678123456781", which is no id'],
    ],
    [
      'a list in raft that is none',
      { meta: [note('confState', '{"voters":["a"]}')] },
      ['notes error: meta/confState has ids that are no numbers'],
    ],
    [
      'an alarm that is none',
      { alarm: [{ key: '\x0a\x01a' }] },
      ['alarm error: a key of bucket alarm is no alarm'],
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
  ])('%s', async (_, contents, said) => {
    expect((await read(contents)).map(lineOf)).toEqual(said);
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
      return { key: id.toString(16), value: `{"id":${id},"name":"${name}"}` };
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
