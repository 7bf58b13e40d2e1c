// What etcd keeps besides records, of real members and real restores: read as they say it is, and nothing found
// but what is true.
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readMeta } from '../../src/bbolt/meta.ts';
import { readStoreContents, type StoreContents } from '../../src/etcd/store/store-contents.ts';
import { directoryForTest } from '../cli/scene.ts';
import { bootRestored } from '../compatibility/members.ts';
import { binariesOf, type EtcdCluster, PLAIN_USER, ROOT_USER } from '../servers/etcd.ts';
import { describeEachVersion, describeWithEtcd, etcdForTest } from '../servers/for-vitest.ts';
import { EtcdMember } from '../servers/member.ts';
import { byVersion } from '../servers/versions.ts';
import { findingsOf, opened, saved } from './databases.ts';

interface Listed {
  readonly ID: string;
  readonly name?: string;
  readonly peerURLs: string[];
  readonly clientURLs?: string[];
  readonly isLearner?: boolean;
}

const STALE = expect.stringMatching(
  /^member warning: raft's list of members .* as after a restore: it lacks \w+; it still has \w+(, \w+)?$/,
) as string;

async function contentsOf(path: string): Promise<StoreContents> {
  const source = opened(path);
  try {
    return await readStoreContents(source, await readMeta(source), ({ message }) => {
      throw new Error(message);
    });
  } finally {
    source.close();
  }
}

/** A member with a learner that never started, one that was removed, leases, users and roles. */
async function livedIn(cluster: EtcdCluster): Promise<void> {
  const { gateway } = cluster;
  const add = (peerUrl: string) =>
    gateway.call('/v3/cluster/member/add', { peerURLs: [peerUrl], isLearner: true });
  const { member } = (await add('http://127.0.0.1:1')) as { member: Listed };
  await gateway.call('/v3/cluster/member/remove', { ID: member.ID });
  await add('http://127.0.0.1:2');
  await gateway.put('/leased', 'value', await gateway.grantLease(3600));
  // The newest lease of a key counts, and a lease may have no keys.
  const revoked = await gateway.grantLease(3600, 0x7fff_ffff_ffff_fffdn);
  await gateway.put('/changes', 'value', revoked);
  await gateway.put('/changes', 'value', await gateway.grantLease(7200));
  await gateway.put('/revoked', 'value', revoked);
  await gateway.call('/v3/lease/revoke', { ID: `${revoked}` });
  await gateway.put('/expires', 'value', await gateway.grantLease(1));
  await gateway.grantLease(1800, 1n);
  await cluster.member.waitUntil('without the key whose lease expired', async () => {
    return (await gateway.get('/expires')) === undefined;
  });
}

/** Restores a snapshot by the version's own tool. @returns the database, which no member has touched */
async function restored(member: EtcdMember, snapshot: string, ...flags: string[]): Promise<string> {
  const directory = join(directoryForTest(), 'restored');
  const { code, stderr } = await member.etcdutl([
    ...['snapshot', 'restore', snapshot, `--data-dir=${directory}`],
    ...['--name=new', '--initial-cluster=new=http://127.0.0.1:3'],
    ...['--initial-advertise-peer-urls=http://127.0.0.1:3', ...flags],
  ]);
  expect(code, stderr).toBe(0);
  return join(directory, 'member', 'snap', 'db');
}

