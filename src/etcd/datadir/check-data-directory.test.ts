// What is found in directories that were put together by hand; test/datadir has those of real members.
import { describe, expect, it } from 'vitest';
import { EtcdkeepError } from '../../base/errors.ts';
import type { Member } from '../store/member.ts';
import { StoreNotes } from '../store/store-notes.ts';
import { checkDataDirectory } from './check-data-directory.ts';
import type { DataDirectory, MemberDatabase, StateSnapshot } from './data-directory.ts';
import { readSegments } from './wal-reader.ts';
import {
  entry,
  hardState,
  metadata,
  put,
  type RecordType,
  segmentBytes,
  segmentOf,
  snapshotRecord,
} from './wal-testing.ts';

type Records = readonly (readonly [RecordType, Uint8Array])[];

const MEMBER: Member = {
  id: 5n,
  name: 'a',
  peerUrls: ['http://a:2380'],
  clientUrls: [],
  isLearner: false,
};

const SNAPSHOT: StateSnapshot = {
  name: '0000000000000001-0000000000000002.snap',
  index: 2n,
  term: 1n,
  members: { voters: [5n], learners: [] },
  v2Members: [MEMBER],
  hasV2Store: true,
};

/** As a restore leaves it: a snapshot of entry 2, and nothing behind it. */
const RESTORED: Records = [
  ['metadata', metadata(5n, 7n)],
  ['snapshot', snapshotRecord(0n, 0n)],
  ['state', hardState(1n, 5n, 2n)],
  ['snapshot', snapshotRecord(2n, 1n, 5n)],
];

interface Parts {
  readonly records?: Records;
  readonly notes?: Partial<StoreNotes>;
  readonly directory?: Partial<DataDirectory>;
  readonly database?: Partial<MemberDatabase>;
}

function directoryOf({
  records = RESTORED,
  notes = {},
  directory,
  database,
}: Parts): DataDirectory {
  const all = Object.assign(new StoreNotes(() => undefined), { consistentIndex: 2n, ...notes });
  return {
    path: '/d',
    databasePath: '/d/member/snap/db',
    walDirectory: '/d/member/wal',
    wal: readSegments([segmentOf('0000000000000000-0000000000000000.wal', segmentBytes(records))]),
    snapshot: SNAPSHOT,
    unknownSnapshots: [],
    brokenSnapshots: [],
    receivedDatabases: [],
    database: { bytes: 0, notes: all, members: [MEMBER], revision: 40n, findings: [], ...database },
    ...directory,
  };
}

const found = (parts: Parts, version = '3.6.16'): string[] =>
  [...checkDataDirectory(directoryOf(parts), version)].map(
    ({ rule, severity, message }) => `${rule} ${severity}: ${message}`,
  );

const VERSIONS = ['3.4.23', '3.5.35', '3.6.16', '3.7.3'];
const without = (type: RecordType): Records => RESTORED.filter((record) => record[0] !== type);

