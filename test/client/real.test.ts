import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { ClientOptions } from '../../src/etcd/client/client.ts';
import { type EtcdCluster, PLAIN_USER, ROOT_USER } from '../servers/etcd.ts';
import { describeEachVersion, etcdForSuite } from '../servers/for-vitest.ts';
import type { EtcdMember, User } from '../servers/member.ts';
import type { EtcdVersion } from '../servers/versions.ts';
import {
  CollectingSink,
  clientOptions,
  connect,
  errorOf,
  snapshotOptions,
  takeSnapshot,
} from './connect.ts';

/** Options for a member, with the certificates that it wants. */
function optionsFor(member: EtcdMember, overrides: Partial<ClientOptions> = {}): ClientOptions {
  const { tls } = member;
  const pair = tls?.mode === 'mutual' ? tls.client : {};
  return clientOptions(member.endpoint, tls && { ca: tls.ca, ...pair }, overrides);
}

const connectTo = (cluster: EtcdCluster) => connect(optionsFor(cluster.member));

const asUser = ({ name, password }: User): Partial<ClientOptions> => ({
  login: { user: name, password },
});

/** meta/storageVersion, which servers have and send from 3.6 on. */
const storageVersionOf = (version: EtcdVersion): string =>
  /^3\.[45]\./.test(version) ? '' : version.replace(/\d+$/, '0');

const TLS_MODES = ['off', 'server', 'mutual'] as const;

describeEachVersion('requests', (version) => {
  describe.each(TLS_MODES)('with TLS %s', (tls) => {
    const etcd = etcdForSuite({ version, tls });

    it('status is what the member says elsewhere', async () => {
      await using connection = await connectTo(etcd());
      const status = await connection.client.status();
      const said = await etcd().gateway.status();
      const header = said.header as Record<string, string>;
      expect(status.version).toBe(said.version);
      expect(status.header).toMatchObject({
        clusterId: BigInt(header.cluster_id!),
        memberId: BigInt(header.member_id!),
        revision: BigInt(header.revision!),
      });
      expect(status.dbSize).toBe(BigInt(said.dbSize as string));
      expect(status.leader).toBe(BigInt(said.leader as string));
      expect(status.isLearner).toBe(false);
      expect(status.storageVersion).toBe(storageVersionOf(version));
    });

    it.each([true, false])('the members are listed, linearizable %s', async (linearizable) => {
      await using connection = await connectTo(etcd());
      const members = await connection.client.memberList(linearizable);
      const { name, peerUrl, endpoint } = etcd().member;
      expect(members).toMatchObject([
        { name, peerURLs: [peerUrl], clientURLs: [endpoint], isLearner: false },
      ]);
    });

    it('an alarm is listed', async () => {
      await using connection = await connectTo(etcd());
      expect(await connection.client.alarmList()).toEqual([]);
      const memberID = (await connection.client.status()).header!.memberId;
      const alarm = { memberID: `${memberID}`, alarm: 'CORRUPT' };
      await etcd().gateway.call('/v3/maintenance/alarm', { action: 'ACTIVATE', ...alarm });
      expect(await connection.client.alarmList()).toMatchObject([{ memberID, alarm: 2 }]);
      await etcd().gateway.call('/v3/maintenance/alarm', { action: 'DEACTIVATE', ...alarm });
    });

    it('the hash is the one that etcdctl shows', async () => {
      const revision = await etcd().gateway.put('/hashed', 'once');
      await etcd().gateway.put('/hashed', 'twice');
      await using connection = await connectTo(etcd());
      for (const wanted of [0n, revision]) {
        const command = ['endpoint', 'hashkv', `--rev=${wanted}`, '--write-out=json'];
        const [shown] = JSON.parse((await etcd().member.etcdctl(command)).stdout) as [
          { HashKV: { hash: number; compact_revision: number } },
        ];
        const hash = await connection.client.hashKV(wanted);
        expect(hash.hash).toBe(shown.HashKV.hash);
        expect(hash.compactRevision).toBe(BigInt(shown.HashKV.compact_revision));
      }
    });

    it('keys are read, now and as they were', async () => {
      const { gateway } = etcd();
      const revision = await gateway.put('/keys/a', 'one');
      await gateway.transaction([
        { key: '/keys/a', value: 'two' },
        { key: '/keys/b', value: 'other' },
      ]);
      await using connection = await connectTo(etcd());
      const { client } = connection;
      const range = { rangeEnd: Buffer.from('/keys0') };
      const texts = async (options: Parameters<typeof client.range>[1]) =>
        (await client.range(Buffer.from('/keys/'), { ...range, ...options })).kvs.map((kv) =>
          Buffer.from(kv.value).toString(),
        );
      expect(await texts({})).toEqual(['two', 'other']);
      expect(await texts({ revision })).toEqual(['one']);
      expect(await texts({ limit: 1 })).toEqual(['two']);
      expect(await texts({ keysOnly: true })).toEqual(['', '']);
      const count = await client.range(Buffer.from('/keys/'), { ...range, countOnly: true });
      expect(count).toMatchObject({ count: 2n, kvs: [] });
      const [one] = (await client.range(Buffer.from('/keys/b'))).kvs;
      expect(one).toMatchObject({ modRevision: revision + 1n, version: 1n });
    });

    it('a snapshot is one that its own tools accept', async () => {
      await etcd().gateway.put('/snapshot', 'x'.repeat(100_000));
      const sink = new CollectingSink();
      const snapshot = await takeSnapshot(optionsFor(etcd().member), sink);
      expect(snapshot.storageVersion).toBe(storageVersionOf(version));
      expect(snapshot.databaseBytes).toBe(sink.receivedBytes);
      const bytes = Buffer.concat([sink.bytes, snapshot.digest]);
      expect(createHash('sha256').update(bytes).digest()).toEqual(snapshot.fileDigest);
      const file = `${etcd().member.dataDir}.snapshot`;
      await writeFile(file, bytes);
      const restored = `${etcd().member.dataDir}.restored`;
      // A restore compares the digest, which `snapshot status` does not.
      const restore = ['snapshot', 'restore', file, `--data-dir=${restored}`];
      expect(await etcd().member.etcdutl(restore)).toMatchObject({ code: 0 });
    });

    it('requests and a snapshot share a connection', async () => {
      await using connection = await connectTo(etcd());
      const { client } = connection;
      const [snapshot, status] = await Promise.all([
        client.snapshot(new CollectingSink(), snapshotOptions()),
        client.status(),
      ]);
      expect(snapshot.databaseBytes).toBeGreaterThan(0);
      expect(status.version).toBeTruthy();
    });
  });
});