describeEachVersion('what a member keeps besides records', (version) => {
  const isOld = byVersion(version, '3.5.0') < 0;

  it('is read as the member tells it, and without a fault', async () => {
    const cluster = await etcdForTest({ version, auth: true });
    await livedIn(cluster);
    const path = await saved(cluster.member);
    expect(await findingsOf(path)).toEqual([]);

    const { gateway } = cluster;
    const contents = await contentsOf(path);
    const { members } = (await gateway.call('/v3/cluster/member/list', {})) as {
      members: Listed[];
    };
    const told = members.map(({ ID, name = '', peerURLs, clientURLs = [], isLearner = false }) => {
      return { id: BigInt(ID), name, peerUrls: peerURLs, clientUrls: clientURLs, isLearner };
    });
    const byId = (left: { id: bigint }, right: { id: bigint }) => (left.id < right.id ? -1 : 1);
    expect(contents.members.toSorted(byId)).toMatchObject(told.toSorted(byId));
    expect(told).toHaveLength(2);
    expect(contents.membersRemoved).toHaveLength(1);
    const { leases } = (await gateway.call('/v3/lease/leases', {})) as { leases: Listed[] };
    const ids = leases.map(({ ID }) => BigInt(ID)).sort((left, right) => (left < right ? -1 : 1));
    expect([...contents.leases.values()]).toEqual(ids);
    expect(ids).toHaveLength(3);
    expect(contents.users).toMatchObject([
      { name: PLAIN_USER.name, roles: ['everything'], hasPassword: true },
      { name: ROOT_USER.name, roles: ['root'], hasPassword: true },
    ]);
    expect(contents.roles).toMatchObject([{ name: 'everything', permissions: 1 }]);
    expect(contents.notes).toMatchObject({
      authEnabled: true,
      clusterVersion: version.replace(/\d+$/, '0'),
      storageVersion: byVersion(version, '3.6.0') < 0 ? undefined : version.replace(/\d+$/, '0'),
    });
    // 3.4 does not tell it.
    const auth = isOld ? {} : await gateway.call('/v3/auth/status', {});
    if (!isOld) expect(contents.notes.authRevision).toBe(BigInt(auth.authRevision as string));
    const state = contents.notes.confState;
    const idOf = (isLearner: boolean) => told.find((member) => member.isLearner === isLearner)?.id;
    if (isOld) expect(state).toBeUndefined();
    else expect(state).toEqual({ voters: [idOf(false)], learners: [idOf(true)] });
  });

  it('is without a fault while leases come and go', async () => {
    const { member, gateway } = await etcdForTest({ version });
    let isOver = false;
    const churn = async (worker: number): Promise<void> => {
      for (let round = 0; !isOver; round += 1) {
        const lease = await gateway.grantLease(3600);
        await gateway.put(`/leased/${worker}/${round % 5}`, 'value', lease);
        if (round % 3 > 0) await gateway.call('/v3/lease/revoke', { ID: `${lease}` });
      }
    };
    const workers = [0, 1, 2].map(churn);
    try {
      for (let snapshot = 0; snapshot < 8; snapshot += 1) {
        expect(await findingsOf(await saved(member))).toEqual([]);
      }
    } finally {
      isOver = true;
      await Promise.all(workers);
    }
    expect((await contentsOf(await saved(member))).leases.size).toBeGreaterThan(0);
  });

  it('has an alarm that is told of, until it is disarmed', async () => {
    const { member, gateway } = await etcdForTest({ version });
    const { header } = (await gateway.status()) as { header: { member_id: string } };
    const alarm = { memberID: header.member_id, alarm: 'NOSPACE' };
    await gateway.call('/v3/maintenance/alarm', { action: 'ACTIVATE', ...alarm });
    const id = BigInt(header.member_id).toString(16);
    const told = `alarm warning: alarm NOSPACE of member ${id} is on and survives a restore: the members refuse to write until "etcdctl alarm disarm"`;
    const path = await saved(member);
    expect(await findingsOf(path)).toEqual([told]);
    expect(await findingsOf(await restored(member, path))).toContain(told);
    expect((await member.etcdctl(['alarm', 'disarm'])).code).toBe(0);
    expect(await findingsOf(await saved(member))).toEqual([]);
  });

  it('is after a restore what it was, but for the members', async () => {
    const cluster = await etcdForTest({ version, auth: true });
    await livedIn(cluster);
    const snapshot = await saved(cluster.member);
    const expected = isOld ? [] : [STALE];
    expect(await findingsOf(await restored(cluster.member, snapshot))).toEqual(expected);
    if (isOld) return;
    const bump = ['--bump-revision=1000000', '--mark-compacted'];
    expect(await findingsOf(await restored(cluster.member, snapshot, ...bump))).toEqual(expected);
  });

  it('is so as well once a member has run on it', async () => {
    const { member, gateway } = await etcdForTest({ version });
    await gateway.put('/leased', 'value', await gateway.grantLease(3600));
    const flags = isOld ? [] : ['--bump-revision=1000', '--mark-compacted'];
    await using booted = await bootRestored(version, await saved(member), { flags });
    await booted.member.gateway.put('/after', 'value');
    expect(await findingsOf(await saved(booted.member))).toEqual(isOld ? [] : [STALE]);
  });

  it('has a last record before the compaction only where old versions remove it', async () => {
    const { member, gateway } = await etcdForTest({ version });
    await gateway.put('/gone', 'value');
    const revision = await gateway.delete('/gone');
    await gateway.compact(revision);
    const told = `notes warning: the last record is of revision 0, before the compaction to ${revision}: etcd before 3.4.32 and 3.5.14 would give revisions out again`;
    expect(await findingsOf(await saved(member))).toEqual(isOld ? [told] : []);
  });
});

