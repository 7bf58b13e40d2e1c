// A member that is cut off from its peers, or behind them, on a real cluster of three machines: the backup is
// taken and right for what the member has, and what is wrong is said.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CheckResult } from '../../src/backup/checks/result.ts';
import type { BackupRecord } from '../../src/record/schema.ts';
import { checkBackup } from '../demo/check-backup.ts';
import type { CommandResult } from '../servers/command.ts';
import { binariesOf } from '../servers/etcd.ts';
import { describeEachVersion } from '../servers/for-vitest.ts';
import { TestNetwork } from '../servers/network.ts';
import type { EtcdVersion } from '../servers/versions.ts';
import { machinesForSuite } from './machines.ts';
import { type RunOptions, runCli, startCli } from './run.ts';
import { directoryForTest, fill, isReceiving, LARGE_BYTES } from './scene.ts';

const VERSION = '3.6.16';

const missing = TestNetwork.missing();
const because = missing === undefined ? '' : ` (not run: ${missing})`;

/** More than the lag that the check lets pass. */
const ENTRIES = 1200;
/** For a member without a quorum, which leaves two requests unanswered. */
const IMPATIENT = '--command-timeout=1s';

/** What the checks say, `failed: cannot read keys: no answer for 1 s`, by their names. */
type Said = Readonly<Record<string, string>>;

const begins = (text: string): string => expect.stringMatching(new RegExp(`^${text}`)) as string;

describe.skipIf(missing !== undefined)(`three machines${because}`, () => {
  // Before 3.5, a member that comes back makes the others elect anew.
  describeEachVersion(
    'one of which is cut off from its peers',
    (version) => {
      const three = machinesForSuite(version);

      it('ours, which led, and is behind: backed up as far as it has come, and that is said', async () => {
        const { etcd, host } = three();
        await etcd.gateway.put('/before', 'old');
        await three().lead(0);
        const keys = Number(await etcd.gateway.count());
        await three().whileCutOff(0, async () => {
          await three().write(1, '/behind', ENTRIES);
          await three().level(1, 2);
          const [own, other] = [await three().stateOf(0), await three().stateOf(1)];
          const behind = (other.applied - own.applied).toLocaleString('en-US');
          const lag = `the member knows no leader; raft applied index ${own.applied} is ${behind} behind etcd-1's ${other.applied}`;
          const said = {
            'member-serves': begins('passed: '),
            quorum: begins('failed: '),
            // They do, on the clients' network.
            'other-members': 'passed: 3 of 3 members answer',
            lag: `failed: ${lag}`,
            alarms: begins('unknown: '),
            // What it has is what the others had.
            'hashes-agree': begins(`passed: 3 of 3 .* at revision ${own.revision}$`),
          };
          const [checked, backup] = await Promise.all([
            check(host.root),
            backUp(version, host.root, [IMPATIENT]),
          ]);
          expect(checked).toMatchObject(said);
          expect(backup.said).toMatchObject(said);
          expect(backup.stderr).toMatch(/^ {2}! +quorum +\S/m);
          expect(backup.stderr).toMatch(new RegExp(`^ {2}! +lag +${lag}$`, 'm'));
          expect(backup.stderr).toMatch(/^ {2}! +alarms +unknown: \S/m);
          expect(backup.snapshot).toMatchObject({ revision: own.revision, keys });
        });
        const caughtUp = await backUp(version, host.root);
        expect(caughtUp.said).toMatchObject({
          quorum: begins('passed: '),
          lag: begins(`passed: .* behind the leader's \\d+$`),
          alarms: 'passed: none is raised',
          'hashes-agree': begins('passed: 3 of 3 '),
        });
        const { revision } = await three().stateOf(1);
        expect(caughtUp.snapshot).toMatchObject({ revision, keys: keys + ENTRIES });
      });

      // The rest is the same to every version.
      if (version !== VERSION) return;

      it('another one, which led, and is behind: the backup has all that was written since', async () => {
        await three().etcd.gateway.put('/before', 'old');
        await three().lead(2);
        await three().whileCutOff(2, async () => {
          await three().write(0, '/since', ENTRIES);
          await three().level(0, 1);
          const [own, other] = [await three().stateOf(0), await three().stateOf(2)];
          const { said, snapshot } = await backUp(version, three().host.root);
          expect(said).toMatchObject({
            quorum: begins('passed: '),
            'other-members': 'passed: 3 of 3 members answer',
            lag: begins(`passed: .* behind the leader's \\d+$`),
            alarms: 'passed: none is raised',
            // The newest revision that all of them have.
            'hashes-agree': begins(`passed: 3 of 3 .* at revision ${other.revision}$`),
          });
          expect(snapshot.revision).toBe(own.revision);
          expect(Number(own.revision)).toBe(Number(other.revision) + ENTRIES);
        });
      });

      it('ours, from clients as well: backed up on the machine itself, and that is said', async () => {
        const { network, host } = three();
        const { revision } = await three().stateOf(0);
        await three().whileCutOff(0, () =>
          three().whileOffline(0, async () => {
            const { launcher } = network.hosts[0]!;
            const { said, snapshot } = await backUp(version, host.root, [IMPATIENT], { launcher });
            expect(said).toMatchObject({
              'member-serves': begins('passed: '),
              quorum: begins('failed: '),
              'other-members': begins('failed: etcd-1: .*; etcd-2: '),
              lag: 'unknown: the member knows no leader',
              alarms: begins('unknown: '),
              'hashes-agree': 'unknown: no other member answers',
            });
            expect(snapshot.revision).toBe(revision);
          }),
        );
      });

      it('ours, in mid-stream: the snapshot is of the member alone, and the backup complete', async () => {
        const { etcd, host } = three();
        await fill(etcd, LARGE_BYTES);
        await three().lead(1);
        const { revision } = await three().stateOf(0);
        const directory = directoryForTest();
        const run = startCli(['backup', `--root=${host.root}`, '--rate-limit=5MB', directory]);
        await run.waitUntil(() => isReceiving(directory));
        await three().whileCutOff(0, async () => {
          await three().write(1, '/meanwhile', 1);
          expect(await isReceiving(directory)).toBe(true);
          const { snapshot } = await complete(version, directory, await run.outcome);
          expect(snapshot.revision).toBe(revision);
        });
      });
    },
    ['3.4.23', VERSION],
  );
});

async function check(root: string): Promise<Said> {
  const { stdout } = await runCli(['check', `--root=${root}`, '--output=json', IMPATIENT]);
  return saidBy((JSON.parse(stdout) as { checks: CheckResult[] }).checks);
}

async function backUp(
  version: EtcdVersion,
  root: string,
  flags: readonly string[] = [],
  options?: RunOptions,
) {
  const directory = directoryForTest();
  const outcome = await runCli(['backup', `--root=${root}`, ...flags, directory], options);
  return complete(version, directory, outcome);
}

/** What a backup says once it has been found complete, right, and alone in its directory. */
async function complete(version: EtcdVersion, directory: string, outcome: CommandResult) {
  const { code, stderr } = outcome;
  expect(code, stderr).toBe(0);
  const files = await checkBackup(directory, await binariesOf(version), () => undefined);
  expect((await readdir(directory)).toSorted()).toEqual(Object.values(files).toSorted());
  const text = await readFile(join(directory, files.record), 'utf8');
  const { snapshot, checks } = JSON.parse(text) as BackupRecord;
  return { stderr, snapshot, said: saidBy(checks) };
}

function saidBy(checks: BackupRecord['checks']): Said {
  return Object.fromEntries(
    checks.map(({ name, result, evidence }) => [name, `${result}: ${evidence}`]),
  );
}
