// snapshot status: etcdutl's output byte for byte, and a sentence where etcdutl panics.
import { chmod, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DATABASES, readDatabase } from '../fixtures/databases/databases.ts';
import { runCommand } from '../servers/command.ts';
import { binariesOf } from '../servers/etcd.ts';
import { describeEachVersion, describeWithEtcd } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { directoryForTest } from './scene.ts';
import { untouched } from './untouched.ts';

async function fileOf(name: string, change?: (bytes: Buffer) => void): Promise<string> {
  const path = join(directoryForTest(), `${name}.db`);
  const bytes = readDatabase(name);
  change?.(bytes);
  await writeFile(path, bytes);
  return path;
}

async function etcdutl(version: '3.5.35' | '3.6.16' | '3.7.3', path: string, format: string) {
  const { etcdutl: tool } = await binariesOf(version);
  return (await runCommand(tool!, ['snapshot', 'status', path, '-w', format])).stdout;
}

describeWithEtcd('3.7.3', 'snapshot status', () => {
  describe.each(DATABASES)('of the database %s', (name) => {
    it.each(['simple', 'json', 'table', 'fields'])(
      '-w %s is what etcdutl 3.7.3 prints',
      async (format) => {
        const path = await fileOf(name);
        const { code, stdout, stderr } = await runCli(['snapshot', 'status', path, '-w', format]);
        expect([code, stderr]).toEqual([0, '']);
        expect(stdout).toBe(await etcdutl('3.7.3', path, format));
      },
    );
  });

  it('-w yaml has the names of JSON', async () => {
    const { stdout } = await runCli(['snapshot', 'status', await fileOf('tree'), '-w', 'yaml']);
    expect(stdout.split('\n').map((line) => line.split(':')[0])).toEqual([
      ...['hash', 'revision', 'totalKey', 'totalSize', 'version', ''],
    ]);
  });

  it('changes nothing, and works on a file and in a directory that cannot be written', async () => {
    const path = await fileOf('tree');
    await chmod(path, 0o400);
    const directory = join(path, '..');
    await chmod(directory, 0o500);
    const outcome = await untouched(directory, () => runCli(['snapshot', 'status', path]));
    expect(outcome.code).toBe(0);
    await chmod(directory, 0o700);
  });

  it('of a file that etcd holds a lock on does not wait for it', async () => {
    const path = await fileOf('tree');
    const outcome = await runCommand('flock', [
      '-x',
      path,
      'bin/etcdkeep',
      'snapshot',
      'status',
      path,
    ]);
    expect(outcome.code, outcome.stderr).toBe(0);
  });

  it.each<[string, (bytes: Buffer) => void, RegExp]>([
    [
      'both metas broken',
      (bytes) => bytes.fill(0, 16, 80).fill(0, 4112, 4176),
      /no bbolt database/,
    ],
    [
      'a root page of another kind',
      (bytes) => bytes.writeUInt8(0x10, Number(bytes.readBigUInt64LE(32)) * 4096 + 8),
      /^page /,
    ],
  ])('of a file with %s is a sentence, exit code 4', async (_, change, message) => {
    const path = await fileOf('inline', change);
    const outcome = await untouched(join(path, '..'), () => runCli(['snapshot', 'status', path]));
    expect(expectFailure(outcome, 'snapshot-damaged', 4).message).toMatch(message);
  });

  it('of a file that is cut off says where it ends', async () => {
    const path = await fileOf('tree');
    await truncate(path, 16_000);
    const failure = expectFailure(
      await runCli(['snapshot', 'status', path]),
      'snapshot-damaged',
      4,
    );
    expect(failure.message).toBe('the file ends at 16000 of 819200 bytes: it is truncated');
  });

  it('of what is no file, is not there, or not named', async () => {
    const directory = directoryForTest();
    const status = (...args: string[]) => runCli(['snapshot', 'status', ...args]);
    expectFailure(await status(directory), 'file-failed');
    expectFailure(await status(join(directory, 'x.db')), 'file-failed');
    expectFailure(await status(), 'usage', 2);
  });
});

describeEachVersion(
  'snapshot status --total-keys',
  (version) => {
    it.each(DATABASES)('of the database %s counts as that etcdutl does', async (name) => {
      const path = await fileOf(name);
      const counted = version === '3.5.35' ? 'all' : 'live';
      const line = ['snapshot', 'status', path, '-w', 'json', '--total-keys', counted];
      const { stdout } = await runCli(line);
      const theirs = await etcdutl(version as '3.5.35', path, 'json');
      expect(JSON.parse(stdout)).toMatchObject(JSON.parse(theirs) as object);
    });
  },
  ['3.5.35', '3.6.16'],
);
