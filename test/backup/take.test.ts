// What depends on the clock and on the moment, which a test can only choose in its own process:
// backups of one second, and an abort at each step.
import { writeFileSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BackupEvent } from '../../src/backup/events.ts';
import { type Backup, type TakeRequest, takeBackup } from '../../src/backup/take.ts';
import { makeStagingDirectory } from '../../src/base/durable-files.ts';
import { EtcdkeepError } from '../../src/base/errors.ts';
import { stampOf } from '../../src/record/stamp.ts';
import { directoryForTest, hostForSuite, usedDirectory } from '../cli/scene.ts';
import { listingOf, untouched } from '../cli/untouched.ts';
import { clientOptions, errorOf } from '../client/connect.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';

const VERSION = '3.6.16';
const MOMENT = new Date(2026, 10, 23, 14, 53, 1, 900);
const NEXT_SECOND = new Date(2026, 10, 23, 14, 53, 2, 0);

describeWithEtcd(VERSION, 'a backup', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  const host = hostForSuite(etcd);

  const take = (directory: string, overrides: Partial<TakeRequest> = {}): Promise<Backup> => {
    const { endpoint, tls } = etcd().member;
    const { signal = new AbortController().signal } = overrides;
    const client = clientOptions(endpoint, { ca: tls!.ca, ...tls!.client }, { signal });
    return takeBackup({
      directory,
      root: host().root,
      hostName: 'localhost',
      uid: 0,
      tool: 'test',
      owner: 'root@host',
      force: false,
      resourcesDirectory: undefined,
      policy: { skipped: [], strict: false },
      connectTo: () => Promise.resolve(client),
      limits: { idleTimeoutMs: 10_000, timeoutMs: undefined, rateLimit: undefined },
      now: () => MOMENT,
      signal,
      report: () => undefined,
      ...overrides,
    });
  };

  it('is reported step by step', async () => {
    const kinds: string[] = [];
    const report = ({ kind }: BackupEvent): void => {
      if (kinds.at(-1) !== kind) kinds.push(kind);
    };
    await take(directoryForTest(), { report });
    expect(kinds).toEqual([
      ...['host-found', 'checks-made', 'static-pod-found', 'snapshot-started', 'snapshot-progress'],
      ...['snapshot-received', 'archive-started'],
    ]);
  });

  describe('in a second that has one already', () => {
    it('waits for the next second', async () => {
      const directory = directoryForTest();
      await take(directory);
      const first = await listingOf(directory);
      const moments = [MOMENT, NEXT_SECOND];
      const { files } = await take(directory, { now: () => moments.shift() ?? NEXT_SECOND });
      expect(files.record).toBe('backup_2026-11-23_145302.json');
      expect(await listingOf(directory)).toMatchObject(first);
      expect(await readdir(directory)).toHaveLength(6);
    });

    it('can be told to stop while it waits', async () => {
      const directory = directoryForTest();
      await take(directory);
      const controller = new AbortController();
      const reason = new EtcdkeepError('interrupted', 'stopped');
      const now = (): Date => {
        setTimeout(() => controller.abort(reason), 10);
        return new Date(2026, 10, 23, 14, 53, 1, 0);
      };
      const begin = performance.now();
      const { signal } = controller;
      await untouched(directory, () =>
        expect(take(directory, { now, signal })).rejects.toBe(reason),
      );
      expect(performance.now() - begin).toBeLessThan(900);
    });

    it('waits for the next second, too, while another run stages files of this one', async () => {
      const directory = directoryForTest();
      const staging = await makeStagingDirectory(directory);
      await writeFile(join(staging, 'snapshot_2026-11-23_145301.db'), '');
      const moments = [MOMENT, NEXT_SECOND];
      const { files } = await take(directory, { now: () => moments.shift() ?? NEXT_SECOND });
      expect(files.record).toBe('backup_2026-11-23_145302.json');
    });

    it('ends after ten seconds that have one each, as after a clock was set back', async () => {
      const directory = directoryForTest();
      let second = 0;
      // The first look is the host's; each of the others finds the stamp of its second taken.
      const now = (): Date => {
        const moment = new Date(2026, 10, 23, 14, 53, second++, 999);
        writeFileSync(join(directory, `backup_${stampOf(moment)}.json`), '{}');
        return moment;
      };
      const error = await errorOf(take(directory, { now }));
      expect(error).toMatchObject({ code: 'target-exists', exitCode: 3 });
      expect(error.advice).toMatch(/clock set back/);
    });

    // Another run took the name after this one had looked.
    it.each([
      ['archive', 'static_kuberesources_2026-11-23_145301.tar.gz'],
      ['snapshot', 'snapshot_2026-11-23_145301.db'],
      ['record', 'backup_2026-11-23_145301.json'],
    ])('replaces nothing, and takes back what it had published: the %s', async (_, name) => {
      const directory = await usedDirectory();
      const before = await listingOf(directory);
      const report = ({ kind }: BackupEvent): void => {
        if (kind === 'snapshot-received') writeFileSync(join(directory, name), 'of another run');
      };
      const error = await errorOf(take(directory, { report }));
      const after = await listingOf(directory);
      expect(after).toMatchObject(before);
      expect(Object.keys(after)).toHaveLength(Object.keys(before).length + 1);
      expect(error).toMatchObject({ code: 'target-exists', exitCode: 3, advice: 'run it again' });
      expect(error.position.path).toBe(join(directory, name));
    });
  });

  it.each<BackupEvent['kind']>([
    ...(['host-found', 'static-pod-found', 'snapshot-started', 'snapshot-progress'] as const),
    ...(['snapshot-received', 'archive-started'] as const),
  ])('that is told to stop at "%s" leaves nothing', async (moment) => {
    const directory = await usedDirectory();
    const controller = new AbortController();
    const reason = new EtcdkeepError('interrupted', 'stopped');
    const report = ({ kind }: BackupEvent): void => {
      if (kind === moment) controller.abort(reason);
    };
    const { signal } = controller;
    await untouched(directory, () =>
      expect(take(directory, { signal, report })).rejects.toBe(reason),
    );
    expect(reason.aftermath).toMatch(/^Nothing was written; the earlier backup in /);
  });

  it('counts the earlier backups that it left alone', async () => {
    const directory = await usedDirectory();
    await writeFile(join(directory, 'backup_2026-01-03_030405.json'), '{}');
    const error = await errorOf(take(directory, { root: directoryForTest() }));
    expect(error.aftermath).toBe(
      `Nothing was written; the 2 earlier backups in ${directory} are untouched.`,
    );
  });
});
