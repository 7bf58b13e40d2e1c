// etcd has to be stopped while its data are moved: what is still there is found, whoever it is, and nothing is lost when
// something comes back.
import { type ChildProcess, spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { databaseLock } from '../../src/backup/restore/database-lock.ts';
import { Host } from '../../src/controlplane/host.ts';
import { expectFailure } from '../cli/failure.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { dataOf, sceneForSuite, VERSION, writeSince } from './host-scene.ts';

/** What no test waits for longer. */
const SHORT = { STOP_TIMEOUT_MS: '1500' };

function holder(file: string, ...args: string[]): ChildProcess {
  const child = spawn(file, args, { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

describeWithEtcd(VERSION, 'before data are moved', () => {
  const scene = sceneForSuite('openshift');
  beforeEach(async () => {
    await scene().waitUntilHealthy();
    if ((await dataOf(scene().gateway)) !== 'before') await writeSince(scene().gateway);
  });

  const database = (): string => scene().path('/var/lib/etcd/member/snap/db');
  const aside = (): Promise<string[]> =>
    readdir(scene().path('/home/core/assets/manifests-stopped'));

  describe('who still holds them is named, and etcd runs on as it was', () => {
    it.each<[string, () => ChildProcess, RegExp]>([
      [
        'a process that reads the database',
        () => holder('tail', '-f', database()),
        /\(tail\): \/var\/lib\/etcd\/member\/snap\/db is open/,
      ],
      [
        'one that works in the data directory',
        () => spawnIn(scene().path('/var/lib/etcd/member/wal')),
        /\(sleep\): \/var\/lib\/etcd\/member\/wal is its working directory/,
      ],
      [
        'one in a pid namespace of its own',
        () => holder('unshare', '--pid', '--fork', '--kill-child', 'tail', '-f', database()),
        /\(tail\): \/var\/lib\/etcd\/member\/snap\/db is open/,
      ],
    ])('%s', async (_, start, expected) => {
      const names = await scene().dataNames();
      const manifest = await readFile(scene().manifest, 'utf8');
      const child = start();
      await sleep(300);
      const outcome = await scene().carryOut(await scene().plan(scene().nextStamp()), {
        env: SHORT,
      });
      const failure = expectFailure(outcome, 'etcd-still-running', 3);
      expect(failure.rows.get('still there')).toMatch(expected);
      expect(failure.aftermath).toBe(
        'Nothing was changed: the manifest of etcd is back, and its data were not touched.',
      );
      child.kill('SIGKILL');
      expect(await scene().dataNames()).toEqual(names);
      expect(await readFile(scene().manifest, 'utf8')).toBe(manifest);
      expect(await aside()).toEqual([]);
      await scene().waitUntilHealthy();
      expect(await dataOf(scene().gateway)).toBe('before');
    });

    function spawnIn(cwd: string): ChildProcess {
      const child = spawn('sleep', ['60'], { cwd, stdio: 'ignore' });
      onTestFinished(() => void child.kill('SIGKILL'));
      return child;
    }
  });

  it('an etcd that is frozen holds its ports, its files and its lock', async () => {
    const { pid } = scene().pods;
    process.kill(pid!, 'SIGSTOP');
    const outcome = await scene().carryOut(await scene().plan(scene().nextStamp()), { env: SHORT });
    expectFailure(outcome, 'etcd-still-running', 3);
    for (const expected of [
      /still there +\S+:2379 answers/,
      /still there +\S+:2380 answers/,
      new RegExp(`still there +process ${pid!} \\(etcd\\): /var/lib/etcd/member/\\S+ is open`),
      /still there +somebody holds the lock of \/var\/lib\/etcd\/member\/snap\/db/,
    ]) {
      expect(outcome.stderr).toMatch(expected);
    }
    process.kill(pid!, 'SIGCONT');
    scene().gateway.close();
    await scene().waitUntilHealthy();
    expect(await dataOf(scene().gateway)).toBe('before');
  });

  it("the database's lock is held as long as etcd runs", async () => {
    const host = new Host(scene().root, 'openshift');
    const lock = () => databaseLock(host, '/var/lib/etcd/member/snap/db');
    expect(await lock()).toBe('held');
    await scene().pods.stop();
    expect(await lock()).toBe('free');
    scene().watchManifests();
  });

  describe('a manifest is written back', () => {
    it('while the data are kept: it is taken away again, named, and nothing is lost', async () => {
      const stamp = scene().nextStamp();
      const text = await readFile(scene().manifest, 'utf8');
      const step = `rename ${scene().path(`/var/lib/etcd/member-before-${stamp}`)}`;
      const run = await scene().start(await scene().plan(stamp), {
        at: { step, signal: 'SIGSTOP' },
      });
      await run.waitUntil(async () =>
        (await readFile(scene().stepsLog, 'utf8')).includes('member-before'),
      );
      await writeFile(scene().manifest, `${text}# another one\n`);
      await scene().waitUntilHealthy();
      run.signal('SIGCONT');
      const outcome = await run.outcome;
      expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
      const keptAs = `/home/core/assets/manifests-stopped/etcd-pod-${stamp}-written-back.yaml`;
      expect(outcome.stdout).toContain(
        JSON.stringify({
          kind: 'manifest-written-back',
          path: '/etc/kubernetes/manifests/etcd-pod.yaml',
          keptAs,
        }),
      );
      expect(await readFile(scene().path(keptAs), 'utf8')).toContain('# another one');
      expect(await readFile(scene().manifest, 'utf8')).toBe(text);
      expect(await dataOf(scene().gateway)).toBe('backup');
      expect(await scene().dataNames()).toContain(`member-before-${stamp}`);
      expect(scene().pods.violations).toEqual([]);
    });

    it('again and again: the run stops there, and is gone on with when that ends', async () => {
      const stamp = scene().nextStamp();
      const text = await readFile(scene().manifest, 'utf8');
      // In one step, as whoever manages files does it.
      const writer = setInterval(() => {
        writeFileSync(`${scene().root}/manifest`, text);
        renameSync(`${scene().root}/manifest`, scene().manifest);
      }, 50);
      onTestFinished(() => clearInterval(writer));
      const outcome = await scene().carryOut(await scene().plan(stamp));
      clearInterval(writer);
      const failure = expectFailure(outcome, 'manifest-written-back', 1);
      expect(failure.message).toMatch(/written back \d times/);
      // What writes it may also have been in the way of undoing what was done.
      if (failure.aftermath.includes('--rollback')) {
        expect(await scene().rollBack(stamp)).toMatchObject({ code: 0 });
      }
      await scene().waitUntilHealthy();
      expect(await dataOf(scene().gateway)).toBe('before');
      expect(await scene().carryOut(await scene().plan(scene().nextStamp()))).toMatchObject({
        code: 0,
      });
    });
  });

  it('something opens the data between two moves: named, and gone on with', async () => {
    const stamp = scene().nextStamp();
    const step = `rename ${scene().path(`/var/lib/etcd/member-before-${stamp}`)}`;
    const run = await scene().start(await scene().plan(stamp), {
      at: { step, signal: 'SIGSTOP' },
      env: SHORT,
    });
    await run.waitUntil(async () =>
      (await readFile(scene().stepsLog, 'utf8')).includes('member-before'),
    );
    const child = holder('tail', '-f', database());
    await sleep(300);
    run.signal('SIGCONT');
    const outcome = await run.outcome;
    const failure = expectFailure(outcome, 'etcd-running-again', 1);
    expect(failure.rows.get('still there')).toMatch(
      /\(tail\): \/var\/lib\/etcd\/member-before-\S+\/snap\/db is open/,
    );
    expect(failure.rows.get('do')).toContain(`etcdkeep restore --resume ${stamp}`);
    child.kill('SIGKILL');
    expect(await scene().resume(stamp)).toMatchObject({ code: 0, stderr: '' });
    expect(await dataOf(scene().gateway)).toBe('backup');
  });
});
