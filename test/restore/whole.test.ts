// A whole restore on a host: what is done, what is kept, and what whoever watches is told.
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PlacedResource, RestorePlan } from '../../src/backup/restore/plan.ts';
import { listingOf } from '../cli/untouched.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { createScene, dataOf, sceneForSuite, VERSION, writeSince } from './host-scene.ts';

const RESOURCES = '/etc/kubernetes/static-pod-resources';

function directory(name: string, state: 'missing' | 'differs'): PlacedResource {
  return {
    path: `${RESOURCES}/${name}`,
    kind: 'directory',
    member: `static-pod-resources/${name}`,
    state,
    action: state === 'missing' ? 'place' : 'replace',
  };
}

/** Names, modes and contents: times and inodes are others. */
async function contentsOf(path: string): Promise<Record<string, string>> {
  const entries = Object.entries(await listingOf(path));
  return Object.fromEntries(
    entries.map(([name, text]) => [name, text.replace(/inode \d+, modified \d+, /, '')]),
  );
}

describeWithEtcd(VERSION, 'a restore', () => {
  describe('of an OpenShift host', () => {
    const scene = sceneForSuite('openshift');

    it('puts data and static resources back, and keeps what was there', async () => {
      expect(await dataOf(scene().gateway)).toBe('before');
      const manifest = await readFile(scene().manifest, 'utf8');
      const [gone, changed] = ['kube-apiserver-pod-14', 'kube-scheduler-pod-6'];
      const goneBefore = await contentsOf(scene().path(`${RESOURCES}/${gone}`));
      const changedBefore = await contentsOf(scene().path(`${RESOURCES}/${changed}`));
      await rm(scene().path(`${RESOURCES}/${gone}`), { recursive: true });
      await writeFile(scene().path(`${RESOURCES}/${changed}/kube-scheduler-pod.yaml`), 'damaged');
      await chmod(scene().path(`${RESOURCES}/${changed}/kube-scheduler-pod.yaml`), 0o640);
      const resources = [directory(gone, 'missing'), directory(changed, 'differs')];
      const plan = await scene().plan('20261123-170200', { resources });

      const outcome = await scene().carryOut(plan);
      expect(outcome, outcome.stderr).toMatchObject({ code: 0, stderr: '' });
      expect(await dataOf(scene().gateway)).toBe('backup');
      expect(await scene().gateway.revision()).toBeGreaterThanOrEqual(BigInt(plan.bump.to));
      expect((await scene().dataNames()).sort()).toEqual([
        'member',
        'member-before-20261123-170200',
      ]);
      expect((await stat(scene().path('/var/lib/etcd/member'))).mode & 0o777).toBe(0o700);
      expect(await readFile(scene().manifest, 'utf8')).toBe(manifest);
      expect(await contentsOf(scene().path(`${RESOURCES}/${gone}`))).toEqual(goneBefore);
      expect(await contentsOf(scene().path(`${RESOURCES}/${changed}`))).toEqual(changedBefore);
      const kept = scene().path(`${plan.keptResources}${RESOURCES}/${changed}`);
      expect(await readFile(join(kept, 'kube-scheduler-pod.yaml'), 'utf8')).toBe('damaged');
      // Nothing that was on its way is left.
      const hidden = (await readdir(scene().path('/etc/kubernetes'), { recursive: true })).filter(
        (name) => /(^|\/)\./.test(name),
      );
      expect(hidden).toEqual([]);
      expect(scene().pods.violations).toEqual([]);
    });

    it('of which etcd is to be started from another manifest puts back the one of before', async () => {
      const plan = await scene().plan(scene().nextStamp());
      const revision = `${RESOURCES}/etcd-pod-7/etcd-pod.yaml`;
      const etcd = { ...plan.etcd, source: revision };
      const before = `${await readFile(scene().manifest, 'utf8')}# of a pod that restores\n`;
      await writeFile(scene().manifest, before);
      await scene().waitUntilHealthy();
      const at = { step: `link ${scene().manifest}`, signal: 'SIGKILL' as const };
      expect(await scene().carryOut({ ...plan, etcd }, { at })).toMatchObject({ code: 137 });
      expect(await scene().rollBack(plan.stamp)).toMatchObject({ code: 0, stderr: '' });
      expect(await readFile(scene().manifest, 'utf8')).toBe(before);
      await scene().waitUntilHealthy();
      const second = await scene().plan(scene().nextStamp());
      const outcome = await scene().carryOut({ ...second, etcd });
      expect(outcome, outcome.stderr).toMatchObject({ code: 0, stderr: '' });
      expect(outcome.stdout).not.toContain('written-back');
      expect(await readFile(scene().manifest, 'utf8')).toBe(
        await readFile(scene().path(revision), 'utf8'),
      );
      expect(await readdir(scene().path(plan.etcd.stopped))).toContain(
        `etcd-pod-${second.stamp}-replaced.yaml`,
      );
    });

    it('done twice keeps both, and nobody who watches is left blind', {
      timeout: 120_000,
    }, async () => {
      /** The highest revision that was ever shown to anybody. */
      let highest = await scene().gateway.revision();
      const restoreOnce = async (): Promise<RestorePlan> => {
        await writeSince(scene().gateway);
        highest = await scene().gateway.revision();
        const plan = await scene().plan(scene().nextStamp());
        expect(await scene().carryOut(plan)).toMatchObject({ code: 0, stderr: '' });
        expect(await dataOf(scene().gateway)).toBe('backup');
        // Whoever has seen everything before it is told that it is gone.
        expect(await watch(highest + 1n)).toBe('cancelled');
        // And whoever lists now sees all that follows.
        highest = await scene().gateway.revision();
        expect(await watch(highest + 1n)).toBe('right');
        return plan;
      };
      const plans = [await restoreOnce(), await restoreOnce()];
      const names = await scene().dataNames();
      for (const { stamp } of plans) expect(names).toContain(`member-before-${stamp}`);

      await writeSince(scene().gateway);
      const stamp = scene().nextStamp();
      highest = await scene().gateway.revision();
      const step = `rename ${scene().path('/etc/kubernetes')}/manifests/etcd-pod.yaml`;
      const at = { step: step.replace('rename', 'link'), signal: 'SIGKILL' as const };
      expect(await scene().carryOut(await scene().plan(stamp), { at })).toMatchObject({
        code: 137,
      });
      expect(await scene().rollBack(stamp)).toMatchObject({ code: 0, stderr: '' });
      await scene().waitUntilHealthy();
      expect(await dataOf(scene().gateway)).toBe('before');
      expect(await watch(highest + 1n)).toBe('right');
      expect(await restoreOnce()).toBeDefined();
    });

    /** What becomes of somebody who watches from a revision on, while something is written. */
    async function watch(revision: bigint): Promise<'cancelled' | 'right' | 'blind'> {
      const args = ['watch', '/registry/', '--prefix', `--rev=${revision}`, '--write-out=json'];
      const watching = scene().cluster.member.etcdctl(args, { timeoutMs: 2500 });
      const written = await scene().gateway.put('/registry/watched', `${revision}`);
      const { stdout, stderr } = await watching;
      if (/compacted/.test(stdout + stderr)) return 'cancelled';
      const mod = `"mod_revision":${written}`;
      await scene().gateway.delete('/registry/watched');
      return written === revision && stdout.includes(mod) ? 'right' : 'blind';
    }
  });

  it('of a kubeadm host, with a file that is missing there', async () => {
    const scene = await createScene('kubeadm');
    try {
      const lost = scene.path('/etc/kubernetes/pki/sa.pub');
      const text = await readFile(lost, 'utf8');
      await rm(lost);
      const resources: PlacedResource[] = [
        {
          path: '/etc/kubernetes/pki/sa.pub',
          kind: 'file',
          member: 'etc/kubernetes/pki/sa.pub',
          state: 'missing',
          action: 'place',
        },
        // A manifest as well: the kubelet sees all of it or nothing.
        {
          path: '/etc/kubernetes/manifests/kube-scheduler.yaml',
          kind: 'file',
          member: 'etc/kubernetes/manifests/kube-scheduler.yaml',
          state: 'differs',
          action: 'replace',
        },
      ];
      const outcome = await scene.carryOut(await scene.plan('20261123-170200', { resources }));
      expect(outcome, outcome.stderr).toMatchObject({ code: 0, stderr: '' });
      expect(await dataOf(scene.gateway)).toBe('backup');
      expect(await readFile(lost, 'utf8')).toBe(text);
      expect(scene.pods.violations).toEqual([]);
    } finally {
      await scene.stop();
    }
  });
});
