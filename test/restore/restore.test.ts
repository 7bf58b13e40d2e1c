// `etcdkeep restore` as its users run it: planned, agreed to, carried out, looked at afterwards, and gone back from.
import { readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectFailure } from '../cli/failure.ts';
import { runCli } from '../cli/run.ts';
import { untouched } from '../cli/untouched.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { createScene, dataOf, type Scene, VERSION, writeSince } from './host-scene.ts';

describeWithEtcd(VERSION, 'etcdkeep restore', () => {
  describe.each(['openshift', 'kubeadm'] as const)('on a host of %s', (layout) => {
    let scene: Scene;
    let backups: string;
    beforeAll(async () => {
      scene = await createScene(layout);
      backups = dirname(scene.snapshot);
    });
    afterAll(() => scene.stop());

    const restore = (...args: readonly string[]) =>
      runCli(['restore', `--root=${scene.root}`, ...args]);
    let stamp: string;

    it('plans, and changes nothing', async () => {
      const { code, stderr } = await untouched(backups, () => restore('--plan', backups));
      expect(code, stderr).toBe(0);
      expect(await dataOf(scene.gateway)).toBe('before');
    });

    it('brings back what the backup holds, and says so when etcd serves', async () => {
      const { code, stdout, stderr } = await restore('--yes', backups);
      expect(code, stderr).toBe(0);
      expect(stdout).toMatch(/^etcd 3\.6\.16 serves at https:\S+, revision \d{10}$/m);
      expect(stderr).toMatch(/^Last resort: /);
      const done = [...stderr.matchAll(/^(build|stop|keep|data|resources|start|serve) +\S/gm)];
      expect(done.map((match) => match[1])).toEqual([
        ...['build', 'stop', 'keep', 'data', 'resources', 'start', 'serve'],
      ]);
      expect(stderr).toMatch(
        /^proven +200 keys listed; of \d+ a list and single reads agree with the snapshot$/m,
      );
      stamp = /^kept +\/var\/lib\/etcd\/member-before-(\d{8}-\d{6}) /m.exec(stderr)![1]!;
      expect(stderr).toMatch(
        /^ +delete it when operators and nodes are well and a new backup is proven$/m,
      );
      expect(await dataOf(scene.gateway)).toBe('backup');
    });

    it('says how far the cluster has recovered, and what is not known', async () => {
      const outcome = await restore('--status');
      const { stdout } = outcome;
      // There is no API server here, and what is unknown has not recovered.
      const operators = layout === 'openshift' ? 'operators, ' : '';
      expect(expectFailure(outcome, 'cluster-not-recovered', 5).message).toMatch(
        RegExp(
          `^the cluster has not recovered: lists, ${operators}nodes, heartbeats, certificate requests: unknown \\(cannot ask the API server at https:\\S+: connection refused\\)$`,
        ),
      );
      expect(stdout).toMatch(new RegExp(`^restore +${stamp}: served$`, 'm'));
      expect(stdout).toMatch(/^etcd +3\.6\.16, revision 1\d{9}, no alarm$/m);
      expect(stdout).toMatch(/^lists +unknown: /m);
      const json = await restore('--status', stamp, '--output=json', '--quiet');
      expect(JSON.parse(json.stdout)).toMatchObject({
        stamp,
        phase: 'served',
        etcd: { seen: { version: '3.6.16' } },
        lists: { unknown: expect.any(String) as string },
        recovered: false,
        error: { code: 'cluster-not-recovered' },
      });
    });

    it('does not go back once etcd has served, and says how to', async () => {
      const failure = expectFailure(await restore('--rollback'), 'restore-served', 3);
      expect(failure.rows.get('do')).toMatch(/etcdkeep restore \/var\/lib\/etcd\/member-before-/);
      expect(await dataOf(scene.gateway)).toBe('backup');
    });

    it('restores what was kept, above all that was seen meanwhile', async () => {
      const before = await scene.gateway.revision();
      const kept = scene.path(`/var/lib/etcd/member-before-${stamp}`);
      const { code, stderr } = await restore('--yes', kept);
      expect(code, stderr).toBe(0);
      expect(await dataOf(scene.gateway)).toBe('before');
      expect(await scene.gateway.revision()).toBeGreaterThan(before);
      const copies = (await scene.dataNames()).filter((name) => name.startsWith('member-before-'));
      expect(copies).toHaveLength(2);
    });

    it('answers with one document, of the plan and of what came of it', async () => {
      await writeSince(scene.gateway).catch(() => undefined);
      const { code, stdout } = await restore('--yes', '--output=json', '--quiet', backups);
      expect(code, stdout).toBe(0);
      const { plan, restored } = JSON.parse(stdout) as {
        plan: { stamp: string };
        restored: Record<string, unknown>;
      };
      expect(restored).toMatchObject({
        stamp: plan.stamp,
        version: '3.6.16',
        keys: 200,
      });
      expect(await readdir(scene.path(`/var/lib/etcdkeep/restores/${plan.stamp}`))).toContain(
        'plan.json',
      );
    });
  });

  it.each([
    ['neither a backup nor anything else', []],
    ['a backup and another run', ['--resume', '--', '/backups']],
    ['two things at once', ['--resume=20261123-170200', '--rollback=20261123-170200']],
  ])('refuses %s', async (_, args) => {
    expectFailure(await runCli(['restore', ...args]), 'usage', 2);
  });
});
