// The plan of a restore where nothing is wrong, of each layout and each version of etcd: what it says, and that it changes nothing.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RESTORE_CHECK_NAMES } from '../../src/backup/restore/check-catalog.ts';
import { expectFailure } from '../cli/failure.ts';
import { runCli } from '../cli/run.ts';
import { directoryForTest } from '../cli/scene.ts';
import { describeEachVersion, describeWithEtcd } from '../servers/for-vitest.ts';
import { kubeadmScene, NODE, openshiftScene, plan, VERSION } from './plan-scene.ts';

describeEachVersion('the plan of a restore', (version) => {
  it('while etcd runs, and once it is stopped: nothing is wrong with it', async () => {
    const scene = await openshiftScene({ etcdVersion: version });
    const running = await plan(scene);
    expect(running.code, running.stderr).toBe(0);
    const revision = `${await scene.etcd.gateway.revision()}`;
    expect(running.document.running).toMatchObject({ version, revision });
    const wrong = running.document.checks.filter(({ result }) => result !== 'passed');
    expect(wrong.map(({ name }) => name)).toEqual(['drilled']);
    expect(running.check('etcd-version').evidence).toBe(
      `the snapshot is of etcd ${version}, and this host runs ${version}`,
    );
    await scene.etcd.member.kill();
    const stopped = await plan(scene);
    expect(stopped.code, stopped.stderr).toBe(0);
    expect(stopped.document.notRunning).toContain('connection refused');
    for (const name of ['same-cluster', 'same-release', 'etcd-version'] as const) {
      expect(stopped.check(name), name).toMatchObject({ result: 'passed' });
    }
    expect(stopped.document.lost.revisions).toBe('0');
  });
});

describeWithEtcd(VERSION, 'the plan of a restore', () => {
  it('of an OpenShift host says whose, of what, and where everything goes', async () => {
    const scene = await openshiftScene();
    const { document } = await plan(scene);
    expect(document.checks.map(({ name }) => name)).toEqual(RESTORE_CHECK_NAMES);
    const { plan: planned } = document;
    const { stamp, backup, member } = planned;
    expect(planned).toMatchObject({
      version: 1,
      method: 'direct',
      host: { root: scene.host.root, name: NODE, layout: 'openshift' },
      etcd: {
        manifest: '/etc/kubernetes/manifests/etcd-pod.yaml',
        source: '/etc/kubernetes/manifests/etcd-pod.yaml',
        stopped: '/home/core/assets/manifests-stopped',
        clientPort: 2379,
        peerPort: 2380,
        containers: ['etcd', 'etcdctl', 'etcd-metrics', 'etcd-readyz', 'etcd-rev'],
      },
      keptResources: `/etc/kubernetes/etcdkeep-before-${stamp}`,
    });
    expect(stamp).toMatch(/^\d{8}-\d{6}$/);
    expect(backup).toMatchObject({
      kind: 'pair',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    expect(member).toMatchObject({
      name: NODE,
      peerUrls: [scene.etcd.member.peerUrl],
      endpoint: scene.etcd.endpoint,
    });
    // Another cluster of the same member at the same second has other ids.
    const again = await plan(scene);
    expect(again.document.plan.member.clusterToken).not.toBe(member.clusterToken);
    expect(planned.serveTimeoutMs).toBeGreaterThan(180_000);
    expect(planned.resources.map(({ action }) => action)).toEqual(Array(4).fill('leave'));
  });

  it('of a kubeadm host with three members: the others are known by the running one, or the snapshot', async () => {
    const scene = await kubeadmScene({ size: 3 });
    const [first, second, third] = scene.etcd.members;
    await second!.kill();
    await third!.kill();
    const running = await plan(scene);
    expect(running.code, running.stderr).toBe(0);
    expect(running.document).toMatchObject({
      host: { name: 'cp-1', layout: 'kubeadm' },
      others: [
        { name: 'cp-2', state: 'stopped' },
        { name: 'cp-3', state: 'stopped' },
      ],
      plan: { etcd: { containers: ['etcd'], stopped: '/etc/kubernetes/manifests-stopped' } },
    });
    expect(running.document.stopCommand).toMatch(/mv \/etc\/kubernetes\/manifests\/etcd\.yaml /);
    await first!.kill();
    const stopped = await plan(scene);
    expect(stopped.document.others.map(({ name }) => name)).toEqual(['cp-2', 'cp-3']);
    expect(stopped.check('topology').evidence).toBe('kubeadm with stacked etcd, 3 members known');
  });

  it('of a machine that is no control plane is none', async () => {
    const { backup } = await openshiftScene();
    const root = directoryForTest();
    await mkdir(join(root, 'etc/kubernetes/manifests'), { recursive: true });
    const outcome = await runCli(['restore', '--plan', `--root=${root}`, backup]);
    expectFailure(outcome, 'not-a-control-plane-host');
  });
});
