// Whose data it is: the same cluster, the same release, a topology that is restored like this.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectFailure } from '../cli/failure.ts';
import { runCli } from '../cli/run.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { OTHER_UID, putKubeadm, putOpenshift } from './cluster-objects.ts';
import { kubeadmScene, openshiftScene, plan, VERSION } from './plan-scene.ts';

describeWithEtcd(VERSION, 'the cluster, before a restore', () => {
  it.each([
    ['UID of namespace kube-system', { uid: OTHER_UID }],
    ['cluster id of ClusterVersion', { clusterId: 'b0f1a2b3-0000-4000-8000-00000000000f' }],
    ['infrastructure name', { infrastructureName: 'other-9zzzz' }],
  ])('another one, by its %s, refuses: running and stopped', async (what, facts) => {
    const scene = await openshiftScene();
    await putOpenshift(scene.etcd.gateway, facts);
    const [value] = Object.values(facts);
    const running = await plan(scene);
    expect(expectFailure(running, 'check-failed', 3).rows.get('do')).toMatch(
      /--skip-check same-cluster puts another cluster's objects on these machines/,
    );
    expect(running.check('same-cluster').evidence).toMatch(
      new RegExp(`^${what} is .* in the snapshot and ${value} in the running etcd$`),
    );
    await scene.etcd.member.kill();
    const stopped = await plan(scene);
    expect(stopped.check('same-cluster')).toEqual({
      result: 'failed',
      evidence: expect.stringMatching(`${value} in the data in /var/lib/etcd$`) as string,
    });
    const skipped = await plan(scene, '--skip-check=same-cluster=moved to new machines');
    expect(skipped.code, skipped.stderr).toBe(0);
    expect(skipped.document.skipped).toEqual([
      { name: 'same-cluster', reason: 'moved to new machines' },
    ]);
    const screen = await runCli([
      ...['restore', '--plan', '--skip-check=same-cluster', `--root=${scene.host.root}`],
      scene.backup,
    ]);
    expect(screen.stderr).toMatch(/^warning +same-cluster is left out \(.*\): it puts another/m);
  });

  it('is unknown where this host has nothing left to compare with, and goes on', async () => {
    const scene = await openshiftScene();
    await scene.etcd.member.kill();
    await rm(scene.host.path('var/lib/etcd/member'), { recursive: true });
    const outcome = await plan(scene);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.check('same-cluster').result).toBe('unknown');
    expect(outcome.check('same-release').result).toBe('unknown');
    expect(outcome.document.plan.data.kept).toBeUndefined();
    expect(outcome.document.lost.revisions).toBeUndefined();
  });

  it('another z-stream refuses, and an update that is under way is said', async () => {
    const scene = await openshiftScene({ version: '4.19.7' });
    await putOpenshift(scene.etcd.gateway, { version: '4.19.8', updatingTo: '4.19.9' });
    const outcome = await plan(scene);
    expectFailure(outcome, 'check-failed', 3);
    expect(outcome.check('same-release').evidence).toBe(
      'the snapshot is of OpenShift 4.19.7, and the running etcd of 4.19.8; an update to 4.19.9 is under way in the running etcd',
    );
    expect(outcome.check('same-cluster').result).toBe('passed');
  });

  it("kubeadm's: another minor version refuses, another patch does not, another cluster does", async () => {
    const scene = await kubeadmScene({ kubernetesVersion: 'v1.36.1' });
    const same = await plan(scene);
    expect(same.code, same.stderr).toBe(0);
    expect(same.check('same-cluster').evidence).toMatch(/kube-system, UID of kubeadm-config$/);
    expect(same.check('same-release').result).toBe('passed');
    await putKubeadm(scene.etcd.gateway, { kubernetesVersion: 'v1.36.3' });
    expect((await plan(scene)).check('same-release').evidence).toBe(
      'Kubernetes v1.36.1 in the snapshot and v1.36.3 in the running etcd',
    );
    await putKubeadm(scene.etcd.gateway, { kubernetesVersion: 'v1.37.0' });
    expect((await plan(scene)).check('same-release').result).toBe('failed');
    await putKubeadm(scene.etcd.gateway, { uid: OTHER_UID });
    expect((await plan(scene)).check('same-cluster').result).toBe('failed');
  });

  it('etcd of another minor version refuses', async () => {
    const scene = await kubeadmScene();
    expect((await plan(scene)).check('etcd-version').evidence).toBe(
      `the snapshot is of etcd ${VERSION}, and this host runs 3.6.8`,
    );
    await scene.host.changeManifest('etcd', (text) => text.replace('etcd:3.6.8-0', 'etcd:3.7.3-0'));
    const outcome = await plan(scene);
    expectFailure(outcome, 'check-failed', 3);
    expect(outcome.check('etcd-version').result).toBe('failed');
  });

  describe('a topology that is restored in another way', () => {
    it.each([
      ['DualReplica', /cluster-restore\.sh DIR, which tells Pacemaker first/],
      ['HighlyAvailableArbiter', /arbiter/],
      ['External', /in the management cluster/],
    ])('%s', async (topology, procedure) => {
      const scene = await openshiftScene({ topology });
      const outcome = await runCli([
        'restore',
        '--plan',
        `--root=${scene.host.root}`,
        scene.backup,
      ]);
      const failure = expectFailure(outcome, 'topology-unsuited', 3);
      expect(failure.rows.get('seen')).toBe(
        `controlPlaneTopology is ${topology} in the running etcd`,
      );
      expect(failure.rows.get('do')).toMatch(procedure);
      expect(failure.aftermath).toBe('Nothing was changed.');
    });

    it.each([
      ['etc/corosync/corosync.conf', /Pacemaker/, true],
      ['var/lib/rancher/k3s/server/token', /^k3s server --cluster-reset /, false],
      ['var/lib/rancher/rke2/server/token', /^rke2 server --cluster-reset /, false],
    ])('by %s', async (file, procedure, hasLayout) => {
      const { host, backup } = await openshiftScene();
      await mkdir(dirname(host.path(file)), { recursive: true });
      await writeFile(host.path(file), '');
      if (!hasLayout) {
        // What another distribution has left behind does not count.
        expect((await plan({ host, backup })).code).toBe(0);
        await rm(host.path('etc/kubernetes'), { recursive: true });
      }
      const outcome = await runCli(['restore', '--plan', `--root=${host.root}`, backup]);
      const failure = expectFailure(outcome, 'topology-unsuited', 3);
      expect(failure.rows.get('do')).toMatch(procedure);
    });

    it('external etcd; a manifest of etcd that was only moved away is none', async () => {
      const { host, backup, etcd } = await kubeadmScene();
      await etcd.member.kill();
      await host.removeManifest('etcd');
      const archived = await plan({ host, backup });
      expect(archived.code, archived.stderr).toBe(0);
      await host.changeManifest('kube-apiserver', (text) =>
        text.replace(
          '--etcd-servers=https://127.0.0.1:2379',
          '--etcd-servers=https://10.9.9.9:2379',
        ),
      );
      const outcome = await runCli(['restore', '--plan', `--root=${host.root}`, backup]);
      const failure = expectFailure(outcome, 'topology-unsuited', 3);
      expect(failure.rows.get('do')).toMatch(
        /restore each of those machines from the one snapshot/,
      );
    });
  });
});
