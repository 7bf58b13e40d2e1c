// What the checks say of a cluster and a host that are not as they should be, and what follows from it.
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { CheckName } from '../../src/backup/checks/catalog.ts';
import type { CheckResult } from '../../src/backup/checks/result.ts';
import type { OpenshiftHost } from '../fixtures/openshift-host.ts';
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
  hostForSuite,
  hostForTest,
  isReceiving,
  LARGE_BYTES,
  recordIn,
  usedDirectory,
} from './scene.ts';
import { untouched } from './untouched.ts';

const VERSION = '3.6.16';

/** The checks of a host as JSON, by name. */
async function checksOf(
  host: OpenshiftHost,
  ...args: string[]
): Promise<Record<CheckName, CheckResult>> {
  const { stdout, stderr } = await runCli([
    'check',
    `--root=${host.root}`,
    '--output=json',
    ...args,
  ]);
  const { checks } = JSON.parse(stdout) as { checks?: CheckResult[] };
  if (checks === undefined) throw new Error(`no checks: ${stdout}${stderr}`);
  return Object.fromEntries(checks.map((check) => [check.name, check])) as never;
}

describeEachVersion('a sound cluster of three', (version) => {
  const etcd = etcdForSuite({ version, tls: 'mutual', size: 3 });
  const host = hostForSuite(etcd);

  it('passes all that is asked of it', async () => {
    await etcd().gateway.put('/a', Buffer.from('b'));
    const checks = await checksOf(host(), directoryForTest());
    const results = Object.values(checks).map(({ name, result }) => [name, result]);
    // The fixture's certificates are an hour old, and end in ten days.
    expect(Object.fromEntries(results)).toEqual({
      'client-certificate': 'passed',
      'member-serves': 'passed',
      quorum: 'passed',
      'other-members': 'passed',
      learner: 'passed',
      lag: 'passed',
      alarms: 'passed',
      'hashes-agree': 'passed',
      certificates: 'failed',
      'cluster-age': 'failed',
      rollout: 'passed',
      // No API server runs here.
      'operators-progressing': 'unknown',
      'encryption-migration': 'unknown',
      'target-outside-data': 'passed',
      clock: 'passed',
      space: 'passed',
      'keys-apart': 'failed',
      'single-flight': 'unknown',
    });
    expect(checks['other-members'].evidence).toBe('3 of 3 members answer');
    expect(checks['hashes-agree'].evidence).toMatch(/^3 of 3 members, HashKV \d+ at revision \d+$/);
    expect(checks.certificates.evidence).toMatch(/expires in 9 days, and \d+ more$/);
  });
});

describeWithEtcd(VERSION, 'a member that is away', () => {
  it('is named, its hash is unknown, and the backup is taken', async () => {
    const etcd = await etcdForTest({ version: VERSION, tls: 'mutual', size: 3 });
    const host = await hostForTest(etcd);
    await etcd.members[2]!.kill();
    const directory = directoryForTest();
    const { code, stderr } = await runCli(['backup', `--root=${host.root}`, directory]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^ {2}! +other-members +etcd-2: .*connection refused$/m);
    expect(stderr).toMatch(/^ {2}! +hashes-agree +unknown: 2 of 3 members could be compared/m);
    const { checks } = await recordIn(directory);
    expect(checks.find(({ name }) => name === 'other-members')?.result).toBe('failed');
    expect(checks.find(({ name }) => name === 'hashes-agree')?.result).toBe('unknown');
  });

  it('and another one: without a quorum the backup is taken, with a warning', async () => {
    const etcd = await etcdForTest({ version: VERSION, tls: 'mutual', size: 3 });
    const host = await hostForTest(etcd);
    await Promise.all([etcd.members[1]!.kill(), etcd.members[2]!.kill()]);
    const { code, stderr } = await runCli(['backup', `--root=${host.root}`, directoryForTest()]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^ {2}! +quorum +/m);
  });

  it("and is the host's own: the check fails, and what hangs on it is unknown", async () => {
    const etcd = await etcdForTest({ version: VERSION, tls: 'mutual' });
    const host = await hostForTest(etcd);
    await etcd.member.kill();
    const outcome = await runCli(['check', `--root=${host.root}`, directoryForTest()]);
    const failure = expectFailure(outcome, 'check-failed', 3);
    expect(failure.message).toMatch(/^check "member-serves" failed: .*connection refused$/);
    // No flag would help, so none is named.
    expect(outcome.stdout).toMatch(/^ {2}✗ +member-serves .*connection refused$/m);
    expect(failure.rows.get('do')).not.toContain('--skip-check');
    for (const name of ['quorum', 'other-members', 'learner', 'lag', 'alarms', 'space']) {
      expect(outcome.stdout).toMatch(new RegExp(`^  ! +${name} +unknown: `, 'm'));
    }
  });
});

