// A quorum is lost: which member is newest, what each other choice loses, and a plan that is then carried out.
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { copied, stopped } from '../datadir/directories.ts';
import { createKubeadmHost } from '../fixtures/kubeadm-host.ts';
import { binariesOf } from '../servers/etcd.ts';
import { describeEachVersion, describeWithEtcd, etcdForTest } from '../servers/for-vitest.ts';
import { EtcdMember } from '../servers/member.ts';
import { EXPIRED } from '../servers/pki.ts';
import type { EtcdVersion } from '../servers/versions.ts';
import { expectFailure } from './failure.ts';
import { directoryFlags, planned, write } from './quorum.ts';
import { runCli } from './run.ts';
import { directoryForTest, hostForTest } from './scene.ts';
import { digestsOf } from './untouched.ts';

/** Runs a line of a plan, with our own program and directories in the place of the host's. */
async function carryOut(line: string, change: (word: string) => string): Promise<void> {
  const words = line.split(' ').slice(1).map(change);
  expect(words[0]).toBe('etcdkeep');
  const { code, stderr } = await runCli(words.slice(1));
  expect(code, stderr).toBe(0);
}

/** The member that started with a directory once, started on another. */
async function restarted(
  version: EtcdVersion,
  member: EtcdMember,
  directory: string,
  ...flags: string[]
): Promise<EtcdMember> {
  const again = new EtcdMember({
    ...{ binaries: await binariesOf(version), name: member.name, address: member.address },
    ...{ directory, tls: undefined, flags },
  });
  onTestFinished(() => again.kill());
  again.start([again], 'existing');
  await again.waitUntilHealthy();
  return again;
}

describeEachVersion('a lost quorum', (version) => {
  it('is brought back from the newest member by the lines of the plan', async () => {
    const cluster = await etcdForTest({ version, size: 3 });
    await write(cluster, 30, 'first');
    await cluster.members[2]!.kill();
    await write(cluster, 20, 'second');
    await cluster.members[1]!.kill();
    const [survivor] = cluster.members as [EtcdMember];
    await stopped(survivor);
    const flags = directoryFlags(cluster.members);
    const before = await Promise.all(cluster.members.map(({ dataDir }) => digestsOf(dataDir)));
    const plan = await planned(flags);
    const after = await Promise.all(cluster.members.map(({ dataDir }) => digestsOf(dataDir)));
    expect(after).toEqual(before);

    expect(plan).toMatchObject({
      newest: 'etcd-0',
      isComplete: true,
      majority: 2,
      votersSeen: { length: 3 },
    });
    expect(plan.members.map(({ name }) => name)).toEqual(['etcd-0', 'etcd-1', 'etcd-2']);
    const third = plan.members[2];
    expect(third!.lost!.writes).toBeGreaterThanOrEqual(20);
    expect(BigInt(third!.lost!.entries)).toBeGreaterThanOrEqual(20n);
    expect(plan.plan.notes[0]).toMatch(
      /^3 of 3 voters are sound \(etcd-0, etcd-1, etcd-2\): started together/,
    );
    expect(plan.plan.layout).toBe('other');

    // The plan, on the survivor alone.
    const place = directoryForTest();
    const change = (word: string): string =>
      word
        .replace(`${survivor.dataDir}-last.db`, join(place, 'last.db'))
        .replace(`${survivor.dataDir}-new`, join(place, `${survivor.name}.etcd`));
    for (const line of plan.plan.steps.flatMap(({ commands }) => commands))
      await carryOut(line, change);
    const again = await restarted(version, survivor, place);
    expect(await again.gateway.count()).toBe(50n);
    expect(await again.gateway.revision()).toBeGreaterThanOrEqual(1_000_000_051n);
  });

  it('keeps what only the log of a killed member has, by the lines of the plan', async () => {
    const cluster = await etcdForTest({ version, size: 3 });
    let written = 0;
    const writing = (async () => {
      for (;;) {
        await cluster.gateway.put(`/key-${written}`, 'value');
        written += 1;
      }
    })().catch(() => undefined);
    await cluster.member.waitUntil('written to', () => Promise.resolve(written > 150));
    await Promise.all(cluster.members.map((member) => member.kill()));
    await writing;
    const plan = await planned(directoryFlags(cluster.members));
    const [newest] = plan.members;
    const member = cluster.members.find(({ name }) => name === newest!.name)!;
    const alone = plan.plan.steps
      .flatMap(({ commands }) => commands)
      .find((line) => line.includes(' --force-new-cluster '));
    expect(alone === undefined).toBe(newest!.committedWritesBeyond === 0);
    // As that line does it, on a copy.
    const directory = dirname(copied(member.dataDir));
    const copy = join(directory, `${member.name}.etcd`);
    symlinkSync(join(directory, 'copy.etcd'), copy);
    const again = await restarted(version, member, directory, '--force-new-cluster');
    const expected = BigInt(newest!.revision!) + BigInt(newest!.committedWritesBeyond);
    expect(await again.gateway.revision()).toBe(expected);
    // All that a client was told is there, but for what the plan says that nobody knows.
    const missing = BigInt(written) - (await again.gateway.count());
    expect(missing).toBeLessThanOrEqual(BigInt(plan.undecidedWrites));
    // Any other choice has as much less as was said.
    for (const { lost } of plan.members.slice(1)) expect(lost!.writes).toBe(Number(lost!.entries));
  });
});