describeEachVersion('authentication', (version) => {
  const etcd = etcdForSuite({ version, auth: true });

  it('nobody: the member wants a user', async () => {
    await using connection = await connectTo(etcd());
    const { client } = connection;
    const snapshot = client.snapshot(new CollectingSink(), snapshotOptions());
    expect((await errorOf(snapshot)).code).toBe('authentication-required');
    expect((await errorOf(client.hashKV())).code).toBe('authentication-required');
    expect((await errorOf(client.range(Buffer.from('/a')))).code).toBe('authentication-required');
  });

  it.each([
    ['a wrong password', { ...ROOT_USER, password: 'wrong' }],
    ['a user that does not exist', { ...ROOT_USER, name: 'nobody' }],
  ])('%s is refused before anything is asked', async (_, user) => {
    const error = await errorOf(connect(optionsFor(etcd().member, asUser(user))));
    expect(error.code).toBe('authentication-failed');
    expect(error.message).not.toContain(user.password);
  });

  it('a user without the root role reads keys, and gets no snapshot', async () => {
    await using connection = await connect(optionsFor(etcd().member, asUser(PLAIN_USER)));
    const { client } = connection;
    const snapshot = client.snapshot(new CollectingSink(), snapshotOptions());
    expect((await errorOf(snapshot)).code).toBe('permission-denied');
    expect((await errorOf(client.hashKV())).code).toBe('permission-denied');
    expect((await client.range(Buffer.from('/a'))).count).toBe(0n);
  });

  it('root gets everything', async () => {
    await using connection = await connect(optionsFor(etcd().member, asUser(ROOT_USER)));
    const { client } = connection;
    expect((await client.status()).version).toBeTruthy();
    expect((await client.memberList()).length).toBe(1);
    expect(await client.alarmList()).toEqual([]);
    expect((await client.hashKV()).hash).toBeGreaterThan(0);
    const snapshot = await client.snapshot(new CollectingSink(), snapshotOptions());
    expect(snapshot.databaseBytes).toBeGreaterThan(0);
  });
});

describeEachVersion('a user is named where authentication is off', (version) => {
  const etcd = etcdForSuite({ version });

  it('it does no harm', async () => {
    await using connection = await connect(optionsFor(etcd().member, asUser(ROOT_USER)));
    expect((await connection.client.memberList()).length).toBe(1);
  });
});

describeEachVersion('a learner', (version) => {
  const etcd = etcdForSuite({ version, learner: true });

  it('says that it is one, and hashes nothing', async () => {
    await using connection = await connect(optionsFor(etcd().learner!));
    expect((await connection.client.status()).isLearner).toBe(true);
    expect((await errorOf(connection.client.hashKV())).code).toBe('member-is-learner');
  });

  it(version.startsWith('3.4.') ? 'refuses a snapshot' : 'serves a snapshot', async () => {
    const promise = takeSnapshot(optionsFor(etcd().learner!));
    // Learners serve it from 3.5.0 and 3.4.28 on.
    if (version.startsWith('3.4.')) {
      expect((await errorOf(promise)).code).toBe('member-is-learner');
      return;
    }
    expect((await promise).databaseBytes).toBeGreaterThan(0);
  });
});