describeWithEtcd(VERSION, 'a run that is interrupted while it waits for another member', () => {
  it('ends at once, and leaves nothing', async () => {
    const etcd = await etcdForTest({ version: VERSION, tls: 'mutual', size: 3 });
    const host = await hostForTest(etcd);
    etcd.members[1]!.signal('SIGSTOP');
    const directory = await usedDirectory();
    const outcome = await untouched(directory, async () => {
      const run = startCli(['backup', `--root=${host.root}`, directory]);
      await run.waitUntil(async () => (await readdir(host.path('run/etcdkeep'))).length === 1);
      return run.end('SIGINT');
    });
    expectFailure(outcome, 'interrupted', 130);
    expect(await readdir(host.path('run/etcdkeep'))).toEqual([]);
    etcd.members[1]!.signal('SIGCONT');
  });
});

describeWithEtcd(VERSION, 'a member whose data was changed behind its back', () => {
  it('has another hash, and is named', async () => {
    const etcd = await etcdForTest({ version: VERSION, tls: 'mutual', size: 3 });
    const host = await hostForTest(etcd);
    await etcd.gateway.put('/changed', Buffer.from('the value as it was written'));
    const victim = etcd.members[1]!;
    // What is in the log only would be written anew from there.
    await victim.etcdctl(['defrag']);
    await victim.kill();
    const file = join(victim.dataDir, 'member', 'snap', 'db');
    const bytes = await readFile(file);
    const at = bytes.indexOf('the value as it was written');
    expect(at).toBeGreaterThan(0);
    for (let place = at; place !== -1; place = bytes.indexOf('the value as it', place)) {
      bytes.write('THE', place);
    }
    await writeFile(file, bytes);
    await victim.restart();
    const { 'hashes-agree': check } = await checksOf(host);
    expect(check.result).toBe('failed');
    const hashes = new Map(
      [...check.evidence.matchAll(/(etcd-\d) (\d+)/g)].map(([, name, hash]) => [name, hash]),
    );
    expect(hashes.get('etcd-0')).toBe(hashes.get('etcd-2'));
    expect(hashes.get('etcd-1')).not.toBe(hashes.get('etcd-0'));

    const outcome = await runCli(['backup', `--root=${host.root}`, directoryForTest()]);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stderr).toMatch(/^ {2}! +hashes-agree +HashKV at revision \d+ differs: /m);
  });
});

describeWithEtcd(VERSION, 'an alarm', () => {
  it('warns, by its name and the member', async () => {
    const etcd = await etcdForTest({
      version: VERSION,
      tls: 'mutual',
      flags: ['--quota-backend-bytes=2000000'],
    });
    const host = await hostForTest(etcd);
    const filled = fill(etcd, 8 << 20);
    await expect(filled).rejects.toThrow();
    const { alarms } = await checksOf(host);
    expect(alarms).toMatchObject({ result: 'failed', evidence: 'NOSPACE of etcd-0' });
  });
});

describeWithEtcd(VERSION, 'the host', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });

  it('that is rolling out a revision: a warning, and refused with --strict', async () => {
    const host = await hostForTest(etcd());
    await host.writeRevision('kube-apiserver', 15);
    const { rollout } = await checksOf(host);
    expect(rollout).toEqual({
      name: 'rollout',
      severity: 'warn',
      result: 'failed',
      evidence: 'kube-apiserver-pod-15 is there, its manifest names 14',
    });
    const directory = await usedDirectory();
    const strict = ['backup', `--root=${host.root}`, '--strict', directory];
    const outcome = await untouched(directory, () => runCli(strict));
    expect(expectFailure(outcome, 'check-failed', 3).message).toMatch(/^check "rollout" failed: /);
  });

  it('whose target is inside the data directory, by whatever way, is refused', async () => {
    const host = await hostForTest(etcd());
    const link = join(directoryForTest(), 'link');
    await symlink(host.path('var/lib/etcd'), link);
    for (const target of [
      host.path('var/lib/etcd'),
      host.path('var/lib/etcd/a/b'),
      join(link, 'c'),
    ]) {
      const outcome = await runCli(['backup', `--root=${host.root}`, target]);
      const failure = expectFailure(outcome, 'check-failed', 3);
      expect(failure.message).toMatch(/^check "target-outside-data" failed: /);
      expect(await readdir(host.path('var/lib/etcd'))).toEqual([]);
    }
    const beside = await checksOf(host, host.path('var/lib/etcd-backups'));
    expect(beside['target-outside-data'].result).toBe('passed');
  });

  it('whose clock was set back is told which backup would be restored, and backed up', async () => {
    const directory = await usedDirectory();
    const later = join(directory, 'snapshot_2099-01-02_030405.db');
    await writeFile(later, '');
    const host = await hostForTest(etcd());
    const { clock } = await checksOf(host, directory);
    expect(clock).toMatchObject({ severity: 'warn', result: 'failed' });
    expect(clock.evidence).toMatch(new RegExp(`^${later} is later than now, \\d{4}-`));
    const { code, stderr } = await runCli(['backup', `--root=${host.root}`, directory]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^ {2}! +clock +/m);
  });

  it.each(['', '/new'])('whose target is a file is told so: FILE%s', async (below) => {
    const host = await hostForTest(etcd());
    const file = join(directoryForTest(), 'file');
    await writeFile(file, '');
    const outcome = await runCli(['check', `--root=${host.root}`, file + below]);
    expectFailure(outcome, 'target-not-directory', 2);
  });

  it('has nothing written by the check', async () => {
    const host = await hostForTest(etcd());
    const directory = await usedDirectory();
    await untouched(host.root, () => untouched(directory, () => checksOf(host, directory)));
    await untouched(host.root, () => checksOf(host, join(directory, 'not', 'there')));
    expect(await readdir(directory)).not.toContain('not');
  });
});

