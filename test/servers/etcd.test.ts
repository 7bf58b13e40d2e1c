import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type EtcdCluster, PLAIN_USER, startEtcd } from './etcd.ts';
import { describeEachVersion, etcdForSuite, etcdForTest } from './for-vitest.ts';
import { Gateway } from './gateway.ts';
import { isAlive } from './processes.ts';
import { ETCD_VERSIONS } from './versions.ts';

describeEachVersion('a member', (version) => {
  const etcd = etcdForSuite({ version });

  it('serves what was put', async () => {
    const revision = await etcd().gateway.put('/a', 'one');
    expect((await etcd().gateway.get('/a'))?.value.toString()).toBe('one');
    expect((await etcd().gateway.get('/a'))?.modRevision).toBe(revision);
  });

  it('is the version asked for, in server and tools', async () => {
    const status = await etcd().gateway.status();
    expect(status.version).toMatch(version.startsWith('3.4') ? /^3\.4\./ : version);
    const { stdout } = await etcd().member.etcdctl(['version']);
    expect(stdout).toContain(`etcdctl version: ${status.version as string}`);
  });

  it('serves a snapshot that its own tools accept', async () => {
    const file = `${etcd().member.dataDir}.snapshot`;
    expect(await etcd().member.etcdctl(['snapshot', 'save', file])).toMatchObject({ code: 0 });
    expect(await etcd().member.etcdutl(['snapshot', 'status', file])).toMatchObject({ code: 0 });
  });

  it('keeps its data over a restart', async () => {
    await etcd().gateway.put('/kept', 'yes');
    const before = etcd().member.pid;
    await etcd().member.restart();
    expect(etcd().member.pid).not.toBe(before);
    expect((await etcd().gateway.get('/kept'))?.value.toString()).toBe('yes');
  });

  it('is stopped with nothing left', async () => {
    const cluster = await startEtcd({ version, size: 3, tls: 'server', learner: true });
    const all = [...cluster.members, cluster.learner!];
    const pids = all.map((member) => member.pid);
    expect(pids.map(isAlive)).toEqual([true, true, true, true]);
    await cluster.stop();
    expect(pids.map(isAlive)).toEqual([false, false, false, false]);
    expect(existsSync(dirname(cluster.member.dataDir))).toBe(false);
  });
});

describeEachVersion('TLS', (version) => {
  it('mutual: refuses a client without a certificate, accepts the client and the peer one', async () => {
    const cluster = await etcdForTest({ version, tls: 'mutual' });
    await cluster.gateway.put('/a', 'one');
    const { ca, peer } = cluster.member.tls!;
    expect(await valueOfA(cluster, { ca, ...peer })).toBe('one');
    await expect(valueOfA(cluster, { ca })).rejects.toThrow();
  });

  it('server: serves a client without a certificate', async () => {
    const cluster = await etcdForTest({ version, tls: 'server' });
    await cluster.gateway.put('/a', 'one');
    expect(await valueOfA(cluster, { ca: cluster.authority!.cert })).toBe('one');
  });
});

describeEachVersion('authentication', (version) => {
  const etcd = etcdForSuite({ version, auth: true });

  it('refuses a client without a user', async () => {
    const result = await etcd().member.etcdctl(['get', '/a'], { user: 'none' });
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('user name is empty');
  });

  it('gives root a snapshot and the plain user none', async () => {
    const file = `${etcd().member.dataDir}.snapshot`;
    const save = ['snapshot', 'save', file];
    expect(await etcd().member.etcdctl(save)).toMatchObject({ code: 0 });
    const refused = await etcd().member.etcdctl(save, { user: PLAIN_USER });
    expect(refused.stderr).toContain('permission denied');
  });

  it('lets the plain user write', async () => {
    const put = await etcd().member.etcdctl(['put', '/b', '2'], { user: PLAIN_USER });
    expect(put).toMatchObject({ code: 0, stdout: 'OK\n' });
  });

  it('is on after a restart', async () => {
    await etcd().member.restart();
    expect(await etcd().gateway.count('/')).toBeGreaterThanOrEqual(0n);
    const result = await etcd().member.etcdctl(['get', '/a'], { user: 'none' });
    expect(result.stderr).toContain('user name is empty');
  });
});

describeEachVersion('three members and a learner', (version) => {
  const etcd = etcdForSuite({ version, size: 3, tls: 'mutual', learner: true });

  it('has one leader, and a write is read from every voter', async () => {
    await etcd().gateway.put('/a', 'one');
    const leaders = new Set<unknown>();
    for (const member of etcd().members) {
      leaders.add((await member.gateway.status()).leader);
      expect((await member.gateway.get('/a'))?.value.toString()).toBe('one');
    }
    expect(leaders.size).toBe(1);
  });

  it('lists the learner as such', async () => {
    const answer = await etcd().gateway.call('/v3/cluster/member/list', {});
    const members = answer.members as { name?: string; isLearner?: boolean }[];
    expect(members.filter((member) => member.isLearner).map((member) => member.name)).toEqual([
      'etcd-learner',
    ]);
    expect(members).toHaveLength(4);
    expect((await etcd().learner!.gateway.status()).isLearner).toBe(true);
  });

  it('lives on with a follower stopped', async () => {
    const leader = await etcd().leader();
    const follower = etcd().members.find((member) => member !== leader)!;
    follower.signal('SIGSTOP');
    await leader.gateway.put('/b', 'two');
    follower.signal('SIGCONT');
    await follower.waitUntilHealthy();
    expect((await follower.gateway.get('/b'))?.value.toString()).toBe('two');
  });
});

describe('a member that cannot start', () => {
  it.each(ETCD_VERSIONS)('%s: the error shows the end of its log', async (version) => {
    const started = startEtcd({ version, flags: ['--no-such-flag'] });
    await expect(started).rejects.toThrow(/ended and was not healthy; its log:\n[^]*no-such-flag/);
  });
});

/** Reads /a as a client with these files. */
async function valueOfA(
  cluster: EtcdCluster,
  tls: { ca: string; cert?: string; key?: string },
): Promise<string | undefined> {
  const gateway = new Gateway(cluster.endpoint, { tls });
  try {
    return (await gateway.get('/a'))?.value.toString();
  } finally {
    gateway.close();
  }
}
