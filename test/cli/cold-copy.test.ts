// `snapshot save FILE --data-dir DIR`: a snapshot of a member that does not run any more.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { hashKVOfFile } from '../../src/backup/snapshot-file.ts';
import { bootRestored, contentsOf } from '../compatibility/members.ts';
import { copied, damageLog, stopped } from '../datadir/directories.ts';
import type { EtcdCluster } from '../servers/etcd.ts';
import { describeEachVersion, describeWithEtcd, etcdForTest } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { type RunOptions, runCli, startCli } from './run.ts';
import { directoryForTest, fill } from './scene.ts';
import { untouched } from './untouched.ts';
import { volumeForTest, volumesMissing } from './volume.ts';

interface Printed {
  readonly bytes: number;
  readonly revision: string;
  readonly keys: number;
  readonly clusterId: string;
  readonly memberId: string;
  readonly lastIndex: string;
  readonly consistentIndex: string;
  readonly entriesBeyond: number;
  readonly writesBeyond: number;
  readonly committedWritesBeyond: number;
  readonly locked: boolean;
  readonly findings: readonly unknown[];
}

const save = (file: string, dataDir: string, ...flags: string[]) =>
  runCli(['snapshot', 'save', file, `--data-dir=${dataDir}`, ...flags]);

async function printed(file: string, dataDir: string, options?: RunOptions): Promise<Printed> {
  const args = ['snapshot', 'save', file, `--data-dir=${dataDir}`, '--output=json'];
  const { code, stdout, stderr } = await runCli(args, options);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Printed;
}

async function write({ gateway }: EtcdCluster, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1)
    await gateway.put(`/key-${index % 50}`, `${index}`);
}

describeEachVersion('a cold copy', (version) => {
  it('is restored by the tools of its version, and holds what the member held', async () => {
    const cluster = await etcdForTest({ version });
    await write(cluster, 120);
    await cluster.gateway.compact(60n);
    const before = await contentsOf(cluster.member);
    const { header } = (await cluster.gateway.status()) as { header: Record<string, string> };
    const dataDir = await stopped(cluster.member);
    const file = join(directoryForTest(), 'cold.db');
    const answer = await untouched(dataDir, () => printed(file, dataDir));
    expect(answer).toMatchObject({
      revision: `${before.revision}`,
      keys: 50,
      clusterId: BigInt(header.cluster_id!).toString(16),
      memberId: BigInt(header.member_id!).toString(16),
      writesBeyond: 0,
      locked: true,
      findings: [],
    });
    expect((await hashKVOfFile(file, 0n)).hash).toBe(before.hash);
    await using restored = await bootRestored(version, file);
    const after = await contentsOf(restored.member);
    expect(after).toMatchObject({ revision: before.revision, hash: before.hash, keys: 50n });
  });

  it('says how many writes only the log of a killed member has', async () => {
    const cluster = await etcdForTest({ version });
    let written = 0n;
    const writing = (async () => {
      for (;;) written = await cluster.gateway.put('/key', `${written}`);
    })().catch(() => undefined);
    await cluster.member.waitUntil('written to', () => Promise.resolve(written > 150n));
    await cluster.member.kill();
    await writing;
    const { dataDir } = cluster.member;
    const file = join(directoryForTest(), 'cold.db');
    const answer = await printed(file, dataDir);
    const { stderr } = await save(`${file}.2`, dataDir);
    if (answer.writesBeyond > 0) {
      expect(stderr).toMatch(
        /^warning {5}the log has \d+ writes that are not in the database, and so not in the copy/m,
      );
    }
    // Started again, it takes them in.
    await cluster.member.restart();
    expect(await cluster.gateway.revision()).toBe(
      BigInt(answer.revision) + BigInt(answer.writesBeyond),
    );
    expect(answer.committedWritesBeyond).toBeLessThanOrEqual(answer.writesBeyond);
    expect(BigInt(answer.lastIndex) - BigInt(answer.consistentIndex)).toBe(
      BigInt(answer.entriesBeyond),
    );
  });
});

