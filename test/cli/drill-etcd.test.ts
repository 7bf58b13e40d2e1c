// Which etcd a drill runs: the one that is named, or the nearest that this machine has; and what is left without any.
import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SavedCluster, saveCluster } from '../compatibility/restored.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { binariesOf } from '../servers/etcd.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import type { EtcdVersion } from '../servers/versions.ts';
import { drill, etcdFlag } from './drilled.ts';
import { expectFailure } from './failure.ts';
import { directoryForTest } from './scene.ts';
import { namespacesMissing, withoutEtcd } from './without-etcd.ts';

const VERSION = '3.5.35';

describeWithEtcd(VERSION, 'a drill', () => {
  let directory: string;
  let saved: SavedCluster;
  beforeAll(async () => {
    directory = temporaryDirectory();
    saved = await saveCluster(VERSION, directory);
  });
  afterAll(() => removeTemporaryDirectory(directory));

  describe('of an etcd that was named', () => {
    it.each([
      ['is not there', () => '/nowhere/etcd', 'there is no such file'],
      ['is a directory', directoryForTest, 'it may not be executed'],
      ['may not be executed', () => script('exit 0', 0o644), 'it may not be executed'],
      ['is no etcd', () => script('echo etcdctl version: 3.5.35'), 'asked for its version, it nam'],
      ['fails', () => script('exit 3'), 'Command failed: '],
    ])('and %s', async (_, program, why) => {
      const outcome = await drill([saved.file, `--etcd=${await program()}`]);
      const { message } = expectFailure(outcome, 'etcd-unusable', 2);
      expect(message.startsWith(`this is no etcd that can be run: ${why}`), message).toBe(true);
    });

    it('and is of an older minor version', async () => {
      const outcome = await drill([saved.file, await etcdFlag('3.4.23')]);
      expect(expectFailure(outcome, 'etcd-too-old', 3).message).toMatch(
        /^this is etcd 3\.4\.\d+, and the snapshot is of etcd 3\.5\.0$/,
      );
    });

    it('by a path from here', async () => {
      const here = directoryForTest();
      await symlink((await binariesOf(VERSION)).etcd, join(here, 'etcd'));
      const outcome = await drill([saved.file, '--etcd=./etcd'], { cwd: here });
      expect(outcome.code, outcome.stderr).toBe(0);
      expect(outcome.stdout).toMatch(
        new RegExp(`^etcd +3\\.5\\.35 at ${here}/etcd, of the minor`, 'm'),
      );
    });

    it('and takes no variable of the caller for a flag', async () => {
      const env = { ETCD_NAME: 'another', ETCD_DISCOVERY: 'https://nowhere', ETCDCTL_API: '2' };
      const outcome = await drill([saved.file, await etcdFlag(VERSION)], { env });
      expect(outcome.code, outcome.stderr).toBe(0);
    });
  });

  describe('of what is on the PATH', { skip: namespacesMissing() !== undefined }, () => {
    it.each<[string, readonly EtcdVersion[], EtcdVersion]>([
      ['the same minor version', ['3.7.3', '3.5.35', '3.6.16', '3.4.23'], '3.5.35'],
      ['the nearest later one', ['3.7.3', '3.6.16', '3.4.23'], '3.6.16'],
    ])('takes %s', async (_, versions, expected) => {
      const path = await Promise.all(versions.map(directoryWith));
      const { launcher, env } = withoutEtcd(path);
      const outcome = await drill([saved.file], { env, launcher });
      expect(outcome.code, outcome.stderr).toBe(0);
      expect(outcome.stdout).toMatch(
        new RegExp(`^etcd +${expected.replaceAll('.', '\\.')} at `, 'm'),
      );
    });

    it('passes over an older one: the restored file alone is compared', async () => {
      const { launcher, env } = withoutEtcd([await directoryWith('3.4.23')]);
      const outcome = await drill([saved.file], { env, launcher });
      const failure = expectFailure(outcome, 'backup-unproven', 5);
      expect(failure.message).toBe('no etcd 3.5 or later was found on this machine to start on it');
      expect(failure.rows.get('do')).toMatch(/^name an etcd with --etcd/);
      expect(outcome.stdout).toMatch(/^restored .* as a cluster of one member/m);
      expect(outcome.stdout).toMatch(
        /^compared +the restored file alone: revision, keys and HashKV/m,
      );
      expect(outcome.stdout).not.toMatch(/^etcd|^works|^proves/m);
      expect(outcome.stdout).toMatch(/^verdict +UNPROVEN after /m);
    });
  });

  describe('of a member that runs', { skip: namespacesMissing() !== undefined }, () => {
    it('on the host itself: its program is taken', async () => {
      const { launcher, env } = withoutEtcd([]);
      const { etcd } = await binariesOf(VERSION);
      const data = directoryForTest();
      const beside = [...launcher, 'sh', '-c', `${memberOf(etcd, data)} exec "$@"`, 'sh'];
      const outcome = await drill([saved.file], { env, launcher: beside });
      expect(outcome.code, outcome.stderr).toBe(0);
      expect(outcome.stdout).toMatch(/^etcd +3\.5\.35 at \/.*\/etcd of process \d+, of the minor/m);
    });

    it("in somebody's container: its program is not run", async () => {
      const { launcher, env } = withoutEtcd([]);
      const root = directoryForTest();
      await copyFile((await binariesOf(VERSION)).etcd, join(root, 'etcd'));
      await mkdir(join(root, 'data'));
      const contained = memberOf(`chroot ${root} /etcd`, '/data');
      const beside = [...launcher, 'sh', '-c', `${contained} exec "$@"`, 'sh'];
      const outcome = await drill([saved.file], { env, launcher: beside });
      expect(expectFailure(outcome, 'backup-unproven', 5).message).toMatch(
        /^no etcd 3\.5 or later/,
      );
    });
  });
});

/** The beginning of a script that starts a member, and waits until its program is its own. */
function memberOf(etcd: string, data: string): string {
  const urls = 'http://127.0.0.1:23790';
  const flags = `--data-dir=${data} --listen-client-urls=${urls} --advertise-client-urls=${urls}`;
  return `${etcd} ${flags} --listen-peer-urls=http://127.0.0.1:23800 >/dev/null 2>&1 & sleep 1;`;
}

/** A directory in which a version is called etcd. */
async function directoryWith(version: EtcdVersion): Promise<string> {
  const directory = directoryForTest();
  await symlink((await binariesOf(version)).etcd, join(directory, 'etcd'));
  return directory;
}

async function script(body: string, mode = 0o755): Promise<string> {
  const path = join(directoryForTest(), 'etcd');
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, mode);
  return path;
}
