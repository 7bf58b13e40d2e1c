// Data directories of real members: read as the members told it before they were stopped, and nothing found but what
// is true.
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import {
  type DataDirectory,
  type MemberDatabase,
  readDataDirectory,
} from '../../src/etcd/datadir/data-directory.ts';
import { startOf } from '../../src/etcd/datadir/directory-start.ts';
import { readSegments } from '../../src/etcd/datadir/wal-reader.ts';
import { segmentOf } from '../../src/etcd/datadir/wal-testing.ts';
import type { EtcdCluster } from '../servers/etcd.ts';
import { describeEachVersion, etcdForTest } from '../servers/for-vitest.ts';
import { byVersion } from '../servers/versions.ts';
import { copied, findingsOf, linesOf, stopped } from './directories.ts';

interface Status {
  readonly header: {
    readonly cluster_id: string;
    readonly member_id: string;
    readonly revision: string;
  };
  readonly raftTerm: string;
  readonly raftIndex: string;
  readonly raftAppliedIndex: string;
}

const databaseOf = ({ database }: DataDirectory): MemberDatabase => database as MemberDatabase;

async function write(cluster: EtcdCluster, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1)
    await cluster.gateway.put(`/key-${index}`, 'value');
}

/**
 * All that a member says of itself, in the numbers of its directory. A write is answered a moment before its index is told as
 * applied (etcd server/etcdserver/server.go, apply).
 */
async function told({ gateway }: EtcdCluster): Promise<Record<string, bigint>> {
  const { header, ...status } = await vi.waitFor(async () => {
    const answer = (await gateway.status()) as unknown as Status;
    expect(answer.raftAppliedIndex).toBe(answer.raftIndex);
    return answer;
  });
  return {
    memberId: BigInt(header.member_id),
    clusterId: BigInt(header.cluster_id),
    revision: BigInt(header.revision),
    term: BigInt(status.raftTerm),
    index: BigInt(status.raftIndex),
    applied: BigInt(status.raftAppliedIndex),
  };
}

function read(directory: DataDirectory): Record<string, bigint | undefined> {
  const { wal } = directory;
  const { notes, revision } = databaseOf(directory);
  return {
    memberId: wal.metadata!.memberId,
    clusterId: wal.metadata!.clusterId,
    revision,
    term: wal.hardState!.term,
    index: startOf(directory).lastIndex,
    applied: notes.consistentIndex,
  };
}

