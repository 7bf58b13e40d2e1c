// The place to save to: a file that exists, a file where a directory is meant, a missing parent.
import { createHash } from 'node:crypto';
import { readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/base/error-codes.ts';
import { endsWell, sends } from '../faults/answers.ts';
import { startFaultServer } from '../faults/fault-server.ts';
import { freeLoopbackAddress } from '../servers/addresses.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { runCli, startCli } from './run.ts';
import {
  directoryForTest,
  fill,
  flagsFor,
  hostForSuite,
  isReceiving,
  usedDirectory,
} from './scene.ts';
import { listingOf, untouched } from './untouched.ts';

const VERSION = '3.6.16';

describeWithEtcd(VERSION, 'where to save', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  const host = hostForSuite(etcd);

  const save = (file: string, ...flags: string[]) =>
    runCli(['snapshot', 'save', file, ...flagsFor(etcd().member), ...flags]);
  const backUp = (directory: string, flags: readonly string[] = []) =>
    runCli(['backup', '--root', host().root, ...flags, directory]);

  describe('snapshot save', () => {
    it('saves the exact bytes of etcd under the name, and nothing beside it', async () => {
      const directory = await usedDirectory();
      const before = await listingOf(directory);
      const file = join(directory, 'new.db');
      const { code, stdout, stderr } = await save(file);
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: `Snapshot saved at ${file}\nServer version 3.6.0\n`,
      });
      expect(stderr).toMatch(
        /^member {6}etcd-0 · etcd 3\.6\.16 at https:\S+\nproven {6}digest equal to the server's; .*\n$/,
      );
      const after = await listingOf(directory);
      expect(after).toEqual({ ...before, 'new.db': expect.stringMatching(/^mode 600,/) as string });
      const bytes = await readFile(file);
      const digest = createHash('sha256').update(bytes.subarray(0, -32)).digest();
      expect(digest.equals(bytes.subarray(-32))).toBe(true);
      expect(bytes.length % 512).toBe(32);
      // Two snapshots differ in bytes even of an idle member: every commit of bbolt has a number.
      const peer = join(directory, 'peer.db');
      expect(await etcd().member.etcdctl(['snapshot', 'save', peer])).toMatchObject({ code: 0 });
      const statusOf = async (path: string): Promise<string> =>
        (await etcd().member.etcdutl(['snapshot', 'status', path, '-w', 'json'])).stdout;
      expect(await statusOf(file)).toBe(await statusOf(peer));
      expect(await statusOf(file)).toMatch(/^\{"hash":/);
    });

    it.each<[string, (directory: string) => string, ErrorCode, number, RegExp]>([
      ['a file that exists', (at) => join(at, '.hidden'), 'target-exists', 3, /--overwrite/],
      ['a directory', (at) => at, 'target-unwritable', 1, /such as snapshot\.db/],
      ['no such parent', (at) => join(at, 'a/b.db'), 'target-unwritable', 1, /^check the path/],
      [
        'a parent that is a file',
        (at) => join(at, '.hidden/new.db'),
        'target-unwritable',
        1,
        /^check the path/,
      ],
      [
        'a name that is too long',
        (at) => join(at, 'x'.repeat(250)),
        'target-unwritable',
        1,
        /^check the path/,
      ],
    ])('%s', async (_, fileIn, code, exitCode, advice) => {
      const directory = await usedDirectory();
      const outcome = await untouched(directory, () => save(fileIn(directory)));
      const { rows, aftermath } = expectFailure(outcome, code, exitCode);
      expect(rows.get('do')).toMatch(advice);
      expect(rows.has('file')).toBe(true);
      expect(aftermath).toBe('Nothing was written.');
    });

    it('a link to nowhere is a name that is taken', async () => {
      const directory = await usedDirectory();
      const link = join(directory, 'link.db');
      await symlink('/nowhere/at/all', link);
      expectFailure(await untouched(directory, () => save(link)), 'target-exists', 3);
    });

    it('a file that exists is told of before the member is asked for anything', async () => {
      const file = join(await usedDirectory(), '.hidden');
      const endpoint = `--endpoints=http://${await freeLoopbackAddress()}:2379`;
      const outcome = await runCli(['snapshot', 'save', file, endpoint, '--user=root']);
      expectFailure(outcome, 'target-exists', 3);
    });

    it('--overwrite replaces a file', async () => {
      const directory = await usedDirectory();
      const file = join(directory, 'new.db');
      await writeFile(file, 'old', { mode: 0o644 });
      const before = await listingOf(directory);
      expect(await save(file, '--overwrite')).toMatchObject({ code: 0 });
      const { 'new.db': replaced, ...others } = await listingOf(directory);
      expect(replaced).toMatch(/^mode 600,/);
      expect({ ...others, 'new.db': before['new.db'] }).toEqual(before);
      expect((await stat(file)).size % 512).toBe(32);
    });

    it('--overwrite keeps the file when the save fails', async () => {
      await using server = await startFaultServer({
        Status: sends([], endsWell),
        Snapshot: sends([], endsWell),
      });
      const directory = await usedDirectory();
      const file = join(directory, 'new.db');
      await writeFile(file, 'old');
      for (const endpoint of [server.endpoint, `http://${await freeLoopbackAddress()}:2379`]) {
        const line = ['snapshot', 'save', file, `--endpoints=${endpoint}`, '--overwrite'];
        const outcome = await untouched(directory, () => runCli(line));
        expectFailure(
          outcome,
          endpoint === server.endpoint ? 'response-invalid' : 'connection-refused',
        );
      }
    });

    it('a file that appears while it saves stays as it is', async () => {
      await fill(etcd(), 4 << 20);
      const directory = await usedDirectory();
      const file = join(directory, 'new.db');
      const line = ['snapshot', 'save', file, ...flagsFor(etcd().member)];
      const slow = startCli([...line, '--rate-limit=4MB']);
      await slow.waitUntil(() => isReceiving(directory));
      slow.signal('SIGSTOP');
      expect(await runCli(line)).toMatchObject({ code: 0 });
      const before = await listingOf(directory);
      slow.signal('SIGCONT');
      expectFailure(await slow.outcome, 'target-exists', 3);
      const { 'new.db': saved, ...after } = await listingOf(directory);
      expect(saved).toBe(before['new.db']);
      expect(Object.keys(after)).toHaveLength(4);
    });
  });

  describe('backup', () => {
    it('a file where the directory is meant', async () => {
      const directory = await usedDirectory();
      const outcome = await untouched(directory, () => backUp(join(directory, '.hidden')));
      const failure = expectFailure(outcome, 'target-not-directory', 2);
      expect(failure.rows.get('file')).toBe(join(directory, '.hidden'));
      expect(outcome.stdout).toBe('');
    });

    it('a directory below a file', async () => {
      const directory = await usedDirectory();
      const outcome = await untouched(directory, () => backUp(join(directory, '.hidden/new')));
      expectFailure(outcome, 'target-not-directory', 2);
    });

    it('two at once: just one of them gives way', async () => {
      const directories = [directoryForTest(), directoryForTest(), directoryForTest()];
      const outcomes = await Promise.all(directories.map((directory) => backUp(directory)));
      const refused = outcomes.filter(({ code }) => code !== 0);
      for (const outcome of refused) {
        const failure = expectFailure(outcome, 'check-failed', 3);
        expect(failure.message).toMatch(/^check "single-flight" failed: a backup to /);
      }
      expect(refused.length).toBeLessThan(outcomes.length);
    });

    it('two at once that do not look at each other are two, or one is told to run again', async () => {
      const directory = await usedDirectory();
      const before = await listingOf(directory);
      const blind = ['--skip-check=single-flight'];
      const outcomes = await Promise.all([backUp(directory, blind), backUp(directory, blind)]);
      const done = outcomes.filter(({ code }) => code === 0);
      for (const outcome of outcomes.filter((one) => !done.includes(one))) {
        const failure = expectFailure(outcome, 'target-exists', 3);
        expect(failure.rows.get('do')).toBe('run it again');
      }
      expect(done.length).toBeGreaterThan(0);
      const after = await listingOf(directory);
      expect(after).toMatchObject(before);
      expect(Object.keys(after)).toHaveLength(4 + 3 * done.length);
    });
  });
});
