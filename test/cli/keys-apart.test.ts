// The archive, which holds the encryption keys, goes to another place than the snapshot.
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { BackupRecord } from '../../src/record/schema.ts';
import { runCommand } from '../servers/command.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { runCli, startCli } from './run.ts';
import {
  directoryForTest,
  fill,
  hostForSuite,
  hostForTest,
  isReceiving,
  LARGE_BYTES,
  usedDirectory,
} from './scene.ts';
import { untouched } from './untouched.ts';
import { volumeForTest, volumesMissing } from './volume.ts';

const VERSION = '3.6.16';
const noVolumes = volumesMissing();
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

describeWithEtcd(VERSION, 'keys apart', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  const host = hostForSuite(etcd);
  beforeAll(() => fill(etcd(), LARGE_BYTES));

  const line = (directory: string, keys: string, ...flags: string[]): string[] => [
    ...['backup', `--root=${host().root}`, `--static-resources-dir=${keys}`, ...flags, directory],
  ];

  it('are in their place and nowhere else, and it is said where', async () => {
    const [directory, parent] = [directoryForTest(), directoryForTest()];
    const keys = join(parent, 'made', 'for it');
    const { code, stdout, stderr } = await runCli(line(directory, keys));
    expect(code, stderr).toBe(0);
    const stamp = /snapshot_(.*)\.db$/m.exec(stdout)![1]!;
    const archive = `static_kuberesources_${stamp}.tar.gz`;
    expect((await readdir(directory)).toSorted()).toEqual([
      `backup_${stamp}.json`,
      `snapshot_${stamp}.db`,
    ]);
    expect(await readdir(keys)).toEqual([archive]);
    expect((await stat(join(keys, archive))).mode & 0o7777).toBe(0o600);
    expect(stdout).toMatch(new RegExp(`successfully saved to ${directory} and ${keys}$`, 'm'));
    expect(stderr).toMatch(new RegExp(`^encryption +on .*: ${join(keys, archive)}$`, 'm'));
    expect(stderr).toMatch(/^ +holds what opens the snapshot, and lies apart from it/m);
    expect(stderr).not.toContain('keys-apart');

    const text = await readFile(join(directory, `backup_${stamp}.json`), 'utf8');
    const record = JSON.parse(text) as BackupRecord;
    expect(record.resources).toMatchObject({ file: archive, directory: keys });
    expect(record.checks.find(({ name }) => name === 'keys-apart')).toMatchObject({
      result: 'passed',
      evidence: `the keys go to ${keys}`,
    });
    const { stdout: names } = await runCommand('tar', ['-tzf', join(keys, archive)]);
    expect(names).toContain('secrets/encryption-config/encryption-config');
  });

  it('and not: with encryption on it is a warning, with encryption off it is none', async () => {
    const together = await runCli(['backup', `--root=${host().root}`, directoryForTest()]);
    expect(together.stderr).toMatch(/^ {2}! +keys-apart +encryption is on, and its keys go to /m);
    const plain = await hostForTest(etcd(), { encrypted: false });
    const off = await runCli(['backup', `--root=${plain.root}`, directoryForTest()]);
    expect(off.code, off.stderr).toBe(0);
    expect(off.stderr).not.toContain('keys-apart');
  });

  it('where the place is a file: nothing is left in either', async () => {
    const [directory, other] = [await usedDirectory(), directoryForTest()];
    const file = join(other, 'file');
    await writeFile(file, '');
    const outcome = await untouched(directory, () => runCli(line(directory, file)));
    expectFailure(outcome, 'target-not-directory', 2);
    expect((await readFile(file)).length).toBe(0);
  });

  it('where the place is inside the data directory is refused', async () => {
    const directory = await usedDirectory();
    const keys = host().path('var/lib/etcd/keys');
    const outcome = await untouched(directory, () => runCli(line(directory, keys)));
    expect(expectFailure(outcome, 'check-failed', 3).message).toContain('target-outside-data');
    expect(await readdir(host().path('var/lib/etcd'))).toEqual([]);
  });

  it('where an archive of that second exists wait for the next one', async () => {
    const [directory, keys] = [directoryForTest(), directoryForTest()];
    const first = await runCli(line(directory, keys));
    const second = await runCli(line(directoryForTest(), keys));
    expect([first.code, second.code]).toEqual([0, 0]);
    expect(await readdir(keys)).toHaveLength(2);
  });

  describe.skipIf(noVolumes !== undefined)(
    `on a file system of their own (${noVolumes ?? 'tmpfs'})`,
    () => {
      it('that is too small: refused before, and nothing is left if it fills up all the same', async () => {
        const directory = await usedDirectory();
        const { path } = await volumeForTest('size=8k');
        const seen = await untouched(directory, () => runCli(line(directory, path)));
        expect(expectFailure(seen, 'check-failed', 3).message).toMatch(
          new RegExp(`^check "space" failed: .*; needs .* in ${path}, .* free$`),
        );
        const blind = line(directory, path, '--skip-check=space');
        const outcome = await untouched(directory, () => untouched(path, () => runCli(blind)));
        expect(expectFailure(outcome, 'disk-full').message).toContain('static_kuberesources_');
      });

      it('is taken there, by whatever it is called', async () => {
        const directory = join(directoryForTest(), 'it\'s a "name"\nof two lines, ünï');
        const { path } = await volumeForTest('size=64m');
        const { code, stderr } = await runCli(line(directory, path));
        expect(code, stderr).toBe(0);
        expect(await readdir(path)).toHaveLength(1);
        expect(await readdir(directory)).toHaveLength(2);
      });
    },
  );

  it('are gone from both places after a kill, with the next run', async () => {
    const [directory, keys] = [directoryForTest(), directoryForTest()];
    const run = startCli(line(directory, keys, '--rate-limit=8MB'));
    await run.waitUntil(() => isReceiving(directory));
    const staging = (await readdir(directory)).find((name) => name.startsWith('.etcdkeep-'))!;
    await run.end('SIGKILL');
    const [staged] = await readdir(join(directory, staging));
    const stamp = /snapshot_(.*)\.db/.exec(staged!)![1]!;
    // As if it had been killed after the first of its moves.
    const lone = join(keys, `static_kuberesources_${stamp}.tar.gz`);
    await writeFile(lone, 'half an archive');
    await mkdir(join(keys, 'kept'));
    const { code, stderr } = await runCli(line(directory, keys));
    expect(code, stderr).toBe(0);
    expect(await readdir(directory)).toHaveLength(2);
    const left = await readdir(keys);
    expect(left).toHaveLength(2);
    expect(left).toContain('kept');
    // The next run may well be of the same second.
    const [name] = left.filter((one) => one !== 'kept');
    expect((await readFile(join(keys, name!))).subarray(0, 2)).toEqual(GZIP_MAGIC);
  });
});
