// What a lost quorum is planned from, and what it is not.
import { readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openFileSource } from '../../src/bbolt/file-source.ts';
import { readSegments } from '../../src/etcd/datadir/wal-reader.ts';
import { FIRST_WAL } from '../../src/etcd/datadir/wal-writer.ts';
import { createMember } from '../compatibility/members.ts';
import { copied, damageLog, restored, stopped } from '../datadir/directories.ts';
import { describeWithEtcd, etcdForTest } from '../servers/for-vitest.ts';
import type { EtcdMember } from '../servers/member.ts';
import { saved } from '../store/databases.ts';
import { expectFailure } from './failure.ts';
import { directoryFlags, planned, write } from './quorum.ts';
import { runCli } from './run.ts';
import { directoryForTest } from './scene.ts';

describeWithEtcd('3.6.16', 'a lost quorum', () => {
  it('is none while a majority serves', async () => {
    const cluster = await etcdForTest({ version: '3.6.16', size: 3 });
    const refuse = async (...flags: string[]) => {
      const outcome = await runCli(['quorum-restore', ...flags]);
      return expectFailure(outcome, 'quorum-alive', 3);
    };
    const all = `--endpoints=${cluster.endpoints.join(',')}`;
    expect((await refuse(all)).message).toMatch(/^a quorum lives: etcd-\d serves reads/);
    await cluster.members[2]!.kill();
    await cluster.member.waitUntilHealthy();
    await refuse(all);
    // Also where the one that serves is asked because its directory is in use.
    await refuse(...directoryFlags(cluster.members.slice(0, 1)), `--endpoints=${cluster.endpoint}`);
  });

  it('is read of a member that runs: its log from the disk, its database from itself', async () => {
    const cluster = await etcdForTest({ version: '3.6.16', size: 3 });
    await write(cluster, 10, 'key');
    await cluster.members[1]!.kill();
    await cluster.members[2]!.kill();
    const running = directoryFlags(cluster.members.slice(0, 1));
    const plan = await planned([...running, `--endpoints=${cluster.endpoints.join(',')}`]);
    expect(plan.members).toHaveLength(1);
    expect(plan.members[0]).toMatchObject({
      name: 'etcd-0',
      revision: '11',
      heldBy: [{ pid: cluster.member.pid, program: 'etcd' }],
      unfit: [],
    });
    expect(plan.members[0]!.term).toBeDefined();
    expect(plan.silent.map(({ code }) => code)).toEqual([
      'connection-refused',
      'connection-refused',
    ]);
    expect(plan.isComplete).toBe(false);
    const { stdout } = await runCli(['quorum-restore', ...running]);
    expect(stdout).toMatch(
      /a member runs on it \(etcd, process \d+\): its database was not read; name its endpoint/,
    );
    expect(stdout).toMatch(
      /^lost {8}writes may be missing that only members have which were not read/m,
    );
    // Of an endpoint alone it is not known how far its log goes.
    const asked = await planned([`--endpoints=${cluster.endpoint}`]);
    expect(asked.members[0]).toMatchObject({ revision: '11', unfit: [] });
    expect(asked.members[0]!.term).toBeUndefined();
    expect(asked.votersSeen).toEqual([]);
  });

  it('is not planned from what is damaged, a learner, or was removed', async () => {
    const cluster = await etcdForTest({ version: '3.6.16', size: 3, learner: true });
    await write(cluster, 40, 'key');
    const third = cluster.members[2]!;
    const { header } = (await third.gateway.status()) as { header: { member_id: string } };
    await stopped(third);
    await write(cluster, 5, 'removed');
    await cluster.gateway.call('/v3/cluster/member/remove', { ID: header.member_id });
    for (const member of [...cluster.members.slice(0, 2), cluster.learner!]) await stopped(member);
    const [one, two] = cluster.members as [EtcdMember, EtcdMember];
    const damaged = copied(one.dataDir);
    damageLog(damaged, 'key-7');
    const flags = [`--data-dir=one=${damaged}`, ...directoryFlags([two, third, cluster.learner!])];
    const plan = await planned(flags);
    expect(plan.newest).toBe(two.name);
    const reasons = Object.fromEntries(plan.members.map(({ name, unfit }) => [name, unfit]));
    expect(reasons).toEqual({
      [two.name]: [],
      one: expect.arrayContaining([
        expect.stringMatching(/^the log is damaged, and etcd does not start on it: /),
      ]) as unknown,
      [third.name]: [
        expect.stringMatching(/^it is member \w+, which is none of the cluster any more$/),
      ],
      'etcd-learner': [expect.stringMatching(/^it is a learner: /)],
    });
    const cut = copied(two.dataDir);
    truncateSync(join(cut, 'member/snap/db'), 12_288);
    const outcome = await runCli([
      'quorum-restore',
      `--data-dir=one=${damaged}`,
      `--data-dir=two=${cut}`,
    ]);
    const failure = expectFailure(outcome, 'no-member-to-start');
    expect(failure.rows.get('one')).toMatch(/^the log is damaged/);
    expect(failure.rows.get('two')).toMatch(/^the database cannot be read: /);
  });

  it('names a torn end of a log, and goes on', async () => {
    const cluster = await etcdForTest({ version: '3.6.16' });
    await write(cluster, 20, 'key');
    const torn = copied(await stopped(cluster.member));
    const wal = join(torn, 'member/wal', walOf(torn));
    const { members } = await planned([`--data-dir=whole=${cluster.member.dataDir}`]);
    truncateSync(wal, endOf(wal) - 8);
    const { code, stdout } = await runCli(['quorum-restore', `--data-dir=torn=${torn}`]);
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(
        /warning: the last write to the log is not there as a whole: .*; etcd cuts it off/,
      ),
    ]);
    expect(members[0]!.unfit).toEqual([]);
  });

  it('is not planned from members of more than one cluster', async () => {
    const [one, two] = await Promise.all([
      etcdForTest({ version: '3.6.16', names: ['a'] }),
      etcdForTest({ version: '3.6.16', names: ['b'] }),
    ]);
    await write(one, 5, 'key');
    const snapshot = await saved(one.member);
    const flags = directoryFlags([one.member, two.member]);
    await stopped(one.member);
    await stopped(two.member);
    const failure = expectFailure(await runCli(['quorum-restore', ...flags]), 'clusters-differ', 3);
    expect(failure.rows.get('cluster')).toMatch(/^\w+: [ab]$/);

    // Two restores with the same arguments have one cluster id, and each its own history from there on.
    const first = await restored('3.6.16', '3.6.16', snapshot);
    first.start([first], 'new');
    onTestFinished(() => first.kill());
    await first.waitUntilHealthy();
    await first.gateway.put('/one', 'value');
    await first.restart();
    await first.gateway.put('/more', 'value');
    const kept = copied(await stopped(first));
    rmSync(first.dataDir, { recursive: true });
    const by = await createMember({
      version: '3.6.16',
      name: 'tool',
      directory: directoryForTest(),
    });
    const cluster = [
      `--initial-cluster=restored=${first.peerUrl}`,
      `--initial-advertise-peer-urls=${first.peerUrl}`,
    ];
    await by.etcdutl([
      'snapshot',
      'restore',
      snapshot,
      '--name=restored',
      `--data-dir=${first.dataDir}`,
      ...cluster,
    ]);
    await first.restart();
    for (let index = 0; index < 6; index += 1) await first.gateway.put('/other', `${index}`);
    const again = await stopped(first);
    const both = [`--data-dir=before=${kept}`, `--data-dir=after=${again}`];
    const histories = expectFailure(
      await runCli(['quorum-restore', ...both]),
      'clusters-differ',
      3,
    );
    expect(histories.message).toMatch(
      /have one cluster id and two histories: entry \d+, which both take for agreed on/,
    );
  });

  it('is refused where nothing is named and this is no host, or what is named is nothing', async () => {
    const nowhere = directoryForTest();
    const failure = expectFailure(
      await runCli(['quorum-restore', `--root=${nowhere}`]),
      'not-a-control-plane-host',
    );
    expect(failure.message).toMatch(/not a control-plane host/);
    expectFailure(
      await runCli(['quorum-restore', `--data-dir=${nowhere}`]),
      'data-directory-invalid',
    );
    expectFailure(await runCli(['quorum-restore', '--endpoints=ftp://a']), 'endpoint-invalid', 2);
    expectFailure(
      await runCli(['quorum-restore', '--endpoints=127.0.0.1:1']),
      'connection-refused',
    );
    const two = await runCli(['quorum-restore', '--endpoints=127.0.0.1:1,127.0.0.1:2']);
    expect(expectFailure(two, 'no-member-to-start').rows.get('127.0.0.1:1')).toMatch(
      /connection refused$/,
    );
  });
});

function walOf(dataDir: string): string {
  return readdirSync(join(dataDir, 'member/wal'))
    .filter((name) => name.endsWith('.wal'))
    .sort()
    .at(-1)!;
}

/** Where the records of a file end. */
function endOf(path: string): number {
  const segment = { name: FIRST_WAL, open: () => openFileSource(path) };
  return readSegments([segment]).end.offset;
}
