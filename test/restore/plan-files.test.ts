// What BACKUP can be, and whether its files belong together and are whole.
import {
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { expectFailure } from '../cli/failure.ts';
import { runCli } from '../cli/run.ts';
import { directoryForTest } from '../cli/scene.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { backUp, openshiftScene, plan, type Scene, VERSION } from './plan-scene.ts';

/** The files of the one backup in a directory. */
async function filesIn(directory: string) {
  const names = await readdir(directory);
  const named = (start: string): string =>
    join(directory, names.find((name) => name.startsWith(start))!);
  return { snapshot: named('snapshot_'), archive: named('static_'), record: named('backup_') };
}

/** Changes the record as a drill or a hand would. */
async function changeRecord(
  path: string,
  change: (record: Record<string, unknown>) => object,
): Promise<void> {
  const record = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify(change(record)));
}

describeWithEtcd(VERSION, 'the backup, before a restore', () => {
  const refused = async (scene: Scene, check: 'pair' | 'verified', ...flags: string[]) => {
    const outcome = await plan(scene, ...flags);
    const failure = expectFailure(outcome, 'check-failed', 3);
    expect(failure.rows.get('do')).toContain(`--skip-check ${check} restores`);
    return outcome.check(check).evidence;
  };

  describe('its pair', () => {
    it('of two backups is refused: the snapshot of one, the archive of the other', async () => {
      const scene = await openshiftScene();
      await scene.etcd.gateway.put('/later', 'x');
      await scene.host.rollOut('kube-scheduler');
      const later = await filesIn(await backUp(scene.host));
      const files = await filesIn(scene.backup);
      await copyFile(later.archive, files.archive);
      expect(await refused(scene, 'pair', '--skip-check=verified')).toBe(
        'the archive of the static resources is not of the backup that the record speaks of',
      );
      const both = await plan(scene, '--skip-check=verified', '--skip-check=pair');
      expect(both.code, both.stderr).toBe(0);
      await copyFile(later.snapshot, files.snapshot);
      expect(await refused(scene, 'pair', '--skip-check=verified')).toMatch(
        /^the snapshot and the archive of the static resources are not/,
      );
    });

    it('in two places is asked for, and found', async () => {
      const scene = await openshiftScene();
      const { archive } = await filesIn(scene.backup);
      const elsewhere = directoryForTest();
      await rename(archive, join(elsewhere, archive.split('/').at(-1)!));
      expect(await refused(scene, 'pair')).toMatch(
        /^the static resources of .* are not beside it$/,
      );
      const outcome = await plan(scene, `--static-resources-dir=${elsewhere}`);
      expect(outcome.code, outcome.stderr).toBe(0);
      expect(outcome.document.plan.backup.resources).toMatch(elsewhere);
      expect(outcome.check('pair').evidence).toMatch(/have the digests that the record names$/);
    });

    it('without a record is only known by its stamp', async () => {
      const scene = await openshiftScene();
      await rm((await filesIn(scene.backup)).record);
      const outcome = await plan(scene);
      expect(outcome.code, outcome.stderr).toBe(0);
      expect(outcome.check('pair').result).toBe('unknown');
      expect(outcome.check('drilled').result).toBe('unknown');
    });
  });

  describe('its proof', () => {
    it('that fails refuses: a bit of a value was changed', async () => {
      const scene = await openshiftScene();
      const { snapshot } = await filesIn(scene.backup);
      const bytes = await readFile(snapshot);
      bytes[bytes.indexOf('kube-system')]! ^= 1;
      await writeFile(snapshot, bytes);
      expect(await refused(scene, 'verified', '--skip-check=pair')).toMatch(
        /^the snapshot's digest differs from its trailer/,
      );
    });

    it('that the static resources fail refuses; without it nothing of a cut archive is put back', async () => {
      const scene = await openshiftScene();
      const { archive } = await filesIn(scene.backup);
      await truncate(archive, 4000);
      await rm(scene.host.resources('kube-scheduler'), { recursive: true });
      expect(await refused(scene, 'verified', '--skip-check=pair')).toMatch(/^static resources: /);
      const outcome = await plan(scene, '--skip-check=pair', '--skip-check=verified');
      expect(outcome.code, outcome.stderr).toBe(0);
      expect(outcome.document.plan.resources).toEqual([]);
    });

    it('is impossible where there is no database in the file', async () => {
      const scene = await openshiftScene();
      const { snapshot } = await filesIn(scene.backup);
      await writeFile(snapshot, Buffer.alloc(40_960, 7));
      const outcome = await runCli([
        'restore',
        '--plan',
        `--root=${scene.host.root}`,
        scene.backup,
      ]);
      expectFailure(outcome, 'backup-bad', 4);
      await rm(snapshot);
      const without = await runCli([
        'restore',
        '--plan',
        `--root=${scene.host.root}`,
        scene.backup,
      ]);
      expect(expectFailure(without, 'backup-bad', 4).message).toBe(
        'there is no snapshot in this backup',
      );
    });

    it('by a drill is said with its age, and its failure too', async () => {
      const scene = await openshiftScene();
      const { record } = await filesIn(scene.backup);
      const verdict = {
        at: '2026-11-20T04:00:00Z',
        kind: 'drill',
        tool: 't',
        evidence: 'all keys',
      };
      const judge = (result: string): Promise<void> =>
        changeRecord(record, (before) => ({ ...before, verdicts: [{ ...verdict, result }] }));
      await judge('good');
      expect((await plan(scene)).check('drilled')).toEqual({
        result: 'passed',
        evidence: expect.stringMatching(
          /^drilled \d+ \w+ ago \(2026-11-20 04:00 UTC\): all keys$/,
        ) as string,
      });
      await judge('bad');
      expect((await plan(scene)).check('drilled').result).toBe('failed');
    });

    it('cannot be made of a packed snapshot', async () => {
      const scene = await openshiftScene();
      const { snapshot } = await filesIn(scene.backup);
      await writeFile(`${snapshot}.gz`, gzipSync(await readFile(snapshot)));
      await rm(snapshot);
      const outcome = await runCli([
        'restore',
        '--plan',
        `--root=${scene.host.root}`,
        scene.backup,
      ]);
      expect(expectFailure(outcome, 'snapshot-packed', 3).message).toMatch(/gzip$/);
    });
  });

  it('can be a snapshot alone: the static resources of the host stay', async () => {
    const { host, etcd } = await openshiftScene();
    const backup = join(directoryForTest(), 'mine.db');
    const saved = await etcd.member.etcdctl(['snapshot', 'save', backup]);
    expect(saved.code, saved.stderr).toBe(0);
    const outcome = await runCli([
      'restore',
      '--plan',
      '--output=json',
      `--root=${host.root}`,
      backup,
    ]);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(JSON.parse(outcome.stdout)).toMatchObject({
      plan: { backup: { kind: 'snapshot', snapshot: backup }, resources: [] },
    });
  });

  it('can be what an earlier restore has kept, and is never the data that etcd runs on', async () => {
    const scene = await openshiftScene();
    const { member, gateway } = scene.etcd;
    await gateway.put('/later', 'x');
    const live = await runCli([
      ...['restore', '--plan', `--root=${scene.host.root}`],
      scene.host.path('var/lib/etcd/member'),
    ]);
    expect(expectFailure(live, 'usage', 2).message).toMatch(/the host's own etcd runs on/);
    await member.kill();
    const kept = scene.host.path('var/lib/etcd/member-before-20261101-000000');
    await rename(scene.host.path('var/lib/etcd/member'), kept);
    await mkdir(scene.host.path('var/lib/etcd/member'));
    const { document, code, stderr, check } = await plan({ ...scene, backup: kept });
    expect(code, stderr).toBe(0);
    expect(document.plan.backup).toMatchObject({ kind: 'data', snapshot: join(kept, 'snap/db') });
    expect(document.plan.resources).toEqual([]);
    expect(check('verified')).toEqual({
      result: 'unknown',
      evidence: expect.stringContaining('carries no digest') as string,
    });
    const screen = await runCli(['restore', '--plan', `--root=${scene.host.root}`, kept]);
    expect(screen.stderr).toContain(
      'what its write-ahead log holds beyond the database, which is not replayed',
    );
  });

  it('must be there', async () => {
    const { host } = await openshiftScene();
    const outcome = await runCli(['restore', '--plan', `--root=${host.root}`, directoryForTest()]);
    expectFailure(outcome, 'backup-not-found');
  });
});
