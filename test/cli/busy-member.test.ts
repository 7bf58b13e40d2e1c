// What happens to the member while its backup is taken: either the backup is complete and right, which
// another program and a reading from the disk confirm, or it failed and says so.
import { randomBytes } from 'node:crypto';
import { beforeAll, expect, it } from 'vitest';
import { checkBackup } from '../demo/check-backup.ts';
import { binariesOf, type EtcdCluster } from '../servers/etcd.ts';
import {
  describeEachVersion,
  describeWithEtcd,
  etcdForSuite,
  etcdForTest,
} from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { runCli, startCli } from './run.ts';
import {
  directoryForTest,
  fill,
  hostForTest,
  isReceiving,
  LARGE_BYTES,
  usedDirectory,
} from './scene.ts';
import { untouched } from './untouched.ts';

const VERSION = '3.6.16';

/** Takes a slow backup of the first member, and does something once it is under way. */
async function backUpDuring(
  etcd: EtcdCluster,
  directory: string,
  action: () => Promise<void>,
  ...flags: string[]
) {
  const host = await hostForTest(etcd);
  const line = ['backup', `--root=${host.root}`, '--rate-limit=6MB', ...flags, directory];
  const run = startCli(line);
  await run.waitUntil(() => isReceiving(directory));
  await action();
  return run.outcome;
}

describeEachVersion('a member', (version) => {
  const etcd = etcdForSuite({ version, tls: 'mutual' });
  beforeAll(() => fill(etcd(), LARGE_BYTES));

  it('is written to all the time, compacted and defragmented: the backup is of one moment', async () => {
    const directory = directoryForTest();
    const { gateway, member } = etcd();
    const before = await gateway.revision();
    let isOver = false;
    let writes = 0;
    const load = async (): Promise<void> => {
      for (; !isOver; writes += 1) await gateway.put(`/load/${writes % 50}`, randomBytes(4000));
    };
    const loading = Promise.all([load(), load(), load()]);
    const outcome = await backUpDuring(etcd(), directory, async () => {
      await gateway.compact(before);
      // It waits for the snapshot to be over, and so does every write behind it.
      void member.etcdctl(['defrag', '--command-timeout=30s']);
    });
    isOver = true;
    await loading;
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(writes).toBeGreaterThan(0);
    await checkBackup(directory, await binariesOf(version), () => undefined);
    const { revision } = JSON.parse(/^\{.*\}$/m.exec(outcome.stdout)![0]) as { revision: number };
    expect(revision).toBeGreaterThanOrEqual(Number(before));
    expect(revision).toBeLessThanOrEqual(Number(await gateway.revision()));
  });
});

describeWithEtcd(VERSION, 'a member of three', () => {
  it('loses both others while it is backed up: the backup is complete', async () => {
    const etcd = await etcdForTest({ version: VERSION, tls: 'mutual', size: 3 });
    await fill(etcd, LARGE_BYTES);
    const directory = directoryForTest();
    const outcome = await backUpDuring(etcd, directory, async () => {
      await Promise.all(etcd.members.slice(1).map((member) => member.kill()));
    });
    expect(outcome.code, outcome.stderr).toBe(0);
    await checkBackup(directory, await binariesOf(VERSION), () => undefined);
  });

  it('is cut off from a quorum by others that hang: they are named, and it is backed up', async () => {
    const etcd = await etcdForTest({ version: VERSION, tls: 'mutual', size: 3 });
    await etcd.gateway.put('/a', randomBytes(10));
    const host = await hostForTest(etcd);
    const directory = directoryForTest();
    for (const member of etcd.members.slice(1)) member.signal('SIGSTOP');
    const { code, stderr } = await runCli(['backup', `--root=${host.root}`, directory]);
    for (const member of etcd.members.slice(1)) member.signal('SIGCONT');
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^ {2}! +other-members +etcd-1: .* for 3 s; etcd-2: .* for 3 s$/m);
    expect(stderr).toMatch(/^ {2}! +quorum +/m);
    await checkBackup(directory, await binariesOf(VERSION), () => undefined);
  });
});

describeWithEtcd(VERSION, 'the one member', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  beforeAll(() => fill(etcd(), LARGE_BYTES));

  it('is restarted: the backup fails, says so, and leaves nothing', async () => {
    const directory = await usedDirectory();
    const outcome = await untouched(directory, () =>
      backUpDuring(etcd(), directory, () => etcd().member.restart()),
    );
    expectFailure(outcome, 'stream-cut');
  });

  it('hangs for less than the limit: the backup is complete', async () => {
    const directory = directoryForTest();
    const { member } = etcd();
    const outcome = await backUpDuring(etcd(), directory, async () => {
      member.signal('SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, 1500));
      member.signal('SIGCONT');
    });
    expect(outcome.code, outcome.stderr).toBe(0);
    await checkBackup(directory, await binariesOf(VERSION), () => undefined);
  });

  it('hangs for longer: the backup fails, says so, and leaves nothing', async () => {
    const directory = await usedDirectory();
    const { member } = etcd();
    const stop = (): Promise<void> => {
      member.signal('SIGSTOP');
      return Promise.resolve();
    };
    const outcome = await untouched(directory, () =>
      backUpDuring(etcd(), directory, stop, '--idle-timeout=1s'),
    );
    member.signal('SIGCONT');
    expectFailure(outcome, 'stream-stalled');
  });
});

describeWithEtcd(VERSION, 'a member that is out of quota', () => {
  it('takes no writes, and is backed up with a warning', async () => {
    const flags = ['--quota-backend-bytes=4000000'];
    const etcd = await etcdForTest({ version: VERSION, tls: 'mutual', flags });
    await expect(fill(etcd, LARGE_BYTES)).rejects.toThrow();
    const host = await hostForTest(etcd);
    const directory = directoryForTest();
    const { code, stderr } = await runCli(['backup', `--root=${host.root}`, directory]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^ {2}! +alarms +NOSPACE of etcd-0$/m);
    await checkBackup(directory, await binariesOf(VERSION), () => undefined);
  });
});