describe('a restored directory', () => {
  it.each(VERSIONS)('is sound for etcd %s', (version) => expect(found({}, version)).toEqual([]));

  it.each<[string, Parts, RegExp, readonly string[]]>([
    [
      'no index in the database',
      { notes: { consistentIndex: undefined } },
      /^consistent-index error: the database does not say at which entry it is, .* panics/,
      VERSIONS,
    ],
    [
      'an index before the snapshot',
      { notes: { consistentIndex: 1n } },
      /^consistent-index error: the database is at entry 1, .* of entry 2/,
      VERSIONS,
    ],
    [
      'an index beyond the log',
      { notes: { consistentIndex: 1000n } },
      /^consistent-index error: .* at entry 1000, and the log ends with 2: .* drops/,
      VERSIONS,
    ],
    [
      'commits that are not there',
      { records: [...RESTORED, ['state', hardState(1n, 5n, 9n)]] },
      /^log error: .* entry 9 is committed, and ends with 2/,
      VERSIONS,
    ],
    [
      'entries that do not follow',
      {
        records: [
          ...RESTORED.slice(0, 3),
          ['snapshot', snapshotRecord(2n, 1n, 5n)],
          ['state', hardState(1n, 5n, 2n)],
          ['snapshot', snapshotRecord(4n, 1n, 5n)],
          ['entry', entry(5n, 1n)],
          ['state', hardState(1n, 5n, 2n)],
        ],
      },
      /^log error: the log begins with entry 5, and this etcd would start from 2/,
      VERSIONS,
    ],
    [
      'a .snap file without voters',
      { directory: { snapshot: { ...SNAPSHOT, members: undefined } } },
      /^snapshot error: .* does not say who votes/,
      VERSIONS.slice(0, 3),
    ],
    [
      'a .snap file without a store',
      { directory: { snapshot: { ...SNAPSHOT, hasV2Store: false, v2Members: 'is no JSON' } } },
      /^snapshot error: .* etcd 2 that is missing/,
      VERSIONS.slice(0, 3),
    ],
    [
      'a .snap file with no members',
      { directory: { snapshot: { ...SNAPSHOT, v2Members: [] } } },
      /^members error: .* has the members none, and raft has 5 there/,
      VERSIONS.slice(0, 2),
    ],
    [
      'no members in the database',
      { database: { members: [] } },
      /^members error: the database has the members none, and raft has 5: this etcd panics/,
      VERSIONS.slice(2),
    ],
    [
      'a learner that raft lets vote',
      { database: { members: [{ ...MEMBER, isLearner: true }] } },
      /^members error: the database has the members 5 \(learner\), and raft has 5:/,
      VERSIONS.slice(2),
    ],
    [
      'a version that is newer',
      { notes: { clusterVersion: '3.8.0' } },
      /^version error: the cluster version is 3.8.0: etcd 3.\d panics/,
      VERSIONS.slice(2),
    ],
    ['no log', { records: [] }, /^wal error: the log does not say whose it is/, VERSIONS],
    [
      'a database that cannot be read',
      {
        directory: {
          database: new EtcdkeepError('database-damaged', 'neither meta page can be used'),
        },
      },
      /^database error: the database cannot be read: neither meta page/,
      VERSIONS,
    ],
    [
      'a database that contradicts itself',
      {
        database: {
          findings: [
            {
              rule: 'member',
              severity: 'error',
              message: 'the entry of member 5 is no JSON object',
              page: 1,
              offset: 2,
            },
          ],
        },
      },
      /^database error: the entry of member 5/,
      VERSIONS,
    ],
  ])('with %s', (_, parts, line, versions) => {
    for (const version of VERSIONS) {
      const errors = found(parts, version).filter((one) => / error: /.test(one));
      const matching = errors.filter((one) => line.test(one));
      expect([version, matching.length > 0]).toEqual([version, versions.includes(version)]);
    }
  });

  it('without a state of raft has no leader before 3.7', () => {
    const records: Records = [...without('state')];
    // Without it nothing is committed, so the log's own snapshot does not count either.
    const lines = found({ records, directory: { snapshot: SNAPSHOT } });
    expect(lines).toContain(
      'log error: the log has no state of raft: this etcd would never have a leader',
    );
  });

  it('takes a database that a leader has sent', () => {
    const parts = { notes: { consistentIndex: 1n }, directory: { receivedDatabases: [2n] } };
    expect(found(parts)).toEqual([]);
  });
});

describe('a log from its first entry on', () => {
  const log = (writes: number): Records => [
    ['metadata', metadata(5n, 7n)],
    ['snapshot', snapshotRecord(0n, 0n)],
    ['entry', entry(1n, 1n, Buffer.from([0x10, 0, 0x18, 5]), 1n)],
    ...Array.from(
      { length: writes },
      (_, at) => ['entry', entry(BigInt(at + 2), 2n, put('k'))] as const,
    ),
    ['state', hardState(2n, 5n, BigInt(writes + 1))],
  ];
  const parts = (writes: number, revision: bigint): Parts => ({
    records: log(writes),
    notes: { consistentIndex: BigInt(writes + 1) },
    database: { revision },
    directory: { snapshot: undefined },
  });

  it.each([
    [0, 1n, false],
    [9, 10n, false],
    [9, 4n, false],
    [9, 11n, true],
    [0, 2n, true],
  ])('of %d writes, and a database at revision %d', (writes, revision, isLost) => {
    for (const version of VERSIONS) {
      const lines = found(parts(writes, revision), version);
      expect(lines).toEqual(isLost ? [expect.stringContaining('come up healthy and empty')] : []);
    }
  });

  it('counts only writes that the database has', () => {
    const lines = found({ ...parts(9, 8n), notes: { consistentIndex: 5n } });
    expect(lines).toEqual([expect.stringContaining('the database is at revision 8')]);
  });

  it('says where the last write is cut off', () => {
    const whole = segmentBytes(log(3));
    const wal = readSegments([
      segmentOf('0000000000000000-0000000000000000.wal', whole.subarray(0, -4)),
    ]);
    const lines = found({ ...parts(3, 4n), directory: { snapshot: undefined, wal } });
    expect(lines[0]).toMatch(
      /^wal warning: the last write to the log is not there as a whole: .*; etcd cuts it off$/,
    );
  });
});