describeWithEtcd('3.6.16', 'a cold copy', () => {
  it('is not made of a member that runs, nor of one that only holds the lock', async () => {
    const cluster = await etcdForTest({ version: '3.6.16' });
    const { dataDir } = cluster.member;
    const file = join(directoryForTest(), 'cold.db');
    const running = expectFailure(await save(file, dataDir), 'data-directory-in-use', 3);
    expect(running.message).toBe(
      `a member runs on this directory: etcd (process ${cluster.member.pid}) has its database open`,
    );
    expect(running.aftermath).toBe('Nothing was written.');
    await stopped(cluster.member);
    const database = join(dataDir, 'member/snap/db');
    const holder = spawn('flock', [database, 'sh', '-c', 'echo held && exec sleep 60']);
    onTestFinished(() => void holder.kill('SIGKILL'));
    await once(holder.stdout, 'data');
    expectFailure(await save(file, dataDir), 'data-directory-in-use', 3);
    expect(readdirSync(join(file, '..'))).toEqual([]);
  });

  it('keeps a member from starting meanwhile', async () => {
    const cluster = await etcdForTest({ version: '3.6.16' });
    await fill(cluster, 30 << 20);
    const dataDir = await stopped(cluster.member);
    const database = join(dataDir, 'member/snap/db');
    const file = join(directoryForTest(), 'cold.db');
    const tryLock = async (): Promise<number | null> => {
      const child = spawn('flock', ['--nonblock', '--exclusive', database, 'true']);
      const [code] = (await once(child, 'exit')) as [number | null];
      return code;
    };
    const run = startCli(['snapshot', 'save', file, `--data-dir=${dataDir}`]);
    await run.waitUntil(() => readdirSync(join(file, '..')).length > 0);
    run.signal('SIGSTOP');
    expect(await tryLock()).toBe(1);
    run.signal('SIGCONT');
    expect((await run.outcome).code).toBe(0);
    expect(await tryLock()).toBe(0);
  });

  it('is made where there is no flock(1), and says so', async () => {
    const cluster = await etcdForTest({ version: '3.6.16' });
    const dataDir = await stopped(cluster.member);
    const file = join(directoryForTest(), 'cold.db');
    const bin = join(directoryForTest(), 'bin');
    mkdirSync(bin);
    for (const name of readdirSync('/usr/bin').filter((one) => one !== 'flock')) {
      symlinkSync(join('/usr/bin', name), join(bin, name));
    }
    const answer = await printed(file, dataDir, { env: { PATH: bin } });
    expect(answer.locked).toBe(false);
  });

  it('is made with a log that is damaged or lies elsewhere, and tells of it', async () => {
    const cluster = await etcdForTest({ version: '3.6.16' });
    await write(cluster, 30);
    const dataDir = copied(await stopped(cluster.member));
    const wal = join(dataDir, 'member/wal');
    damageLog(dataDir, '/key-7');
    const file = join(directoryForTest(), 'cold.db');
    const { code, stderr } = await save(file, dataDir);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^warning {5}the log is damaged, and etcd does not start on it: .* byte \d+\); use another member/m,
    );
    const elsewhere = await printed(`${file}.2`, cluster.member.dataDir);
    expect(elsewhere.findings).toEqual([]);
    rmSync(wal, { recursive: true });
    const flags = [
      `--data-dir=${dataDir}`,
      `--wal-dir=${join(cluster.member.dataDir, 'member/wal')}`,
    ];
    const again = await runCli(['snapshot', 'save', `${file}.3`, ...flags, '--output=json']);
    expect((JSON.parse(again.stdout) as Printed).findings).toEqual([]);
  });

  it('is not made of a database that is damaged', async () => {
    const cluster = await etcdForTest({ version: '3.6.16' });
    await write(cluster, 30);
    const dataDir = copied(await stopped(cluster.member));
    const database = join(dataDir, 'member/snap/db');
    const file = join(directoryForTest(), 'cold.db');
    truncateSync(database, 12_288);
    const failure = expectFailure(await save(file, dataDir), 'database-damaged');
    expect(failure.rows.get('file')).toBe(database);
    expect(failure.aftermath).toBe('Nothing was written.');
    rmSync(database);
    expectFailure(await save(file, dataDir), 'file-failed');
    expect(readdirSync(join(file, '..'))).toEqual([]);
  });

  it('is refused where it makes no sense', async () => {
    const cluster = await etcdForTest({ version: '3.6.16' });
    const dataDir = await stopped(cluster.member);
    const file = join(directoryForTest(), 'cold.db');
    expectFailure(await save(file, dataDir, '--endpoints=127.0.0.1:2379'), 'usage', 2);
    expectFailure(await save(join(dataDir, 'cold.db'), dataDir), 'usage', 2);
    expectFailure(await runCli(['snapshot', 'save', file, '--wal-dir=/tmp']), 'usage', 2);
    expectFailure(await save(file, join(dataDir, 'nowhere')), 'data-directory-invalid');
    const inner = expectFailure(
      await save(file, join(dataDir, 'member')),
      'data-directory-invalid',
    );
    expect(inner.rows.get('do')).toBe('name the directory that "member" is in');
    expect((await save(file, dataDir)).code).toBe(0);
    expectFailure(await save(file, dataDir), 'target-exists', 3);
    expect((await save(file, dataDir, '--overwrite')).code).toBe(0);
  });

  it('needs no more room than there is, and leaves nothing where it is interrupted', async () => {
    const cluster = await etcdForTest({ version: '3.6.16' });
    await fill(cluster, 40 << 20);
    const dataDir = await stopped(cluster.member);
    const directory = directoryForTest();
    const run = startCli(['snapshot', 'save', join(directory, 'cold.db'), `--data-dir=${dataDir}`]);
    await run.waitUntil(() => readdirSync(directory).length > 0);
    const interrupted = await run.end('SIGINT');
    if (interrupted.code !== 0) expectFailure(interrupted, 'interrupted', 130);
    expect(readdirSync(directory)).toEqual(interrupted.code === 0 ? ['cold.db'] : []);
    if (volumesMissing() !== undefined) return;
    const { path } = await volumeForTest('size=4m');
    expectFailure(await save(join(path, 'cold.db'), dataDir), 'disk-full');
    expect(readdirSync(path)).toEqual([]);
  });
});