describeWithEtcd('3.6.16', 'a host without a quorum', () => {
  it('of OpenShift: its own directory and every member are looked at, and its own script ends the plan', async () => {
    const cluster = await etcdForTest({ version: '3.6.16', size: 3, tls: 'mutual' });
    const host = await hostForTest(cluster);
    rmSync(host.path('var/lib/etcd'), { recursive: true });
    symlinkSync(cluster.member.dataDir, host.path('var/lib/etcd'));
    expectFailure(await runCli(['quorum-restore', `--root=${host.root}`]), 'quorum-alive', 3);
    for (const member of cluster.members) await stopped(member);
    const plan = await planned([`--root=${host.root}`]);
    expect(plan.host).toEqual({ name: host.nodeName, layout: 'openshift' });
    expect(plan.silent.map(({ source }) => source).sort()).toEqual(cluster.endpoints.toSorted());
    expect(plan.plan.steps.flatMap(({ commands }) => commands)).toEqual([
      'sudo mkdir -p /home/core/assets/manifests-stopped && sudo mv /etc/kubernetes/manifests/etcd-pod.yaml /home/core/assets/manifests-stopped/',
      'sudo mkdir -p /home/core/assets/manifests-stopped && sudo mv /etc/kubernetes/manifests/etcd-pod.yaml /home/core/assets/manifests-stopped/',
      'sudo etcdkeep snapshot save /var/lib/etcd-last.db --data-dir /var/lib/etcd',
      'sudo -E /etc/kubernetes/static-pod-resources/etcd-certs/configmaps/etcd-scripts/quorum-restore.sh',
      'oc adm wait-for-stable-cluster',
    ]);
    // Where the host has them on its path, those are named.
    mkdirSync(host.path('usr/local/bin'), { recursive: true });
    for (const name of ['disable-etcd.sh', 'quorum-restore.sh'])
      writeFileSync(host.path('usr/local/bin', name), '');
    const lines = (await planned([`--root=${host.root}`])).plan.steps.flatMap(
      ({ commands }) => commands,
    );
    expect(lines).toEqual([
      'sudo -E /usr/local/bin/disable-etcd.sh',
      'sudo -E /usr/local/bin/disable-etcd.sh',
      'sudo etcdkeep snapshot save /var/lib/etcd-last.db --data-dir /var/lib/etcd',
      'sudo -E /usr/local/bin/quorum-restore.sh',
      'oc adm wait-for-stable-cluster',
    ]);
    // 4.17 and before have none.
    rmSync(host.path('usr/local/bin'), { recursive: true });
    rmSync(join(host.etcdCerts, 'configmaps/etcd-scripts/quorum-restore.sh'));
    const { plan: old } = await planned([`--root=${host.root}`]);
    expect(old.notes.at(-1)).toMatch(
      /^There is no quorum-restore.sh on this host: it comes with OpenShift 4.18/,
    );
    expect(old.steps.flatMap(({ commands }) => commands)).toContain(
      'sudo etcdkeep restore /var/lib/etcd-last.db',
    );
  });

  it('of kubeadm: a copy is restored with a bump, and every certificate may have expired', async () => {
    const cluster = await etcdForTest({ version: '3.6.16', tls: 'mutual', names: ['cp-1'] });
    const host = await createKubeadmHost(cluster);
    onTestFinished(() => host.remove());
    rmSync(host.path('var/lib/etcd'), { recursive: true });
    symlinkSync(await stopped(cluster.member), host.path('var/lib/etcd'));
    const { cert, key } = await cluster.authority!.issue('old', { commonName: 'old', ...EXPIRED });
    const flags = [`--root=${host.root}`, `--cert=${cert}`, `--key=${key}`];
    const plan = await planned(flags);
    expect(plan).toMatchObject({ newest: 'cp-1', host: { name: 'cp-1', layout: 'kubeadm' } });
    expect(plan.silent.map(({ code }) => code)).toContain('certificate-expired');
    expect(plan.plan.steps.flatMap(({ commands }) => commands)).toEqual(
      expect.arrayContaining([
        'sudo mkdir -p /etc/kubernetes/manifests-stopped && sudo mv /etc/kubernetes/manifests/etcd.yaml /etc/kubernetes/manifests-stopped/',
        'sudo etcdkeep snapshot save /var/lib/etcd-last.db --data-dir /var/lib/etcd',
        'sudo etcdkeep restore /var/lib/etcd-last.db',
      ]),
    );
    expect(plan.plan.notes.at(-1)).toMatch(/--force-new-cluster.* It is not recommended here/);
    const { stdout } = await runCli(['quorum-restore', ...flags]);
    expect(stdout).toMatch(/^newest {6}cp-1 {3}\//m);
  });
});
