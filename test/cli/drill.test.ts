// drill, of real backups of every version: a real etcd reads all of it back, takes writes and gets a second member.
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, expect, it } from 'vitest';
import { saveCluster } from '../compatibility/restored.ts';
import { BUMPED, samplesForSuite, samplesOf, UNFINISHED } from '../compatibility/samples.ts';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { temporaryDirectory } from '../servers/directories.ts';
import { startEtcd } from '../servers/etcd.ts';
import { describeEachVersion, describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { ETCD_VERSIONS, type EtcdVersion } from '../servers/versions.ts';
import { drill, drillJson, etcdFlag, faultyEtcd, withAnotherValue } from './drilled.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { directoryForTest, flagsFor, hostForSuite } from './scene.ts';
import { listingOf, untouched } from './untouched.ts';

const NEWEST = ETCD_VERSIONS.at(-1)!;

describeEachVersion('a drill of snapshots', (version) => {
  const sample = samplesForSuite(version);
  const wanted = [UNFINISHED, BUMPED, "a cluster's data", 'all of it compacted'];

  it.each(samplesOf(version).filter((name) => wanted.includes(name)))('%s', async (name) => {
    const { file, live, printed } = sample(name);
    const { code, stderr, document } = await drillJson(file, await etcdFlag(version));
    expect(code, stderr).toBe(0);
    expect(document).toMatchObject({
      result: 'good',
      reasons: [],
      snapshot: { revision: `${live.revision}`, hashKV: live.hash },
      etcd: { version },
      compared: { keys: Number(live.keys) },
      grown: { revision: `${live.revision + 1}` },
      written: { keys: 1000 },
      followed: { revision: `${live.revision + 1002}`, compactRevision: `${live.revision + 501}` },
      recorded: false,
    });
    expect(document.defragmented!.bytesBefore).toBeGreaterThanOrEqual(printed.totalSize);
    expect(document.defragmented!.bytesAfter).toBeLessThanOrEqual(printed.totalSize + 100_000);
  });

  if (version === NEWEST) return;
  it('on the newest etcd, and that is said', async () => {
    const { file, live } = sample("a cluster's data");
    const outcome = await drill([file, await etcdFlag(NEWEST)]);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stdout).toMatch(
      new RegExp(`^etcd +${NEWEST} at /.*; the backup is of .*, which a later one reads`, 'm'),
    );
    expect(outcome.stdout).toMatch(
      new RegExp(`^compared +revision ${live.revision} and HashKV ${live.hash} are`, 'm'),
    );
  });
});

describeEachVersion('a cluster with authentication and leases', (version) => {
  it('is drilled without a password, and that is said', async () => {
    const directory = directoryForTest();
    const { file, live } = await saveCluster(version, directory);
    const outcome = await untouched(directory, () => drillWith(version, file));
    expect(outcome.stdout).toMatch(/^ +in the scratch copy alone: authentication turned off: /m);
    expect(outcome.stdout).toMatch(/, revisions as they were; 4 leases$/m);
    expect(outcome.stdout).toMatch(
      new RegExp(`^compared +revision ${live.revision} and HashKV ${live.hash} are`, 'm'),
    );
  });

  it('with an alarm, and leases that end while the drill goes on', async () => {
    await using etcd = await startEtcd({ version });
    const { gateway, member } = etcd;
    const lease = await gateway.grantLease(2);
    for (let key = 0; key < 20; key += 1) await gateway.put(`/leased/${key}`, 'soon gone', lease);
    const { header } = await gateway.status();
    const { member_id: memberID, revision } = header as { member_id: string; revision: string };
    await gateway.call('/v3/maintenance/alarm', { action: 'ACTIVATE', memberID, alarm: 'NOSPACE' });
    const file = join(directoryForTest(), 'alarmed.db');
    const saved = await runCli(['snapshot', 'save', file, ...flagsFor(member)]);
    expect(saved.code, saved.stderr).toBe(0);
    const patient = await faultyEtcd(version, '[ $NUMBER = 2 ] && sleep 4');
    const { code, document } = await drillJson(file, `--etcd=${patient}`);
    expect(code).toBe(0);
    expect(document).toMatchObject({
      restored: { leases: 1, changes: ['alarm NOSPACE cleared: it refuses writes'] },
      compared: { keys: 20, bytes: 180 },
      // The end of the lease, and the write that both members agreed on.
      grown: { revision: `${Number(revision) + 2}` },
    });
  });
});

async function drillWith(version: EtcdVersion, file: string) {
  const outcome = await drill([file, await etcdFlag(version)]);
  expect(outcome.code, outcome.stderr).toBe(0);
  expect(outcome.stdout).toMatch(/^verdict +GOOD after \d+:\d\d, /m);
  return outcome;
}

const VERSION = '3.6.16';

