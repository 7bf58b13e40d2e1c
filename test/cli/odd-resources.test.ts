// What can lie in the directories of the static resources and does not belong there: a backup either holds
// it as it is, or names it and leaves nothing.
import { execFileSync } from 'node:child_process';
import { chown, mkdir, readdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { OpenshiftHost } from '../fixtures/openshift-host.ts';
import { runCommand } from '../servers/command.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { findOnPath } from '../servers/processes.ts';
import { expectFailure } from './failure.ts';
import { ETCDKEEP, runCli } from './run.ts';
import { directoryForTest, hostForTest, usedDirectory } from './scene.ts';
import { untouched } from './untouched.ts';

const VERSION = '3.6.16';
const NOBODY = 65_534;

/** In the live revision of etcd. */
const odd = (host: OpenshiftHost, name = 'odd'): string =>
  join(host.resources('etcd'), 'secrets', name);

async function listenOn(path: string): Promise<void> {
  const server = createServer();
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

describeWithEtcd(VERSION, 'among the static resources', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });

  it.each<[string, (path: string) => unknown, RegExp]>([
    ['a socket', listenOn, /^cannot archive a socket, a pipe or a device$/],
    [
      'a pipe, which nobody writes to',
      (path) => execFileSync('mkfifo', [path]),
      /^cannot archive a socket, a pipe or a device$/,
    ],
    [
      'a device without an end',
      (path) => execFileSync('mknod', [path, 'c', '1', '5']),
      /^cannot archive a socket, a pipe or a device$/,
    ],
    [
      'a sparse file of a terabyte',
      async (path) => {
        await writeFile(path, '');
        await truncate(path, 2 ** 40);
      },
      /^cannot archive more than 1\.07 GB in all$/,
    ],
  ])('%s is named, and nothing is written', async (_, make, message) => {
    const host = await hostForTest(etcd());
    await make(odd(host));
    const directory = await usedDirectory();
    const outcome = await untouched(directory, () =>
      runCli(['backup', `--root=${host.root}`, directory]),
    );
    const failure = expectFailure(outcome, 'file-failed');
    expect(failure.message).toMatch(message);
    expect(failure.rows.get('file')).toBe(odd(host));
  });

  it('links stay links: nothing outside of the tree gets into the archive', async () => {
    const host = await hostForTest(etcd());
    const outside = directoryForTest();
    await mkdir(join(outside, 'inner'));
    await writeFile(join(outside, 'inner/shadow'), 'not for the archive');
    await symlink(outside, odd(host, 'away'));
    await symlink('../../../../../../../../etc/shadow', odd(host, 'up'));
    await symlink('away', odd(host, 'round'));
    const directory = directoryForTest();
    const { code, stderr } = await runCli(['backup', `--root=${host.root}`, directory]);
    expect(code, stderr).toBe(0);
    const archive = (await readdir(directory)).find((name) => name.endsWith('.tar.gz'))!;
    const listing = await runCommand('tar', ['-tvzf', join(directory, archive)]);
    expect(listing.stdout).not.toContain('inner');
    expect(listing.stdout).toMatch(/^l.*secrets\/away -> .*$/m);
    expect(listing.stdout).toMatch(/^l.*secrets\/up -> \.\.\/.*\/etc\/shadow$/m);
  });

  // Root reads everything, but for a root without the capability to do so, as over NFS.
  const noSetpriv = findOnPath('setpriv') === undefined;
  describe.skipIf(noSetpriv)(
    `a file that root may not read${noSetpriv ? ' (no setpriv)' : ''}`,
    () => {
      it('is named, and nothing is written', async () => {
        const host = await hostForTest(etcd());
        await writeFile(odd(host), 'a key', { mode: 0o600 });
        await chown(odd(host), NOBODY, NOBODY);
        const directory = await usedDirectory();
        const outcome = await untouched(directory, () =>
          runCommand('setpriv', [
            '--bounding-set=-dac_override,-dac_read_search',
            '--inh-caps=-dac_override,-dac_read_search',
            ...[ETCDKEEP, 'backup', `--root=${host.root}`, directory],
          ]),
        );
        const failure = expectFailure(outcome, 'file-failed');
        expect(failure.message).toMatch(/secrets\/odd: permission denied$/);
        expect(failure.rows.get('file')).toBe(odd(host));
      });
    },
  );
});
