// Ctrl-C, a shutdown, and SIGKILL: what is left behind is nothing, or what the next run removes.
import { randomBytes } from 'node:crypto';
import { link, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { startFaultServer, startRawServer } from '../faults/fault-server.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { COMMANDS } from './commands.ts';
import { expectFailure } from './failure.ts';
import { type CliRun, runCli, startCli } from './run.ts';
import {
  fill,
  flagsFor,
  hostForSuite,
  hostForTest,
  isReceiving,
  LARGE_BYTES,
  usedDirectory,
} from './scene.ts';
import { listingOf, untouched } from './untouched.ts';

const VERSION = '3.6.16';

const SIGNALS = [
  { signal: 'SIGINT', code: 'interrupted', exitCode: 130 },
  { signal: 'SIGTERM', code: 'terminated', exitCode: 143 },
  { signal: 'SIGHUP', code: 'terminated', exitCode: 143 },
] as const;

describeWithEtcd(VERSION, 'a run', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  const host = hostForSuite(etcd);
  beforeAll(() => fill(etcd(), LARGE_BYTES));

  const [backup] = COMMANDS;
  const reach = (): string[] => flagsFor(etcd().member);
  /** Starts a slow run, and returns when a part of the snapshot is there. */
  const receiving = async (line: readonly string[], directory: string): Promise<CliRun> => {
    const run = startCli([...line, '--rate-limit=4MB']);
    await run.waitUntil(() => isReceiving(directory));
    return run;
  };
  const hidden = async (directory: string): Promise<string[]> =>
    (await readdir(directory)).filter((name) => name.startsWith('.etcdkeep-'));

  describe.each(SIGNALS)('that gets $signal', ({ signal, code, exitCode }) => {
    describe.each(COMMANDS)('$command', ({ line }) => {
      it('while it connects to a silent member', async () => {
        await using server = await startRawServer(() => undefined);
        const directory = await usedDirectory();
        const outcome = await untouched(directory, async () => {
          const flags = [`--endpoints=${server.endpoint}`, '--dial-timeout=1m'];
          const run = startCli(line(directory, host(), flags));
          await run.waitUntil(() => server.seen.open === 1);
          return run.end(signal);
        });
        expectFailure(outcome, code, exitCode);
      });

      it('while it waits for an answer', async () => {
        let asked = false;
        await using server = await startFaultServer({ Status: () => void (asked = true) });
        const directory = await usedDirectory();
        const outcome = await untouched(directory, async () => {
          const flags = [`--endpoints=${server.endpoint}`, '--command-timeout=1m'];
          const run = startCli(line(directory, host(), flags));
          await run.waitUntil(() => asked);
          return run.end(signal);
        });
        expectFailure(outcome, code, exitCode);
      });

      it('in mid-stream', async () => {
        const directory = await usedDirectory();
        const outcome = await untouched(directory, async () => {
          const run = await receiving(line(directory, host(), reach()), directory);
          return run.end(signal);
        });
        expect(expectFailure(outcome, code, exitCode).aftermath).toMatch(/^Nothing was written/);
      });
    });

    it('backup: while it archives', async () => {
      const large = await hostForTest(etcd());
      // Some seconds of compressing.
      await writeFile(join(large.resources('etcd'), 'configmaps/large'), randomBytes(64 << 20));
      const directory = await usedDirectory();
      const outcome = await untouched(directory, async () => {
        const run = startCli(backup!.line(directory, large));
        await run.waitUntil(async () =>
          (await readdir(directory, { recursive: true })).some((name) =>
            /^\.etcdkeep-.*\.tar\.gz$/.test(name),
          ),
        );
        return run.end(signal);
      });
      expectFailure(outcome, code, exitCode);
    });

    it('backup: into a directory that it made itself', async () => {
      const parent = await usedDirectory();
      const directory = join(parent, 'new/backups');
      const outcome = await untouched(parent, async () => {
        const run = await receiving(backup!.line(directory, host()), parent);
        return run.end(signal);
      });
      expect(expectFailure(outcome, code, exitCode).aftermath).toBe('Nothing was written.');
    });
  });

  it('snapshot save that is killed leaves no file of that name', async () => {
    const directory = await usedDirectory();
    const before = Object.keys(await listingOf(directory));
    const line = ['snapshot', 'save', join(directory, 'new.db'), ...reach()];
    const run = await receiving(line, directory);
    await run.end('SIGKILL');
    const left = (await readdir(directory)).filter((name) => !before.includes(name));
    expect(left).toEqual([expect.stringMatching(/^new\.db\.[0-9a-f]{8}\.part$/)]);
  });

  describe('backup that is killed', () => {
    const killedIn = async (directory: string): Promise<string> => {
      const run = await receiving(backup!.line(directory, host()), directory);
      await run.end('SIGKILL');
      const [staging, ...others] = await hidden(directory);
      expect(others).toEqual([]);
      return staging!;
    };
    /** Runs again; everything of before that is named has to be as it was, and one backup is new. */
    const expectSwept = async (
      directory: string,
      kept: Readonly<Record<string, string>>,
    ): Promise<void> => {
      expect(await runCli(backup!.line(directory, host()))).toMatchObject({ code: 0 });
      const after = await listingOf(directory);
      expect(after).toMatchObject(kept);
      expect(Object.keys(after)).toHaveLength(Object.keys(kept).length + 3);
    };

    it('leaves a staging directory, which the next run removes', async () => {
      const directory = await usedDirectory();
      const before = await listingOf(directory);
      const staging = await killedIn(directory);
      const left = Object.keys(await listingOf(directory)).filter((name) => !(name in before));
      expect(left.every((name) => name.startsWith(staging))).toBe(true);
      await expectSwept(directory, before);
    });

    it('while it published: what has no record goes too', async () => {
      const directory = await usedDirectory();
      const before = await listingOf(directory);
      const staging = join(directory, await killedIn(directory));
      const [snapshot] = await readdir(staging);
      const stamp = /^snapshot_(.*)\.db$/.exec(snapshot!)![1]!;
      // The order in which they are moved: the archive, the snapshot, the record.
      await writeFile(join(directory, `static_kuberesources_${stamp}.tar.gz`), 'published');
      await rename(join(staging, snapshot!), join(directory, snapshot!));
      await writeFile(join(staging, `backup_${stamp}.json`), '{}');
      await expectSwept(directory, before);
    });

    it('after it published the record: the backup stays', async () => {
      const directory = await usedDirectory();
      const staging = join(directory, await killedIn(directory));
      const [snapshot] = await readdir(staging);
      const stamp = /^snapshot_(.*)\.db$/.exec(snapshot!)![1]!;
      await writeFile(join(directory, `static_kuberesources_${stamp}.tar.gz`), 'published');
      await rename(join(staging, snapshot!), join(directory, snapshot!));
      await writeFile(join(staging, `backup_${stamp}.json`), '{}');
      // A name is taken by a link before the other one goes.
      await link(join(staging, `backup_${stamp}.json`), join(directory, `backup_${stamp}.json`));
      const published = await listingOf(directory);
      const kept = Object.entries(published).filter(([name]) => !name.startsWith('.etcdkeep-'));
      await expectSwept(directory, Object.fromEntries(kept));
    });
  });

  it('that still goes on is left alone by another one', async () => {
    const directory = await usedDirectory();
    const before = await listingOf(directory);
    const slow = await receiving(backup!.line(directory, host()), directory);
    slow.signal('SIGSTOP');
    const another = backup!.line(directory, host(), ['--skip-check=single-flight']);
    expect(await runCli(another)).toMatchObject({ code: 0 });
    expect(await hidden(directory)).toHaveLength(1);
    slow.signal('SIGCONT');
    expect(await slow.outcome).toMatchObject({ code: 0 });
    const after = await listingOf(directory);
    expect(after).toMatchObject(before);
    expect(Object.keys(after)).toHaveLength(Object.keys(before).length + 6);
  });
});