describeEachVersion('the directory of a member', (version) => {
  const isOld = byVersion(version, '3.5.0') < 0;

  it.each([
    ['that is new', 0],
    ['with a log from its first entry on', 40],
    ['that has made snapshots of its state', 200],
  ])('%s is read as the member told it', async (_, writes) => {
    const cluster = await etcdForTest({ version, flags: ['--snapshot-count=50'] });
    await write(cluster, writes);
    const { applied, ...numbers } = await told(cluster);
    const directory = await readDataDirectory(await stopped(cluster.member));
    // 3.4 notes the index only with a write.
    expect(read(directory)).toMatchObject(
      isOld && writes === 0 ? numbers : { ...numbers, applied },
    );
    expect(directory.wal.end.kind).toBe('clean');
    expect(directory.wal.log.writes(0n, 2n ** 64n - 1n)).toBe(writes);
    expect(directory.snapshot === undefined).toBe(writes < 50);
    expect(databaseOf(directory).members).toMatchObject([{ name: 'etcd-0' }]);
    if (writes > 50) expect(directory.snapshot?.v2Members).toMatchObject([{ name: 'etcd-0' }]);
    expect(linesOf(directory)).toEqual([]);
  });

  it('is sound through all that changes the members, of each of them', async () => {
    const cluster = await etcdForTest({
      version,
      size: 3,
      learner: true,
      flags: ['--snapshot-count=30'],
    });
    const { gateway } = cluster;
    const add = async (peerUrl: string) => {
      const body = { peerURLs: [peerUrl], isLearner: true };
      const { member } = (await gateway.call('/v3/cluster/member/add', body)) as {
        member: { ID: string };
      };
      return member.ID;
    };
    const list = async () =>
      ((await gateway.call('/v3/cluster/member/list', {})) as { members: unknown[] }).members;
    const learner = cluster.learner!;
    const { header } = (await learner.gateway.status()) as unknown as Status;
    await gateway.call('/v3/cluster/member/promote', { ID: header.member_id });
    const id = await add('http://127.0.0.1:1');
    await gateway.call('/v3/cluster/member/remove', { ID: id });
    await write(cluster, 45);
    await add('http://127.0.0.1:2');
    expect(await list()).toHaveLength(5);
    for (const member of [...cluster.members, learner]) {
      const path = await stopped(member);
      expect([member.name, await findingsOf(path)]).toEqual([member.name, []]);
      const { wal } = await readDataDirectory(path);
      const members = wal.log.membersFrom(
        wal.snapshots.findLast(({ members }) => members !== undefined),
        wal.log.lastIndex,
      );
      if (!isOld) expect(members?.at(-1)).toMatchObject({ learners: [expect.anything()] });
    }
  });

  it('is sound after it was killed in the middle of writes', async () => {
    const cluster = await etcdForTest({ version, flags: ['--snapshot-count=50'] });
    const writes = write(cluster, 500).catch(() => undefined);
    await cluster.member.waitUntil(
      'written to',
      async () => (await cluster.gateway.count()) > 120n,
    );
    await cluster.member.kill();
    await writes;
    const directory = await readDataDirectory(cluster.member.dataDir);
    expect(linesOf(directory)).toEqual([]);
    const { revision, notes } = databaseOf(directory);
    // What is not in the database yet is in the log.
    const beyond = directory.wal.log.writes(
      notes.consistentIndex! + 1n,
      directory.wal.log.lastIndex,
    );
    await cluster.member.restart();
    const after = BigInt(((await cluster.gateway.status()) as unknown as Status).header.revision);
    expect(after).toBe(revision + BigInt(beyond));
  });

  it('is read where its log has several files', async () => {
    const cluster = await etcdForTest({ version });
    const value = Buffer.alloc(1_000_000, 'x');
    for (let index = 0; index < 70; index += 1)
      await cluster.gateway.put(`/big-${index % 3}`, value);
    const numbers = await told(cluster);
    const directory = await readDataDirectory(await stopped(cluster.member));
    expect(directory.wal.segments).toHaveLength(2);
    expect(read(directory)).toEqual(numbers);
    expect(linesOf(directory)).toEqual([]);
    rmSync(join(directory.walDirectory, directory.wal.segments[0]!));
    expect(await findingsOf(directory.path)).toEqual([
      expect.stringMatching(
        /^log error: the log begins with entry \d+, and this etcd would start from 0: what is between is missing$/,
      ),
    ]);
  });

  it('is told where the log is cut off or changed, as far as it is sound', async () => {
    const cluster = await etcdForTest({ version });
    await write(cluster, 60);
    const { walDirectory, wal } = await readDataDirectory(await stopped(cluster.member));
    const name = wal.segments[0]!;
    const bytes = readFileSync(join(walDirectory, name)).subarray(0, wal.end.offset + 64);
    const again = (changed: Uint8Array) => readSegments([segmentOf(name, changed)]);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length }), (length) => {
        const cut = again(bytes.subarray(0, length));
        expect(cut.end.kind).not.toBe('damaged');
        expect(again(bytes.subarray(0, cut.end.offset))).toMatchObject({
          end: { kind: 'clean', offset: cut.end.offset },
        });
        expect(cut.log.lastIndex <= wal.log.lastIndex).toBe(true);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: wal.end.offset * 8 - 1 }), (bit) => {
        const flipped = Buffer.from(bytes);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        const { end, log } = again(flipped);
        if (end.kind === 'clean' && log.lastIndex === wal.log.lastIndex) {
          expect(log.writes(1n, log.lastIndex)).toBe(60);
        }
      }),
    );
  });

  it('goes on from an older .snap file where the newest is damaged', async () => {
    const cluster = await etcdForTest({ version, flags: ['--snapshot-count=50'] });
    await write(cluster, 120);
    const path = copied(await stopped(cluster.member));
    const snap = join(path, 'member', 'snap');
    const names = readdirSync(snap)
      .filter((name) => name.endsWith('.snap'))
      .sort();
    const bytes = readFileSync(join(snap, names.at(-1)!));
    bytes[bytes.length - 9]! ^= 1;
    writeFileSync(join(snap, names.at(-1)!), bytes);
    const directory = await readDataDirectory(path);
    expect(directory.snapshot?.name).toBe(names.at(-2));
    expect(linesOf(directory)).toEqual(
      byVersion(version, '3.7.0') < 0
        ? [
            `snapshot warning: ${names.at(-1)!} has a checksum that is not that of its bytes: etcd goes on without it`,
          ]
        : [],
    );
    for (const name of names) truncateSync(join(snap, name));
    const without = await readDataDirectory(path);
    expect(without.snapshot).toBeUndefined();
    expect(without.brokenSnapshots).toHaveLength(names.length);
    // All of the log is there still: nobody who joins would miss anything.
    expect(linesOf(without).filter((line) => line.includes('error'))).toEqual([]);
  });
});
