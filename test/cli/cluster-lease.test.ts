// Two hosts of one cluster: the Lease in its API keeps their backups apart.
import { writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import type { CheckResult } from '../../src/backup/checks/result.ts';
import type { OpenshiftHost } from '../fixtures/openshift-host.ts';
import { apiServerForSuite, describeWithApiServer, etcdForSuite } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { type CliRun, runCli, startCli } from './run.ts';
import { directoryForTest, fill, hostForTest, isReceiving, usedDirectory } from './scene.ts';
import { untouched } from './untouched.ts';

const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';

describeWithApiServer('the Lease of a backup on a host', () => {
  const etcd = etcdForSuite({ version: '3.6.16', tls: 'mutual' });
  const api = apiServerForSuite(etcd);

  const hostWithApi = async (): Promise<OpenshiftHost> => {
    const host = await hostForTest(etcd());
    await writeFile(host.kubeconfig, api().kubeconfig());
    return host;
  };
  const singleFlight = async (host: OpenshiftHost): Promise<CheckResult> => {
    const { stdout } = await runCli(['check', '--output=json', `--root=${host.root}`]);
    const { checks } = JSON.parse(stdout) as { checks: CheckResult[] };
    return checks.find(({ name }) => name === 'single-flight')!;
  };
  const leases = async (): Promise<string[]> => {
    const { items } = (await api().request('GET', LEASES)) as {
      items: { metadata: { name: string } }[];
    };
    return items.map(({ metadata }) => metadata.name).filter((name) => name.startsWith('etcdkeep'));
  };
  /** One that goes on until it is told to stop. */
  const running = async (host: OpenshiftHost): Promise<CliRun> => {
    await fill(etcd(), 16 << 20);
    const directory = directoryForTest();
    const run = startCli(['backup', `--root=${host.root}`, '--rate-limit=1MB', directory]);
    await run.waitUntil(() => isReceiving(directory));
    return run;
  };

  it('refuses the backup of another host, with who is at it since when', async () => {
    const [one, two] = [await hostWithApi(), await hostWithApi()];
    expect(await singleFlight(two)).toMatchObject({
      result: 'passed',
      evidence: 'no other backup of this cluster is running',
    });
    const run = await running(one);
    expect(await leases()).toEqual(['etcdkeep-backup']);
    const directory = await usedDirectory();
    const outcome = await untouched(directory, () =>
      runCli(['backup', `--root=${two.root}`, directory]),
    );
    const failure = expectFailure(outcome, 'check-failed', 3);
    expect(failure.message).toMatch(
      /: a backup of this cluster is being taken by \w+@\S+, process \d+, since \d{4}-\S+Z$/,
    );
    expect(failure.rows.get('do')).toContain(
      'wait for it: one backup of one host is the backup of the cluster',
    );
    expect((await singleFlight(two)).result).toBe('failed');
    await run.end('SIGINT');
    expect(await leases()).toEqual([]);
    const again = await runCli(['backup', `--root=${two.root}`, directory]);
    expect(again.code, again.stderr).toBe(0);
    expect(await leases()).toEqual([]);
  });

  it('is no hindrance once its holder on this machine was killed', async () => {
    const [one, two] = [await hostWithApi(), await hostWithApi()];
    const run = await running(one);
    await run.end('SIGKILL');
    expect(await leases()).toEqual(['etcdkeep-backup']);
    const outcome = await runCli(['backup', `--root=${two.root}`, directoryForTest()]);
    expect(outcome.code, outcome.stderr).toBe(0);
  });

  it('that is lost meanwhile is a warning', async () => {
    const run = await running(await hostWithApi());
    await api().request('DELETE', `${LEASES}/etcdkeep-backup`);
    await run.waitUntil(() =>
      run.stderr.includes('another backup could begin meanwhile: the Lease'),
    );
    await run.end('SIGINT');
  });

  it('that cannot be written is a warning: etcd has no space left', async () => {
    const host = await hostWithApi();
    await etcd().gateway.call('/v3/maintenance/alarm', { action: 'ACTIVATE', alarm: 'NOSPACE' });
    try {
      const outcome = await runCli(['backup', `--root=${host.root}`, directoryForTest()]);
      expect(outcome.code, outcome.stderr).toBe(0);
      expect(outcome.stderr).toMatch(
        /^ {2}! +single-flight +unknown: no other backup is running on this host; elsewhere is not known: the API server answered 500: .*space exceeded/m,
      );
    } finally {
      const alarm = { action: 'DEACTIVATE', alarm: 'NOSPACE' };
      await etcd().gateway.call('/v3/maintenance/alarm', alarm);
    }
  });
});
