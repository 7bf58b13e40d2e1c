// What a restore does to a cluster as a whole: several members, those of before, alarms, and who watches.
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runCli } from '../cli/run.ts';
import { directoryForTest, flagsFor } from '../cli/scene.ts';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { startEtcd } from '../servers/etcd.ts';
import { describeEachVersion, describeWithEtcd, etcdForTest } from '../servers/for-vitest.ts';
import type { EtcdMember } from '../servers/member.ts';
import type { EtcdVersion } from '../servers/versions.ts';
import { bootRestored, contentsOf, createMember, restoreFlags } from './members.ts';
import { expectJoinable } from './restored.ts';
import { samplesForSuite, UNFINISHED } from './samples.ts';

const BUMP = 10_000n;
const BUMP_FLAGS = [`--bump-revision=${BUMP}`, '--mark-compacted'];

async function save(member: EtcdMember): Promise<string> {
  const file = join(directoryForTest(), 'snapshot.db');
  const saved = await runCli(['snapshot', 'save', file, ...flagsFor(member)]);
  expect(saved.code, saved.stderr).toBe(0);
  return file;
}

/** What a watcher hears that last saw a revision: that it must list again, or the first event after it. */
async function heardBy({ gateway }: EtcdMember, key: string, after: bigint): Promise<string> {
  const answer = await gateway.watch(key, after + 1n);
  const { canceled, compact_revision: compacted, events = [] } = answer;
  if (canceled === true) return `compacted at ${compacted!}`;
  return events.map(({ kv }) => `${kv.mod_revision} ${atob(kv.value ?? '')}`).join(', ');
}

describeEachVersion('three members from one file', (version) => {
  it('form a cluster, hold the same, and take in a fourth', async () => {
    const directory = directoryForTest();
    const etcd = await etcdForTest({ version });
    await loadKubernetes(etcd.gateway, { objects: 200, operations: 16 });
    const [file, live] = [await save(etcd.member), await contentsOf(etcd.member)];
    await using members = new AsyncDisposableStack();
    const cluster: EtcdMember[] = [];
    for (const name of ['a', 'b', 'c']) {
      const member = await createMember({ version, name, directory });
      members.defer(() => member.kill());
      cluster.push(member);
    }
    const initial = restoreFlags(cluster[0]!, cluster).at(-1)!;
    const args = ['snapshot', 'restore', file, initial, '--all-members', `--data-dir=${directory}`];
    const restored = await runCli(args);
    expect(restored.code, restored.stderr).toBe(0);
    for (const member of cluster) member.start(cluster, 'new');
    await Promise.all(cluster.map((member) => member.waitUntilHealthy()));
    for (const member of cluster) expect(await contentsOf(member)).toEqual(live);
    await cluster[1]!.gateway.put('/after', 'the restore');
    await expectJoinable(version, cluster);
  });
});

describeEachVersion('who watches', (version) => {
  it('is told that what it saw is gone, and nothing else', async () => {
    const etcd = await etcdForTest({ version });
    const { gateway } = etcd;
    const first = await gateway.put('foo', 'before');
    for (const key of ['a', 'b', 'foo']) await gateway.put(key, 'kept');
    const file = await save(etcd.member);
    const [snapshot, kept] = [await gateway.revision(), await gateway.list('')];
    for (let count = 0; count < 5; count += 1) await gateway.put('lost', `${count}`);
    const seen = await gateway.revision();

    await using restored = await bootRestored(version, file, { by: 'etcdkeep', flags: BUMP_FLAGS });
    const { member } = restored;
    const bumped = snapshot + BUMP;
    for (const revision of [first - 1n, snapshot, seen, bumped - 2n]) {
      expect(await heardBy(member, 'foo', revision)).toBe(`compacted at ${bumped}`);
    }
    // Values, versions and the revisions of keys are what they were; what came after the snapshot is gone.
    expect(await member.gateway.list('')).toEqual(kept);
    expect(await member.gateway.revision()).toBe(bumped);
    const next = await member.gateway.put('foo', 'after');
    expect(next).toBe(bumped + 1n);
    expect(await heardBy(member, 'foo', bumped)).toBe(`${next} after`);
  });
});

describeEachVersion('a compaction that was not finished', (version) => {
  const sample = samplesForSuite(version);

  it('is finished by etcd, and replaced by that of a bump', async () => {
    const { file, live } = sample(UNFINISHED);
    const options = { by: 'etcdkeep' } as const;
    await using plain = await bootRestored(version, file, options);
    expect(await contentsOf(plain.member)).toEqual(live);
    await using bumped = await bootRestored(version, file, { ...options, flags: BUMP_FLAGS });
    const contents = await contentsOf(bumped.member);
    const revision = live.revision + Number(BUMP);
    expect(contents).toMatchObject({ revision, compactRevision: revision, keys: live.keys });
  });
});

describeEachVersion('alarms of the snapshot', (version) => {
  it('keep writes from a restored cluster until they are cleared', async () => {
    const etcd = await etcdForTest({ version, flags: ['--quota-backend-bytes=2097152'] });
    await fillUntilRefused(etcd.member);
    const file = await save(etcd.member);
    const directory = directoryForTest();
    const raised = await createMember({ version, name: 'raised', directory });
    onTestFinished(() => raised.kill());
    const restored = await runCli(['snapshot', 'restore', file, ...restoreFlags(raised, [raised])]);
    expect(restored.stderr).toMatch(/alarm NOSPACE of member \w+ is still raised.*--clear-alarms/);
    raised.start([raised], 'new');
    // It never calls itself healthy.
    await raised.waitUntil('leading', async () => {
      const { leader } = await raised.gateway.status().catch(() => ({ leader: '0' }));
      return leader !== '0';
    });
    await expect(raised.gateway.put('/new', 'value')).rejects.toThrow(/space exceeded/);
    const flags = ['--clear-alarms'];
    await using cleared = await bootRestored(version, file, { by: 'etcdkeep', flags });
    await cleared.member.gateway.put('/new', 'value');
  });
});

async function fillUntilRefused({ gateway }: EtcdMember): Promise<void> {
  const value = 'x'.repeat(256 * 1024);
  for (let count = 0; count < 40; count += 1) {
    try {
      await gateway.put(`/filling/${count}`, value);
    } catch {
      return;
    }
  }
  throw new Error('the quota was never reached');
}

const VERSION: EtcdVersion = '3.6.16';

describeWithEtcd(VERSION, 'members of before', () => {
  describe.each([
    [
      'of a cluster with a learner',
      { size: 3, learner: true },
      /^dropped +members etcd-0, etcd-1, etcd-2; learner etcd-learner: of the old cluster/m,
    ],
    ['of a cluster of one', { size: 1 }, /^dropped +member etcd-0: of the old cluster/m],
  ] as const)('%s', (_, options, dropped) => {
    it('are gone for good, and told of', async () => {
      await using etcd = await startEtcd({ version: VERSION, ...options });
      const file = await save(etcd.member);
      const place = join(directoryForTest(), 'data');
      const { stderr } = await runCli(['snapshot', 'restore', file, `--data-dir=${place}`]);
      expect(stderr).toMatch(dropped);
      await using restored = await bootRestored(VERSION, file, { by: 'etcdkeep' });
      const { members } = await restored.member.gateway.call('/v3/cluster/member/list', {});
      expect(members).toMatchObject([{ name: 'restored' }]);
      const checked = await runCli(['snapshot', 'check', await save(restored.member)]);
      expect(checked).toMatchObject({ code: 0, stdout: '' });
    });
  });
});
