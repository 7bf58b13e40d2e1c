// A member that is cut off from its peers, or behind them, on a real cluster of three machines: the backup is
// taken and right for what the member has, and what is wrong is said.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckResult } from '../../src/backup/checks/result.ts';
import type { BackupRecord } from '../../src/record/schema.ts';
import { checkBackup } from '../demo/check-backup.ts';
import { createOpenshiftHost, type OpenshiftHost } from '../fixtures/openshift-host.ts';
import { binariesOf, type EtcdCluster, startEtcd } from '../servers/etcd.ts';
import { describeEachVersion } from '../servers/for-vitest.ts';
import { TestNetwork } from '../servers/network.ts';
import { runCli, startCli } from './run.ts';
import { directoryForTest, fill, isReceiving, LARGE_BYTES } from './scene.ts';

const missing = TestNetwork.missing();
/** More than the lag that the check lets pass. */
const ENTRIES = 1500;

describe.skipIf(missing !== undefined)(
  `on machines of their own${missing === undefined ? '' : ` (not run: ${missing})`}`,
  () => {
    describeEachVersion(
      'a cluster of three',
      (version) => {
        let network: TestNetwork;
        let etcd: EtcdCluster;
        let host: OpenshiftHost;
        beforeAll(async () => {
          network = new TestNetwork(3);
          etcd = await startEtcd({ version, size: 3, tls: 'mutual', network });
          host = await createOpenshiftHost(etcd);
          await fill(etcd, LARGE_BYTES);
        }, 60_000);
        afterAll(async () => {
          host.remove();
          await etcd.stop();
          network.remove();
        });

        const backUp = async () => {
          const directory = directoryForTest();
          const { code, stderr } = await runCli(['backup', `--root=${host.root}`, directory]);
          expect(code, stderr).toBe(0);
          await checkBackup(directory, await binariesOf(version), () => undefined);
          const name = (await readdir(directory)).find((one) => one.startsWith('backup_'))!;
          const record = JSON.parse(await readFile(join(directory, name), 'utf8')) as BackupRecord;
          return { stderr, record };
        };
        const checks = async (): Promise<Record<string, CheckResult>> => {
          const { stdout } = await runCli(['check', '--output=json', `--root=${host.root}`]);
          const { checks: list } = JSON.parse(stdout) as { checks: CheckResult[] };
          return Object.fromEntries(list.map((check) => [check.name, check]));
        };
        /** Cuts one off, and waits until it knows. */
        const cut = async (index: number): Promise<void> => {
          network.cut(index);
          const member = etcd.members[index]!;
          await member.waitUntil('without a leader', async () => {
            const status = await member.gateway.status();
            return status['leader'] === undefined || status['leader'] === '0';
          });
        };
        const heal = async (index: number): Promise<void> => {
          network.heal(index);
          await etcd.members[index]!.waitUntilHealthy();
        };

        it('whose own member is cut off, and behind: taken, and said', async () => {
          await cut(0);
          try {
            const { gateway } = etcd.members[1]!;
            await etcd.members[1]!.waitUntilHealthy();
            for (let written = 0; written < ENTRIES; written += 50) {
              await Promise.all(
                Array.from({ length: 50 }, (_, index) =>
                  gateway.put(`/behind/${written + index}`, Buffer.from('new')),
                ),
              );
            }
            const { stderr, record } = await backUp();
            expect(stderr).toMatch(/^ {2}! +quorum +/m);
            expect(stderr).toMatch(
              /^ {2}! +lag +the member knows no leader; raft applied index \d+ is 1,5\d\d behind etcd-[12]'s \d+$/m,
            );
            expect(record.checks.find(({ name }) => name === 'lag')?.result).toBe('failed');
            expect(record.checks.find(({ name }) => name === 'other-members')?.result).toBe(
              'passed',
            );
          } finally {
            await heal(0);
          }
          await etcd.member.waitUntil(
            'caught up',
            async () => (await checks())['lag']!.result === 'passed',
          );
          expect((await checks())['quorum']!.result).toBe('passed');
        });

        it('of which another member is cut off: taken, with what that one cannot do', async () => {
          await cut(2);
          try {
            await etcd.member.waitUntilHealthy();
            const { quorum, lag } = await checks();
            expect([quorum!.result, lag!.result]).toEqual(['passed', 'passed']);
            await backUp();
          } finally {
            await heal(2);
          }
        });

        it("that is cut apart in mid-stream: a snapshot is the member's own, and whole", async () => {
          const directory = directoryForTest();
          const run = startCli(['backup', `--root=${host.root}`, '--rate-limit=8MB', directory]);
          await run.waitUntil(() => isReceiving(directory));
          network.cut(0);
          try {
            const { code, stderr } = await run.outcome;
            expect(code, stderr).toBe(0);
            await checkBackup(directory, await binariesOf(version), () => undefined);
          } finally {
            await heal(0);
          }
        });
      },
      ['3.4.23', '3.6.16'],
    );
  },
);
