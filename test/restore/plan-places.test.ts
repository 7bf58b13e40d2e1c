// Where a restore would write: mounts and links in the data directory, space, and what cannot be written.
import { cp, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { expectFailure } from '../cli/failure.ts';
import { runCli } from '../cli/run.ts';
import { directoryForTest } from '../cli/scene.ts';
import { volumeForTest, volumesMissing } from '../cli/volume.ts';
import type { OpenshiftHost } from '../fixtures/openshift-host.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { kubeadmScene, openshiftScene, type PlanDocument, plan, VERSION } from './plan-scene.ts';

const noVolumes = volumesMissing();

/** The plan of a run that has these mounted, in a mount namespace of its own. */
async function planWith(
  mounts: readonly string[],
  { host, backup }: { readonly host: OpenshiftHost; readonly backup: string },
): Promise<PlanDocument> {
  const script = `${mounts.join(' && ')} && exec "$@"`;
  const line = ['restore', '--plan', '--output=json', `--root=${host.root}`, backup];
  const outcome = await runCli(line, { launcher: ['unshare', '-m', 'sh', '-c', script, 'sh'] });
  return JSON.parse(outcome.stdout) as PlanDocument;
}

const evidence = ({ checks }: PlanDocument, name: string) => {
  const check = checks.find((one) => one.name === name)!;
  return [check.result, check.evidence];
};

describeWithEtcd(VERSION, 'the data directory, before a restore', () => {
  it('is left by its owner, its mode and its place in the plan', async () => {
    const scene = await openshiftScene();
    const { document, check } = await plan(scene);
    const { stamp, data } = document.plan;
    expect(data).toEqual({
      directory: '/var/lib/etcd',
      isMount: false,
      build: `/var/lib/etcd/restore-${stamp}`,
      kept: `/var/lib/etcd/member-before-${stamp}`,
      uid: 0,
      gid: 0,
      mode: 0o700,
    });
    expect(check('data-directory').result).toBe('passed');
  });

  it.each([
    ['member', '/var/lib/etcd/member is a symbolic link'],
    ['member/wal', '/var/lib/etcd/member/wal is a symbolic link'],
  ])(
    'with %s on another disk by a link: refuses, and cannot be overridden',
    async (name, words) => {
      const scene = await openshiftScene();
      await scene.etcd.member.kill();
      const elsewhere = directoryForTest();
      await rename(scene.host.path('var/lib/etcd', name), `${elsewhere}/moved`);
      await symlink(`${elsewhere}/moved`, scene.host.path('var/lib/etcd', name));
      const outcome = await plan(scene);
      expect(expectFailure(outcome, 'check-failed', 3).rows.get('do')).not.toContain(
        '--skip-check',
      );
      expect(outcome.check('data-directory')).toEqual({ result: 'failed', evidence: words });
      const line = ['restore', '--plan', `--root=${scene.host.root}`, scene.backup];
      const skipped = await runCli([...line, '--skip-check=data-directory']);
      expect(expectFailure(skipped, 'usage', 2).message).toBe(
        'the check "data-directory" cannot be left out',
      );
    },
  );

  it('that is itself a link is the one of another root when it is seen from there', async () => {
    const scene = await openshiftScene();
    await scene.etcd.member.kill();
    const directory = scene.host.path('var/lib/etcd');
    await rename(directory, `${directory}-real`);
    await symlink('/var/lib/etcd-real', directory);
    const outcome = await plan(scene);
    expect(outcome.check('data-directory').evidence).toMatch(
      /^\/var\/lib\/etcd is a symbolic link: run etcdkeep on the host itself, with chroot /,
    );
  });

  it('with kubeadm and a write-ahead log elsewhere: refuses', async () => {
    const scene = await kubeadmScene();
    await scene.host.changeManifest('etcd', (text) =>
      text.replace('    - --data-dir=', '    - --wal-dir=/var/lib/etcd-wal\n    - --data-dir='),
    );
    const outcome = await plan(scene);
    expectFailure(outcome, 'check-failed', 3);
    expect(outcome.check('data-directory').evidence).toBe(
      'the write-ahead log is in /var/lib/etcd-wal',
    );
  });

  describe.skipIf(noVolumes !== undefined)(
    `on a mount${noVolumes ? ` (not run: ${noVolumes})` : ''}`,
    () => {
      it('is built inside; a mount within it refuses, also one that has no device of its own', async () => {
        const scene = await openshiftScene();
        const { host } = scene;
        await scene.etcd.member.kill();
        const data = host.path('var/lib/etcd');
        const bind = (path: string) => `mount --bind '${path}' '${path}'`;
        const mounted = await planWith([bind(data)], scene);
        expect(mounted.plan.data.isMount).toBe(true);
        expect(evidence(mounted, 'data-directory')).toEqual([
          'passed',
          '/var/lib/etcd, a mount: member is a plain directory in it',
        ]);
        const inner = await planWith([bind(`${data}/member`)], scene);
        expect(evidence(inner, 'data-directory')).toEqual([
          'failed',
          '/var/lib/etcd/member is a mount of its own',
        ]);
        expect(inner.error?.code).toBe('check-failed');
      });

      it('that is read-only refuses by that name', async () => {
        const scene = await openshiftScene();
        const data = scene.host.path('var/lib/etcd');
        const readOnly = [`mount --bind '${data}' '${data}'`, `mount -o remount,ro,bind '${data}'`];
        const document = await planWith(readOnly, scene);
        expect(evidence(document, 'writable')).toEqual([
          'failed',
          `${data} is on a read-only file system`,
        ]);
        expect(document.error).toMatchObject({ code: 'check-failed' });
      });

      it('that is too small refuses by its name, and can be overridden', async () => {
        const { host, backup, etcd } = await openshiftScene();
        await etcd.member.kill();
        const volume = await volumeForTest('size=160m');
        const seen = await movedTo(volume.path, host);
        const enough = await plan({ host: seen, backup });
        expect(enough.check('space').result).toBe('passed');
        expect(enough.check('data-directory').result).toBe('passed');
        await writeFile(seen.path('filling'), Buffer.alloc(40 << 20));
        const small = await plan({ host: seen, backup });
        const failure = expectFailure(small, 'check-failed', 3);
        expect(failure.rows.get('do')).toContain('--skip-check space begins all the same');
        expect(small.check('space').evidence).toMatch(/^needs 128 MB in .*, \d+ MB free$/);
        expect((await plan({ host: seen, backup }, '--skip-check=space')).code).toBe(0);
      });
    },
  );
});

/** The host as it would be with all of it on a volume; its write-ahead log is cut to what was written. */
async function movedTo(
  root: string,
  host: OpenshiftHost,
): Promise<{ readonly root: string; readonly path: (...parts: string[]) => string }> {
  await rm(host.path('var/lib/etcd/member/wal'), { recursive: true });
  await mkdir(host.path('var/lib/etcd/member/wal'));
  await cp(host.root, root, { recursive: true });
  return { root, path: (...parts) => [root, ...parts].join('/') };
}
