// What a restore writes down of itself: how one that was killed is known, gone on with and gone back from, and who has to
// wait or is refused.
import { appendFile, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { RestorePlan } from '../../src/backup/restore/plan.ts';
import { expectFailure } from '../cli/failure.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import {
  dataOf,
  type Scene,
  type StepAt,
  sceneForSuite,
  VERSION,
  writeSince,
} from './host-scene.ts';

describeWithEtcd(VERSION, 'the journal of a restore', () => {
  const scene = sceneForSuite('openshift');
  beforeEach(async () => {
    await scene().waitUntilHealthy();
    if ((await dataOf(scene().gateway)) !== 'before') await writeSince(scene().gateway);
  });

  const restores = (): string => scene().path('/var/lib/etcdkeep/restores');
  const keptStep = (one: Scene, stamp: string): string =>
    `rename ${one.path(`/var/lib/etcd/member-before-${stamp}`)}`;
  const startStep = (one: Scene): string => `link ${one.manifest}`;

  /** Carries a plan out until just before a step, where it is killed. */
  async function killed(step: (one: Scene, stamp: string) => string): Promise<RestorePlan> {
    const plan = await scene().plan(scene().nextStamp());
    const at: StepAt = { step: step(scene(), plan.stamp), signal: 'SIGKILL' };
    expect(await scene().carryOut(plan, { at })).toMatchObject({ code: 137 });
    return plan;
  }

  const build = (one: Scene, stamp: string): string =>
    `mkdir ${one.path(`/var/lib/etcd/restore-${stamp}`)}`;

  it('is for root alone, and holds no secret', async () => {
    const plan = await scene().plan(scene().nextStamp());
    expect(await scene().carryOut(plan)).toMatchObject({ code: 0 });
    const directory = join(restores(), plan.stamp);
    const text = await readFile(join(directory, 'journal'), 'utf8');
    const steps = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { step: string; state: string });
    expect(steps.map(({ step, state }) => `${step} ${state}`)).toEqual([
      ...['build', 'stop', 'keep', 'data', 'resources', 'start'].flatMap((step) => [
        `${step} begun`,
        `${step} done`,
      ]),
      'serve done',
    ]);
    expect(JSON.parse(await readFile(join(directory, 'plan.json'), 'utf8'))).toEqual(
      JSON.parse(JSON.stringify(plan)),
    );
    expect(text + JSON.stringify(plan)).not.toMatch(/PRIVATE KEY|BEGIN|thing 1/);
    const { mode } = await import('node:fs').then(({ statSync }) => statSync(directory));
    expect(mode & 0o777).toBe(0o700);
  });

  describe('a run that was killed', () => {
    it.each(['resume', 'rollBack'] as const)(
      'while it took the manifest away leaves nothing of that: %s',
      async (how) => {
        const { stamp } = await killed((one) => `sync ${dirname(one.manifest)}`);
        const manifests = dirname(scene().manifest);
        const hidden = async () => (await readdir(manifests)).filter((name) => name[0] === '.');
        expect(await hidden()).toEqual([`.etcd-pod.yaml-${stamp}.taken`]);
        expect(await scene()[how](stamp)).toMatchObject({ code: 0 });
        expect(await hidden()).toEqual([]);
        await scene().waitUntilHealthy();
        expect(await dataOf(scene().gateway)).toBe(how === 'resume' ? 'backup' : 'before');
      },
    );

    it.each<[string, (one: Scene, stamp: string) => string]>([
      ['while it built', build],
      ['before it moved the data', keptStep],
      ['before it told etcd to start', startStep],
    ])('%s keeps a new one from beginning, and is gone on with', async (_, step) => {
      const { stamp } = await killed(step);
      const refused = await scene().carryOut(await scene().plan(scene().nextStamp()));
      const failure = expectFailure(refused, 'restore-unfinished', 3);
      expect(failure.message).toContain(stamp);
      expect(failure.rows.get('do')).toBe(
        `go on with it: etcdkeep restore --resume ${stamp}; or go back: etcdkeep restore --rollback ${stamp}`,
      );
      expect(await scene().resume()).toMatchObject({ code: 0, stderr: '' });
      expect(await dataOf(scene().gateway)).toBe('backup');
      expect(await scene().dataNames()).toContain(`member-before-${stamp}`);
    });

    it.each<[string, (one: Scene, stamp: string) => string]>([
      ['while it built', build],
      ['before it moved the data', keptStep],
      ['before it told etcd to start', startStep],
    ])('%s is gone back from', async (_, step) => {
      const names = await scene().dataNames();
      const { stamp } = await killed(step);
      expect(await scene().rollBack()).toMatchObject({ code: 0, stderr: '' });
      await scene().waitUntilHealthy();
      expect(await dataOf(scene().gateway)).toBe('before');
      expect(await scene().dataNames()).toEqual(names);
      // It has come to its end: nothing stands in the way of another one, and nothing can be gone on with.
      expectFailure(await scene().resume(stamp), 'restore-not-found', 1);
    });

    it('in the middle of a line is gone on with all the same', async () => {
      const { stamp } = await killed(keptStep);
      await appendFile(join(restores(), stamp, 'journal'), '{"at":"2026-11-2');
      expect(await scene().resume(stamp)).toMatchObject({ code: 0, stderr: '' });
      expect(await readFile(join(restores(), stamp, 'journal'), 'utf8')).not.toContain(
        '"2026-11-2{',
      );
    });

    it('on its way back can only go back', async () => {
      const { stamp } = await killed(startStep);
      const at: StepAt = {
        step: `rename ${scene().path('/var/lib/etcd/member')}`,
        signal: 'SIGKILL',
      };
      expect(await scene().rollBack(stamp, { at })).toMatchObject({ code: 137 });
      const failure = expectFailure(await scene().resume(stamp), 'restore-unfinished', 3);
      expect(failure.rows.get('do')).toContain(`--rollback ${stamp}`);
      expectFailure(
        await scene().carryOut(await scene().plan(scene().nextStamp())),
        'restore-unfinished',
        3,
      );
      expect(await scene().rollBack(stamp)).toMatchObject({ code: 0, stderr: '' });
      await scene().waitUntilHealthy();
      expect(await dataOf(scene().gateway)).toBe('before');
    });

    it('and whose journal is none any more is not guessed at', async () => {
      const { stamp } = await killed(keptStep);
      const path = join(restores(), stamp, 'journal');
      const text = await readFile(path, 'utf8');
      await writeFile(path, `garbage\n${text}`);
      const failure = expectFailure(await scene().resume(stamp), 'restore-journal-invalid', 1);
      expect(failure.rows.get('file')).toBe(path);
      await writeFile(path, text);
      expect(await scene().rollBack(stamp)).toMatchObject({ code: 0, stderr: '' });
    });
  });

  it('a second run at the same time is refused', async () => {
    const plan = await scene().plan(scene().nextStamp());
    const run = await scene().start(plan, {
      at: { step: keptStep(scene(), plan.stamp), signal: 'SIGSTOP' },
    });
    await run.waitUntil(async () =>
      (await readFile(scene().stepsLog, 'utf8').catch(() => '')).includes('member-before'),
    );
    const second = await scene().resume(plan.stamp);
    const failure = expectFailure(second, 'restore-running', 3);
    expect(failure.rows.get('restore')).toContain(plan.stamp);
    run.signal('SIGCONT');
    expect(await run.outcome).toMatchObject({ code: 0 });
  });

  it('no restore to go back from', async () => {
    expectFailure(await scene().rollBack('20200101-000000'), 'restore-not-found', 1);
  });

  it('what etcd has served is not taken back, and the way to go is named', async () => {
    const plan = await scene().plan(scene().nextStamp());
    expect(await scene().carryOut(plan)).toMatchObject({ code: 0 });
    await scene().gateway.put('/registry/after', 'the restore');
    const failure = expectFailure(await scene().rollBack(plan.stamp), 'restore-served', 3);
    expect(failure.rows.get('do')).toContain(
      `etcdkeep restore /var/lib/etcd/member-before-${plan.stamp}`,
    );
    expect((await scene().gateway.get('/registry/after'))?.value.toString()).toBe('the restore');
    await scene().gateway.delete('/registry/after');
  });

  it('what etcd has opened, but nobody has seen served, is not taken back either', async () => {
    const plan = await scene().plan(scene().nextStamp(), { serveTimeoutMs: 0 });
    // It serves, and is never at the revision that is waited for.
    const bump = { ...plan.bump, to: `${10n ** 15n}` };
    expectFailure(await scene().carryOut({ ...plan, bump }), 'etcd-not-serving', 5);
    await scene().waitUntilHealthy();
    expectFailure(await scene().rollBack(plan.stamp), 'restore-served', 3);
    expect(await dataOf(scene().gateway)).toBe('backup');
  });

  it('etcd does not start: that is said, with what was observed, and it can still be gone back', async () => {
    await scene().pods.stop();
    const plan = await scene().plan(scene().nextStamp(), { serveTimeoutMs: 500 });
    const failure = expectFailure(await scene().carryOut(plan), 'etcd-not-serving', 5);
    expect(failure.rows.get('observed')).toMatch(/connection refused/);
    expect(failure.aftermath).toContain(`etcdkeep restore --resume ${plan.stamp}`);
    expect(await scene().rollBack(plan.stamp)).toMatchObject({ code: 0, stderr: '' });
    scene().watchManifests();
    await scene().waitUntilHealthy();
    expect(await dataOf(scene().gateway)).toBe('before');
  });

  it('a snapshot that is another one by now changes nothing', async () => {
    const plan = await scene().plan(scene().nextStamp());
    const backup = { ...plan.backup, sha256: '0'.repeat(64) };
    const failure = expectFailure(await scene().carryOut({ ...plan, backup }), 'backup-changed', 1);
    expect(failure.aftermath).toBe('Nothing was changed.');
    expect(await scene().dataNames()).not.toContain(`restore-${plan.stamp}`);
    expect(await dataOf(scene().gateway)).toBe('before');
  });

  it('an archive that lacks what the plan puts in place changes nothing', async () => {
    const path = '/etc/kubernetes/static-pod-resources/etcd-pod-99';
    const plan = await scene().plan(scene().nextStamp(), {
      resources: [
        {
          path,
          kind: 'directory',
          member: 'static-pod-resources/etcd-pod-99',
          state: 'missing',
          action: 'place',
        },
      ],
    });
    const failure = expectFailure(await scene().carryOut(plan), 'archive-unusable', 4);
    expect(failure.message).toContain('it has no static-pod-resources/etcd-pod-99');
    expect(failure.aftermath).toBe('Nothing was changed.');
    expect(
      (await readdir(scene().path('/etc/kubernetes/static-pod-resources'))).filter((name) =>
        name.startsWith('.'),
      ),
    ).toEqual([]);
  });

  it('data that somebody has moved away are not taken for none', async () => {
    const plan = await killed(startStep);
    const kept = scene().path(plan.data.kept!);
    await rename(kept, `${kept}.moved`);
    const failure = expectFailure(await scene().rollBack(plan.stamp), 'restore-journal-invalid', 1);
    expect(failure.rows.get('file')).toBe(kept);
    await rename(`${kept}.moved`, kept);
    expect(await scene().rollBack(plan.stamp)).toMatchObject({ code: 0, stderr: '' });
    await scene().waitUntilHealthy();
    expect(await dataOf(scene().gateway)).toBe('before');
    await rm(restores(), { recursive: true });
  });

  describe('told to stop', () => {
    it('before etcd is, it undoes what it did', async () => {
      const names = await scene().dataNames();
      const plan = await scene().plan(scene().nextStamp());
      const at: StepAt = { step: build(scene(), plan.stamp), signal: 'SIGINT' };
      const failure = expectFailure(await scene().carryOut(plan, { at }), 'interrupted', 130);
      expect(failure.aftermath).toBe('Nothing was changed.');
      expect(await scene().dataNames()).toEqual(names);
      expect(await dataOf(scene().gateway)).toBe('before');
    });

    it('after it, it stops at a safe point, and says how to go on', async () => {
      const plan = await scene().plan(scene().nextStamp());
      const at: StepAt = { step: keptStep(scene(), plan.stamp), signal: 'SIGTERM' };
      const failure = expectFailure(await scene().carryOut(plan, { at }), 'terminated', 143);
      expect(failure.aftermath).toBe(
        `etcd is stopped, and nothing is lost. Go on: etcdkeep restore --resume ${plan.stamp}; or go back: etcdkeep restore --rollback ${plan.stamp}`,
      );
      expect(await scene().rollBack(plan.stamp)).toMatchObject({ code: 0, stderr: '' });
      await scene().waitUntilHealthy();
      expect(await dataOf(scene().gateway)).toBe('before');
    });
  });
});
