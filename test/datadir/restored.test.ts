// Data directories that were restored: by every version's own tool, and with parts left out that a member boots
// without. The next member to join shows what that costs, and the check tells it beforehand.
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openFileSource } from '../../src/bbolt/file-source.ts';
import { RECORD_TYPES, SegmentReader } from '../../src/etcd/datadir/wal-segment.ts';
import { frames, type RecordType } from '../../src/etcd/datadir/wal-testing.ts';
import { runCli } from '../cli/run.ts';
import { directoryForTest } from '../cli/scene.ts';
import { contentsOf, createMember } from '../compatibility/members.ts';
import {
  describeEachVersion,
  describeWithEtcd,
  etcdForSuite,
  etcdForTest,
} from '../servers/for-vitest.ts';
import type { EtcdMember } from '../servers/member.ts';
import { byVersion, ETCD_VERSIONS, type EtcdVersion } from '../servers/versions.ts';
import { saved } from '../store/databases.ts';
import { findingsOf, restored, stopped } from './directories.ts';

type Records = (readonly [RecordType, Uint8Array])[];

const NAMES = Object.fromEntries(
  Object.entries(RECORD_TYPES).map(([name, type]) => [type.toString(), name]),
) as Record<string, RecordType>;

/** Leaves records out of a log of one file, which gets the checksums that belong to the others. */
function rewriteWal(dataDir: string, keep: (records: Records) => Records): void {
  const directory = join(dataDir, 'member', 'wal');
  const path = join(directory, readdirSync(directory).find((name) => name.endsWith('.wal'))!);
  const source = openFileSource(path);
  const records: Records = [];
  for (const { type, data } of new SegmentReader().records(source)) {
    records.push([NAMES[type.toString()]!, Buffer.from(data)]);
  }
  source.close();
  const { bytes } = frames(keep(records));
  writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(4096)]));
}

function removeSnap(dataDir: string): void {
  const directory = join(dataDir, 'member', 'snap');
  for (const name of readdirSync(directory)) {
    if (name.endsWith('.snap')) rmSync(join(directory, name));
  }
}

const withoutLast = (records: Records): Records => records.slice(0, -1);

/** What is left out, and from which version on that does no harm. */
const LAYOUTS = [
  { name: 'A: all of it', harmlessFrom: '3.4.0', change: () => undefined },
  {
    name: 'C: no entries',
    harmlessFrom: '3.4.0',
    change: (dir: string) =>
      rewriteWal(dir, (records) => records.filter(([type]) => type !== 'entry')),
  },
  { name: 'D: no .snap file', harmlessFrom: '3.7.0', change: removeSnap },
  {
    name: 'E: neither the .snap file nor its record in the log',
    harmlessFrom: '9.0.0',
    change: (dir: string) => {
      removeSnap(dir);
      rewriteWal(dir, withoutLast);
    },
  },
  {
    name: 'F: no record in the log',
    harmlessFrom: '9.0.0',
    change: (dir: string) => rewriteWal(dir, withoutLast),
  },
];

/** Adds a member to a running one. @returns once it is healthy */
async function joined(version: EtcdVersion, member: EtcdMember): Promise<EtcdMember> {
  const other = await createMember({ version, name: 'joined', directory: directoryForTest() });
  onTestFinished(() => other.kill());
  await member.gateway.call('/v3/cluster/member/add', { peerURLs: [other.peerUrl] });
  other.start([member, other], 'existing');
  await other.waitUntilHealthy();
  await other.waitUntil('caught up', async () => {
    const [one, two] = await Promise.all([member.gateway.status(), other.gateway.status()]);
    return one.raftIndex === two.raftAppliedIndex;
  });
  return other;
}

/** Of the snapshot. */
const REVISION = 31n;