describeWithEtcd(VERSION, 'a backup of a host', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  const host = hostForSuite(etcd);
  const taken = temporaryDirectory();
  let names: string[];
  let keys: number;
  beforeAll(async () => {
    keys = (await loadKubernetes(etcd().gateway, { objects: 300, operations: 16 })).live.size;
    const outcome = await runCli(['backup', '--root', host().root, taken]);
    expect(outcome.code, outcome.stderr).toBe(0);
    names = (await readdir(taken)).sort();
  });

  async function copied() {
    const directory = directoryForTest();
    for (const name of names) await copyFile(join(taken, name), join(directory, name));
    const [record, snapshot, resources] = names.map((name) => join(directory, name));
    return { directory, record: record!, snapshot: snapshot!, resources: resources! };
  }

  it('is good: a person reads what was done, the record and the list say it', async () => {
    const { directory, record, snapshot, resources } = await copied();
    const before = await listingOf(directory);
    const { code, stdout, stderr } = await drill([directory, await etcdFlag(VERSION)]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.replaceAll(/\d+:\d\d/g, 'TIME').replaceAll(/\b\d{5,}\b/g, 'N')).toMatch(
      new RegExp(
        [
          '^backup {6}\\S+, of ip-10-0-1-2\\S*, taken \\d+ seconds? ago .*',
          `files {7}digest equal to the trailer; \\d+ pages sound; .* ${keys} keys, HashKV N; 4 static pods in \\d+ members`,
          'restored {4}\\S+ .B as a cluster of one member in the place of 1, revisions as they were; 3 leases',
          `etcd {8}3.6.16 at /.*/etcd, the very version that the backup is of`,
          "compared {4}revision \\d+ and HashKV N are the snapshot's",
          ` {12}${keys} keys, \\S+ .B: value, lease, revisions, version equal`,
          'works {7}defragmented: \\S+ .B before, \\S+ .B after',
          ' {12}a second member joined empty, got all of it and votes: HashKV N at revision \\d+ on both',
          ' {12}1,000 keys written and read, the past compacted: HashKV N at revision \\d+ on both',
          "proves {6}etcd's data: .*",
          'not {9}operators, nodes and volumes; .*',
          'verdict {5}GOOD after TIME, written to the record\n$',
        ].join('\n'),
      ),
    );
    const { verdicts } = JSON.parse(await readFile(record, 'utf8')) as { verdicts: object[] };
    expect(verdicts).toMatchObject([{ kind: 'drill', result: 'good', etcd: VERSION }]);
    const after = await listingOf(directory);
    for (const path of [snapshot, resources]) {
      const name = path.slice(directory.length + 1);
      expect(after[name]).toBe(before[name]);
    }
    const list = await runCli(['list', directory]);
    expect(list.stdout).toMatch(/ {3}drilled \d+s ago on etcd 3\.6\.16$/m);
    const show = await runCli(['show', directory]);
    expect(show.stdout).toMatch(/^proven +drilled \d+ seconds? ago on etcd 3\.6\.16 by etcdkeep /m);
  });

  it('is bad where the snapshot is not that of the record, although it is one by itself', async () => {
    const { directory, record, snapshot } = await copied();
    const { document } = await drillJson(await withAnotherValue(snapshot), await etcdFlag(VERSION));
    // By itself, nothing tells what the value was.
    expect(document).toMatchObject({ result: 'good', compared: { keys } });
    await copyFile(await withAnotherValue(snapshot), snapshot);
    const outcome = await drill([directory, await etcdFlag(VERSION)]);
    expect(expectFailure(outcome, 'backup-bad', 4).message).toBe(
      "the snapshot's digest is not the one in its record",
    );
    expect(outcome.stdout).not.toMatch(/^restored/m);
    const { verdicts } = JSON.parse(await readFile(record, 'utf8')) as { verdicts: object[] };
    expect(verdicts).toMatchObject([{ kind: 'drill', result: 'bad' }]);
    expect((await runCli(['list', directory])).stdout).toMatch(/ {3}BAD \d+s ago$/m);
  });

  it('without its static resources: all is drilled, and it is unproven', async () => {
    const { directory, snapshot } = await copied();
    const apart = directoryForTest();
    await copyFile(snapshot, join(apart, names[1]!));
    const failure = await drill([apart, await etcdFlag(VERSION)]);
    expect(expectFailure(failure, 'backup-unproven', 5).message).toMatch(/no static resources/);
    expect(failure.stdout).toMatch(/^proves /m);
    const found = await drill([
      apart,
      await etcdFlag(VERSION),
      `--static-resources-dir=${directory}`,
    ]);
    expect(found.code, found.stderr).toBe(0);
  });

  it('that another tool has compressed', async () => {
    const { snapshot } = await copied();
    const file = join(directoryForTest(), 'packed.db.gz');
    await writeFile(file, gzipSync(await readFile(snapshot)));
    const { code, document } = await drillJson(file, await etcdFlag(VERSION));
    expect(code).toBe(0);
    expect(document).toMatchObject({ result: 'good', compared: { keys } });
  });

  it('a copy of a database, which has no digest: all is drilled, and it is unproven', async () => {
    const { snapshot } = await copied();
    const file = join(directoryForTest(), 'db');
    await writeFile(file, (await readFile(snapshot)).subarray(0, -32));
    const outcome = await drill([file, await etcdFlag(VERSION)]);
    expect(expectFailure(outcome, 'backup-unproven', 5).message).toMatch(/carries no digest/);
    expect(outcome.stdout).toMatch(/^proves /m);
  });
});