describeWithEtcd('3.4.23', 'a member on a restore by etcdctl 3.4', () => {
  it('keeps its old self beside the new one, with the same peer URL', async () => {
    const { member: old } = await etcdForTest({ version: '3.4.23' });
    const path = await saved(old);
    await old.kill();
    const directory = directoryForTest();
    const binaries = await binariesOf('3.4.23');
    const { address } = old;
    const settings = { binaries, name: 'new', address, directory, tls: undefined, flags: [] };
    const member = new EtcdMember(settings);
    onTestFinished(() => member.kill());
    const { code, stderr } = await member.etcdutl([
      ...['snapshot', 'restore', path, `--data-dir=${member.dataDir}`, '--name=new'],
      `--initial-cluster=new=${member.peerUrl}`,
      `--initial-advertise-peer-urls=${member.peerUrl}`,
      '--initial-cluster-token=another',
    ]);
    expect(code, stderr).toBe(0);
    member.start([member], 'new');
    await member.waitUntilHealthy();
    expect(await findingsOf(await saved(member))).toEqual([
      expect.stringMatching(
        /^member warning: members \w+ and \w+ have the peer URL "http:.*": one of them may be left/,
      ),
    ]);
  });
});

describeWithEtcd('3.7.3', 'a member of 3.7', () => {
  describeEachVersion(
    'on a snapshot',
    (version) => {
      it('has the fields of its storage version', async () => {
        const { member } = await etcdForTest({ version });
        await using booted = await bootRestored('3.7.3', await saved(member));
        const path = await saved(booted.member);
        expect((await contentsOf(path)).notes.storageVersion).toBe('3.7.0');
        // 3.4 has no list of raft that could be stale.
        expect(await findingsOf(path)).toEqual(version === '3.5.35' ? [STALE] : []);
      });
    },
    ['3.4.23', '3.5.35'],
  );
});

describeEachVersion(
  'a learner',
  (version) => {
    it('has a database without a fault', async () => {
      const { learner } = await etcdForTest({ version, learner: true });
      expect(await findingsOf(await saved(learner!))).toEqual([]);
    });
  },
  ['3.5.35', '3.6.16', '3.7.3'],
);

describeEachVersion(
  'a downgrade',
  (version) => {
    it('that is under way is no fault, and none that was canceled', async () => {
      const { member, gateway } = await etcdForTest({ version });
      const target = version === '3.6.16' ? '3.5.0' : '3.6.0';
      const downgrade = { action: 'ENABLE', version: target };
      await gateway.call('/v3/maintenance/downgrade', downgrade);
      const path = await saved(member);
      expect((await contentsOf(path)).notes.downgrade).toEqual({
        isEnabled: true,
        targetVersion: target,
      });
      expect(await findingsOf(path)).toEqual([]);
      await gateway.call('/v3/maintenance/downgrade', { action: 'CANCEL' });
      expect(await findingsOf(await saved(member))).toEqual([]);
    });
  },
  ['3.6.16', '3.7.3'],
);

describeWithEtcd('3.7.3', 'a snapshot of 3.7', () => {
  describeWithEtcd('3.5.35', 'on which 3.5 was started', () => {
    it('keeps the storage version that 3.6 refuses', async () => {
      const { member } = await etcdForTest({ version: '3.7.3' });
      await using booted = await bootRestored('3.5.35', await saved(member));
      await booted.member.waitUntil('at cluster version 3.5.0', async () => {
        const { notes } = await contentsOf(await saved(booted.member));
        return notes.clusterVersion === '3.5.0';
      });
      expect(await findingsOf(await saved(booted.member))).toContain(
        'notes warning: the storage version is 3.7.0 and the cluster version 3.5.0, though no downgrade is under way: an etcd between the two refuses to start on it',
      );
    });
  });
});