describeEachVersion('a restored directory', (version) => {
  const cluster = etcdForSuite({ version });
  const snapshotOf = async (): Promise<string> => {
    const { gateway, member } = cluster();
    for (let index = await revision(); index < REVISION; index = await revision()) {
      await gateway.put(`/key-${index % 8n}`, 'value');
    }
    return saved(member);
  };
  const revision = () => cluster().gateway.revision();
  const tool = byVersion(version, '3.5.0') < 0 ? '3.5.35' : version;

  it.each(LAYOUTS)('$name', async ({ harmlessFrom, change }) => {
    const file = await snapshotOf();
    const member = await restored(tool, version, file);
    onTestFinished(() => member.kill());
    change(member.dataDir);
    const isHarmless = byVersion(version, harmlessFrom) >= 0;
    const findings = await findingsOf(member.dataDir, version);
    const silentLoss = expect.stringMatching(
      /^snapshot error: the database is at revision 31, and the log has 0 writes .*: members that join would come up healthy and empty$/,
    ) as string;
    expect(findings).toEqual(isHarmless ? [] : [silentLoss]);
    // It is true, whatever the member says when it starts.
    member.start([member], 'new');
    await member.waitUntilHealthy();
    expect(await member.gateway.count()).toBe(8n);
    const other = await joined(version, member);
    const [here, there] = [await contentsOf(member), await contentsOf(other)];
    if (isHarmless) expect(there).toEqual(here);
    else expect(there.keys).toBe(0n);
    // What such a member writes later does not hide it.
    await member.gateway.put('/later', 'value').catch(() => undefined);
    await other.kill();
    expect(await findingsOf(await stopped(member), version)).toEqual(
      isHarmless ? [] : [expect.stringContaining('would come up healthy and empty')],
    );
  });

  it('is sound as etcdkeep leaves it, with and without a bump', async () => {
    const file = await snapshotOf();
    for (const bump of [[], ['--bump-revision=1000', '--mark-compacted']]) {
      const dataDir = join(directoryForTest(), 'data');
      const { code, stderr } = await runCli([
        'snapshot',
        'restore',
        file,
        `--data-dir=${dataDir}`,
        ...bump,
      ]);
      expect(code, stderr).toBe(0);
      expect(await findingsOf(dataDir, version)).toEqual([]);
    }
  });

  it('is sound as every tool leaves it, where this version starts on it', async () => {
    const file = await snapshotOf();
    for (const by of ETCD_VERSIONS.filter((one) => byVersion(one, '3.5.0') >= 0)) {
      const member = await restored(by, version, file);
      expect([by, await findingsOf(member.dataDir, version)]).toEqual([by, []]);
    }
  });
});

describeWithEtcd('3.7.3', 'a snapshot of another version', () => {
  it('is told where the version refuses it', async () => {
    const cluster = await etcdForTest({ version: '3.7.3' });
    await cluster.gateway.put('/key', 'value');
    const { dataDir } = await restored('3.7.3', '3.6.16', await saved(cluster.member));
    expect(await findingsOf(dataDir, '3.7.3')).toEqual([]);
    expect(await findingsOf(dataDir, '3.6.16')).toEqual([
      'version error: the storage version is 3.7.0: etcd 3.6 refuses to start',
      'version error: the cluster version is 3.7.0: etcd 3.6 panics at its start',
    ]);
    expect(await findingsOf(dataDir, '3.5.35')).toEqual([
      'version warning: the storage version is 3.7.0: etcd 3.5 leaves it there, and an upgrade to a version before that will fail',
    ]);
  });

  it('restored by etcdctl 3.4 has members of before, by which 3.6 does not start', async () => {
    const cluster = await etcdForTest({ version: '3.4.23' });
    await cluster.gateway.put('/key', 'value');
    const file = await saved(cluster.member);
    const { dataDir } = await restored('3.4.23', '3.6.16', file);
    expect(await findingsOf(dataDir, '3.4.23')).toEqual([
      expect.stringMatching(
        /^members warning: the database has the members \w+, and raft has \w+: after an upgrade to 3.6/,
      ),
    ]);
    expect(await findingsOf(dataDir, '3.6.16')).toEqual([
      expect.stringMatching(/^members error: .*: this etcd panics, or never has a leader$/),
    ]);
  });

  it('has entries of before 3.6 that 3.7 panics on, until a snapshot of the state is behind them', async () => {
    const cluster = await etcdForTest({ version: '3.5.35', flags: ['--snapshot-count=20'] });
    const path = await stopped(cluster.member);
    expect(await findingsOf(path, '3.6.16')).toEqual([]);
    const panics =
      /^version error: \d+ entries behind the last snapshot of the state are of an etcd before 3.6: etcd 3.7 panics at its start$/;
    expect(await findingsOf(path, '3.7.3')).toEqual([expect.stringMatching(panics)]);
    const next = await createMember({
      version: '3.7.3',
      name: 'etcd-0',
      directory: join(path, '..'),
    });
    next.start([next], 'existing');
    await next.ended();
    expect(next.logTail).toContain('unmarshal should never fail');

    await cluster.member.restart();
    for (let index = 0; index < 40; index += 1) await cluster.gateway.put('/key', `${index}`);
    expect(await findingsOf(await stopped(cluster.member), '3.7.3')).toEqual([]);
    next.start([next], 'existing');
    onTestFinished(() => next.kill());
    await next.waitUntilHealthy();
  });
});
