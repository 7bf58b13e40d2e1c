// --metrics-file: what Prometheus is told of a run, however it ends, and that no run ends worse for it.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { CommandResult } from '../servers/command.ts';
import { describeWithEtcd, describeWithPromtool, etcdForSuite } from '../servers/for-vitest.ts';
import { checkMetrics } from '../servers/promtool.ts';
import { expectFailure } from './failure.ts';
import { runCli, startCli } from './run.ts';
import { directoryForTest, fill, hostForSuite, isReceiving, LARGE_BYTES } from './scene.ts';

const VERSION = '3.6.16';

describeWithEtcd(VERSION, 'a file of metrics', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  const host = hostForSuite(etcd);
  beforeAll(() => fill(etcd(), LARGE_BYTES));

  const line = (file: string, directory: string, ...flags: string[]): string[] => {
    return ['backup', `--root=${host().root}`, `--metrics-file=${file}`, directory, ...flags];
  };
  const backUp = (file: string, directory: string, ...flags: string[]): Promise<CommandResult> =>
    runCli(line(file, directory, ...flags));
  const newFile = (): string => join(directoryForTest(), 'etcdkeep.prom');
  /** Of a file: names without what they have in common. */
  const read = (file: string): Record<string, string> => {
    const text = readFileSync(file, 'utf8');
    const samples = text.matchAll(/^etcdkeep_backup_(\S+) (\S+)$/gm);
    return Object.fromEntries([...samples].map(([, name, value]) => [name!, value!]));
  };
  /** What earlier runs have left. */
  const EARLIER = { last_success_timestamp_seconds: '1795445581.123', failures_total: '4' };
  const fileWithEarlier = (): string => {
    const file = newFile();
    const samples = Object.entries(EARLIER).map(([name, value]) => `${name} ${value}\n`);
    writeFileSync(file, samples.map((sample) => `etcdkeep_backup_${sample}`).join(''));
    return file;
  };
  const secondsNow = (): number => Date.now() / 1000;

  it('after a backup tells of it, for everybody to read', async () => {
    const [file, directory] = [newFile(), directoryForTest()];
    const before = secondsNow();
    const outcome = await backUp(file, directory, '--output=json');
    expect(outcome.code, outcome.stderr).toBe(0);
    const { snapshot, resources } = JSON.parse(outcome.stdout) as {
      snapshot: { bytes: number; revision: string };
      resources: { bytes: number };
    };
    const seen = read(file);
    expect(seen).toMatchObject({
      last_exit_code: '0',
      verdict: '1',
      failures_total: '0',
      snapshot_bytes: `${snapshot.bytes}`,
      resources_bytes: `${resources.bytes}`,
      revision: snapshot.revision,
    });
    expect(Number(seen['last_success_timestamp_seconds'])).toBeGreaterThan(before - 1);
    expect(seen['last_attempt_timestamp_seconds']).toBe(seen['last_success_timestamp_seconds']);
    expect(Number(seen['duration_seconds'])).toBeGreaterThan(0);
    expect(statSync(file).mode & 0o777).toBe(0o644);
    expect(readdirSync(join(file, '..'))).toEqual(['etcdkeep.prom']);
  });

  it('after a run that failed keeps the last success, and counts', async () => {
    const file = fileWithEarlier();
    const before = secondsNow();
    const outcome = await backUp(file, directoryForTest(), '--endpoints=https://127.0.0.1:1');
    expectFailure(outcome, 'connection-refused');
    const seen = read(file);
    expect(seen).toMatchObject({ ...EARLIER, failures_total: '5', last_exit_code: '1' });
    expect(seen['verdict']).toBe('0');
    expect(Number(seen['last_attempt_timestamp_seconds'])).toBeGreaterThan(before - 1);
  });

  it('after a run that was refused tells so', async () => {
    const file = fileWithEarlier();
    const outcome = await backUp(file, host().path('var/lib/etcd/backup'));
    expectFailure(outcome, 'check-failed', 3);
    expect(read(file)).toMatchObject({ ...EARLIER, failures_total: '5', last_exit_code: '3' });
  });

  it.each([
    ['SIGINT', '130'],
    ['SIGTERM', '143'],
  ] as const)('after a run that got %s tells so', async (signal, code) => {
    const [file, directory] = [fileWithEarlier(), directoryForTest()];
    const run = startCli(line(file, directory, '--rate-limit=4MB'));
    await run.waitUntil(() => isReceiving(directory));
    expect((await run.end(signal)).code).toBe(Number(code));
    expect(read(file)).toMatchObject({ ...EARLIER, failures_total: '5', last_exit_code: code });
  });

  it('after a run that was killed is as it was', async () => {
    const [file, directory] = [fileWithEarlier(), directoryForTest()];
    const run = startCli(line(file, directory, '--rate-limit=4MB'));
    await run.waitUntil(() => isReceiving(directory));
    await run.end('SIGKILL');
    expect(read(file)).toEqual(EARLIER);
  });

  it('after a command line that says two things tells so', async () => {
    const file = newFile();
    const outcome = await backUp(file, directoryForTest(), '--dest-dir=elsewhere');
    expectFailure(outcome, 'usage', 2);
    expect(read(file)).toMatchObject({ failures_total: '1', last_exit_code: '2' });
  });

  it('that cannot be written is a warning: the backup is as good without it', async () => {
    const [file, directory] = [join(directoryForTest(), 'none/etcdkeep.prom'), directoryForTest()];
    const outcome = await backUp(file, directory);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stderr).toContain(`warning     ${file} does not tell of this run: `);
    expect(readdirSync(directory)).toHaveLength(3);
  });

  it("of somebody else's stays as it is, with a warning", async () => {
    const file = newFile();
    writeFileSync(file, 'node_load1 0.21\n');
    const outcome = await backUp(file, directoryForTest());
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stderr).toContain('the file holds something else than metrics of backups');
    expect(readFileSync(file, 'utf8')).toBe('node_load1 0.21\n');
  });

  describeWithPromtool('as Prometheus reads it', () => {
    it.each([
      ['a backup', []],
      ['a run that failed', ['--endpoints=https://127.0.0.1:1']],
    ])('after %s is well', async (_, flags) => {
      const file = newFile();
      await backUp(file, directoryForTest(), ...flags);
      expect(await checkMetrics(readFileSync(file, 'utf8'))).toBe('');
    });
  });
});
