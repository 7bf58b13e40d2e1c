// The disk is full, or cannot be written: nothing is left, and what was there is still there.
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkBackup } from '../demo/check-backup.ts';
import { binariesOf } from '../servers/etcd.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { COMMANDS } from './commands.ts';
import { expectFailure } from './failure.ts';
import { ETCDKEEP, runCli } from './run.ts';
import { fill, flagsFor, hostForSuite, usedDirectory } from './scene.ts';
import { untouched } from './untouched.ts';
import { volumeForTest, volumesMissing } from './volume.ts';

const VERSION = '3.6.16';
const NOBODY = 65_534;
const PAGE_BYTES = 4096;

const noVolumes = volumesMissing();
const because = (reason: string | undefined): string =>
  reason === undefined ? '' : ` (not run: ${reason})`;

describeWithEtcd(VERSION, 'the target', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  const host = hostForSuite(etcd);
  beforeAll(() => fill(etcd(), 4 << 20));

  const reach = (): string[] => flagsFor(etcd().member);
  const earlier = 'backup_2026-01-02_030405.json';
  const put = (directory: string, name = earlier): Promise<void> =>
    writeFile(join(directory, name), '{"schema":"etcdkeep.backup/v1"}');

  describe.skipIf(noVolumes !== undefined)(`is a file system${because(noVolumes)}`, () => {
    describe.each(COMMANDS)('$command', ({ command, line }) => {
      it.each([
        ['on which the snapshot does not fit', 'size=2m'],
        ['that has no file left to give', 'size=64m,nr_inodes=2'],
      ])('%s', async (_, limits) => {
        const { path } = await volumeForTest(limits);
        await put(path);
        const skipped = command === 'backup' ? ['--skip-check=space'] : [];
        const run = () => runCli(line(path, host(), [...reach(), ...skipped]));
        const failure = expectFailure(await untouched(path, run), 'disk-full');
        expect(failure.message).toMatch(/no space is left on the file system$/);
        expect(failure.aftermath).toMatch(
          command === 'backup' ? /the earlier backup in \S+ is untouched/ : /Nothing was written/,
        );
      });

      it('that is mounted read-only', async () => {
        const volume = await volumeForTest('size=64m');
        await put(volume.path);
        volume.makeReadOnly();
        const run = () => runCli(line(volume.path, host(), reach()));
        const failure = expectFailure(await untouched(volume.path, run), 'target-unwritable');
        expect(failure.message).toMatch(/the file system is read-only$/);
      });
    });

    describe.each(COMMANDS)('$command', ({ command, line }) => {
      it.each([0, 1, 50, 99])('that is full at %i %% of the snapshot', async (percent) => {
        const pages = Number((await etcd().gateway.status())['dbSize']) / PAGE_BYTES;
        // Directories have a page each; the last one is what the snapshot then has to itself.
        const overhead = command === 'backup' ? 3 : 2;
        const size = (overhead + Math.floor((pages * percent) / 100)) * PAGE_BYTES;
        const { path } = await volumeForTest(`size=${size}`);
        await put(path);
        const flags = [...reach(), ...(command === 'backup' ? ['--skip-check=space'] : [])];
        const outcome = await untouched(path, () => runCli(line(path, host(), flags)));
        const { message } = expectFailure(outcome, 'disk-full');
        expect(message).toMatch(/no space is left on the file system$/);
      });
    });

    it('backup: a mount of its own without direct I/O, in a directory of any name', async () => {
      const { path } = await volumeForTest('size=64m');
      const directory = join(path, 'it\'s a "name"\nof two lines, ünï $(id)');
      const { code, stdout, stderr } = await runCli(COMMANDS[0]!.line(directory, host()));
      expect(code, stderr).toBe(0);
      expect(stdout).toContain(`are successfully saved to ${directory}\n`);
      await checkBackup(directory, await binariesOf(VERSION), () => undefined);
    });

    it('backup: too small, which is seen before anything is written', async () => {
      const { path } = await volumeForTest('size=2m');
      await put(path);
      const outcome = await untouched(path, () => runCli(COMMANDS[0]!.line(path, host())));
      const failure = expectFailure(outcome, 'check-failed', 3);
      expect(failure.message).toMatch(/^check "space" failed: needs \S+ MB in \S+, \S+ MB free$/);
      expect(failure.rows.get('do')).toContain('--skip-check space');
    });

    it('backup: on which the archive does not fit beside the snapshot', async () => {
      const snapshotBytes = Number((await etcd().gateway.status())['dbSize']) + 32;
      const pages = Math.ceil(snapshotBytes / PAGE_BYTES) + 3;
      const { path } = await volumeForTest(`size=${pages * PAGE_BYTES}`);
      await put(path);
      const line = COMMANDS[0]!.line(path, host(), ['--skip-check=space']);
      const outcome = await untouched(path, () => runCli(line));
      const failure = expectFailure(outcome, 'disk-full');
      expect(failure.message).toMatch(/^cannot write static_kuberesources_/);
    });

    it('backup: read-only, and the directory for it would have to be made', async () => {
      const volume = await volumeForTest('size=64m');
      volume.makeReadOnly();
      const directory = join(volume.path, 'new');
      const outcome = await untouched(volume.path, () =>
        runCli(COMMANDS[0]!.line(directory, host())),
      );
      expectFailure(outcome, 'target-unwritable');
    });

    it('snapshot save --overwrite: too small, and the old file stays', async () => {
      const { path } = await volumeForTest('size=2m');
      await put(path, 'new.db');
      const flags = [...reach(), '--overwrite'];
      const run = () => runCli(COMMANDS[1]!.line(path, host(), flags));
      expectFailure(await untouched(path, run), 'disk-full');
    });
  });

  const { status } = spawnSync(ETCDKEEP, ['--version'], { uid: NOBODY, gid: NOBODY });
  const noUser = status === 0 ? undefined : 'another user cannot read this tree';

  describe.skipIf(noUser !== undefined)(`is another user's${because(noUser)}`, () => {
    // Without TLS: nobody may read the files of the other one.
    const plain = etcdForSuite({ version: VERSION });

    it('snapshot save: the directory', async () => {
      const directory = await usedDirectory();
      await chmod(directory, 0o755);
      const line = COMMANDS[1]!.line(directory, host(), flagsFor(plain().member));
      const outcome = await untouched(directory, () => runCli(line, { uid: NOBODY }));
      const failure = expectFailure(outcome, 'target-unwritable');
      expect(failure.message).toMatch(/permission denied$/);
    });

    it('backup: who is not root is told so before anything else', async () => {
      const directory = await usedDirectory();
      await mkdir(join(directory, 'theirs'));
      const line = COMMANDS[0]!.line(join(directory, 'theirs'), host());
      const outcome = await untouched(directory, () => runCli(line, { uid: NOBODY }));
      expect(expectFailure(outcome, 'not-root').rows.get('do')).toBe('run it again with sudo');
      expect(outcome.stdout).toBe('');
    });
  });
});