describeWithEtcd(VERSION, 'two backups on one host', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });

  it('the second is refused, with who runs since when; then it is taken', async () => {
    await fill(etcd(), LARGE_BYTES);
    const host = await hostForTest(etcd());
    const [first, second] = [directoryForTest(), await usedDirectory()];
    const run = startCli(['backup', `--root=${host.root}`, '--rate-limit=4MB', first]);
    await run.waitUntil(() => isReceiving(first));
    const outcome = await untouched(second, () =>
      runCli(['backup', `--root=${host.root}`, second]),
    );
    const failure = expectFailure(outcome, 'check-failed', 3);
    expect(failure.message).toContain(`a backup to ${first}, process `);
    expect(failure.message).toMatch(/has run for \d+ seconds?, since \d{4}-.* UTC$/);
    expect((await run.outcome).code).toBe(0);
    const again = await runCli(['backup', `--root=${host.root}`, second]);
    expect(again.code, again.stderr).toBe(0);
    expect(await readdir(host.path('run/etcdkeep'))).toEqual([]);
  });

  it('is no hindrance once the other one was killed', async () => {
    const host = await hostForTest(etcd());
    const first = directoryForTest();
    const run = startCli(['backup', `--root=${host.root}`, '--rate-limit=1MB', first]);
    await run.waitUntil(() => isReceiving(first));
    await run.end('SIGKILL');
    expect(await readdir(host.path('run/etcdkeep'))).toHaveLength(1);
    const { 'single-flight': check } = await checksOf(host);
    expect(check.evidence).toMatch(/^no other backup is running on this host; elsewhere is not/);
  });

  it('that nobody can be told of is taken, and that is said', async () => {
    const host = await hostForTest(etcd());
    await mkdir(host.path('run'));
    await writeFile(host.path('run/etcdkeep'), '');
    const outcome = await runCli(['backup', `--root=${host.root}`, directoryForTest()]);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stderr).toMatch(/^ {2}! +single-flight +unknown: cannot /m);
  });
});

describeWithEtcd(VERSION, 'a check', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  const host = hostForSuite(etcd);

  it('that is skipped is not made, and the record says why', async () => {
    const directory = directoryForTest();
    const flags = [
      '--skip-check',
      'certificates=they are a test',
      '--skip-check=cluster-age',
      '--no-hash-check',
    ];
    const { code, stderr } = await runCli(['backup', `--root=${host().root}`, ...flags, directory]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^checks +11 passed, 4 warnings, 3 skipped$/m);
    const { checks, skipped } = await recordIn(directory);
    expect(skipped).toEqual([
      { name: 'certificates', reason: 'they are a test' },
      { name: 'cluster-age', reason: 'asked for with --skip-check' },
      { name: 'hashes-agree', reason: 'asked for with --no-hash-check' },
    ]);
    expect(checks.map(({ name }) => name)).not.toContain('certificates');
  });

  it.each(['client-certificate', 'member-serves'])('%s cannot be skipped', async (name) => {
    const outcome = await runCli(['check', `--root=${host().root}`, `--skip-check=${name}`]);
    expectFailure(outcome, 'usage', 2);
  });

  it('that there is none of is a usage error that names them all', async () => {
    const outcome = await runCli(['check', `--root=${host().root}`, '--skip-check=spaces']);
    expect(expectFailure(outcome, 'usage', 2).rows.get('do')).toContain(
      'space, keys-apart, single-flight',
    );
  });
});
