// What only the API server can tell: whether an operator rolls something out. Asked of a real one.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CheckName } from '../../src/backup/checks/catalog.ts';
import type { CheckResult } from '../../src/backup/checks/result.ts';
import type { BackupRecord } from '../../src/record/schema.ts';
import { startConnectProxy } from '../faults/connect-proxy.ts';
import type { OpenshiftHost } from '../fixtures/openshift-host.ts';
import { createClusterOperators, OPERATORS, setProgressing } from '../servers/cluster-operators.ts';
import { apiServerForSuite, describeWithApiServer, etcdForSuite } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { directoryForTest, hostForTest, usedDirectory } from './scene.ts';
import { untouched } from './untouched.ts';

const API_INT = 'api-int.cluster.test';

describeWithApiServer("a host's operators", () => {
  const etcd = etcdForSuite({ version: '3.6.16', tls: 'mutual' });
  const api = apiServerForSuite(etcd, { names: [API_INT] });
  beforeAll(() => createClusterOperators(api()));
  beforeEach(async () => {
    for (const name of OPERATORS) await setProgressing(api(), name, 'False');
  });

  /** A host whose kubeconfig leads to the API server. */
  const hostWithApi = async (kubeconfig = api().kubeconfig()): Promise<OpenshiftHost> => {
    const host = await hostForTest(etcd());
    await writeFile(host.kubeconfig, kubeconfig);
    return host;
  };
  const check = async (
    host: OpenshiftHost,
    wanted: CheckName = 'operators-progressing',
  ): Promise<CheckResult> => {
    const { stdout } = await runCli(['check', '--output=json', `--root=${host.root}`]);
    const { checks } = JSON.parse(stdout) as { checks: CheckResult[] };
    return checks.find(({ name }) => name === wanted)!;
  };
  const dropIn = (host: OpenshiftHost, ...words: string[]) =>
    runCli(['cluster-backup', `--root=${host.root}`, '--', ...words]);

  it('that all rest pass the check, and the drop-in takes a backup that is not dirty', async () => {
    const host = await hostWithApi();
    expect(await check(host)).toEqual({
      name: 'operators-progressing',
      severity: 'warn',
      result: 'passed',
      evidence:
        'kube-apiserver, kube-controller-manager, kube-scheduler, etcd: none is progressing',
    });
    const directory = directoryForTest();
    const { code, stdout, stderr } = await dropIn(host, directory);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(`are successfully saved to ${directory}\n`);
    expect((await readdir(directory)).join()).not.toContain('DIRTY');
  });

  describe('of which one is progressing', () => {
    const MESSAGE = 'NodeInstallerProgressing: 1 node is at revision 7; 2 nodes are at revision 8';
    beforeEach(() => setProgressing(api(), 'kube-scheduler', 'True', MESSAGE));

    it('is a warning, with what it says, and in the record', async () => {
      const host = await hostWithApi();
      const directory = directoryForTest();
      const { code, stderr } = await runCli(['backup', `--root=${host.root}`, directory]);
      expect(code, stderr).toBe(0);
      expect(stderr).toContain(`  !   operators-progressing kube-scheduler: ${MESSAGE}\n`);
      const name = (await readdir(directory)).find((one) => one.startsWith('backup_'))!;
      const record = JSON.parse(await readFile(join(directory, name), 'utf8')) as BackupRecord;
      expect(record.checks.find((one) => one.name === 'operators-progressing')).toMatchObject({
        severity: 'warn',
        result: 'failed',
      });
    });

    it('--strict refuses', async () => {
      const host = await hostWithApi();
      const directory = await usedDirectory();
      const outcome = await untouched(directory, () =>
        runCli(['backup', '--strict', `--root=${host.root}`, directory]),
      );
      const failure = expectFailure(outcome, 'check-failed', 3);
      expect(failure.message).toContain('check "operators-progressing" failed: kube-scheduler: ');
    });

    it('the drop-in refuses with the line of the script, after what it had found until then', async () => {
      const host = await hostWithApi();
      const directory = await usedDirectory();
      const { code, stdout } = await untouched(directory, () => dropIn(host, directory));
      expect(code).toBe(1);
      expect(stdout.split('\n').slice(2)).toEqual([
        expect.stringMatching(/^found latest kube-apiserver: /),
        expect.stringMatching(/^found latest kube-controller-manager: /),
        'Currently the kube-scheduler operator is progressing. A reliable backup requires that a rollout is not in progress.  Aborting!',
        '',
      ]);
    });

    it('the drop-in with --force asks nobody, and marks the files', async () => {
      const host = await hostWithApi();
      const directory = directoryForTest();
      const { code, stderr } = await dropIn(host, '--force', directory);
      expect(code, stderr).toBe(0);
      expect((await readdir(directory)).every((name) => name.includes('DIRTY'))).toBe(true);
    });
  });

  describe('that encrypt', () => {
    const KIND = {
      group: 'operator.openshift.io',
      kind: 'KubeAPIServer',
      plural: 'kubeapiservers',
    };
    const PATH = `/apis/${KIND.group}/v1/${KIND.plural}/cluster`;
    const object = {
      apiVersion: `${KIND.group}/v1`,
      kind: KIND.kind,
      metadata: { name: 'cluster' },
    };
    const migrating = (status: string, message = '') => {
      const type = 'EncryptionMigrationControllerProgressing';
      const conditions = [{ type, status, message }];
      return api().apply(`${PATH}/status`, { ...object, status: { conditions } });
    };
    const migration = (host: OpenshiftHost) => check(host, 'encryption-migration');

    it('and are not there leave it unknown', async () => {
      expect(await migration(await hostWithApi())).toMatchObject({
        result: 'unknown',
        evidence: 'no kubeapiservers, no openshiftapiservers, no authentications to ask',
      });
    });

    it('say whether they are writing all anew with another key', async () => {
      await api().define(KIND);
      await api().apply(PATH, object);
      expect((await migration(await hostWithApi())).result).toBe('passed');
      await migrating('False');
      expect((await migration(await hostWithApi())).result).toBe('passed');
      const message = 'migrating resources to a new write key: [core/secrets]';
      await migrating('True', message);
      expect(await migration(await hostWithApi())).toEqual({
        name: 'encryption-migration',
        severity: 'warn',
        result: 'failed',
        evidence: message,
      });
    });

    it('are not asked where nothing was ever encrypted', async () => {
      const host = await hostWithApi();
      await rm(host.encryptionConfig);
      expect(await migration(host)).toMatchObject({
        result: 'passed',
        evidence: 'this host has no encryption-config',
      });
    });
  });

  it('one that does not know itself is unknown, and refuses the drop-in', async () => {
    await setProgressing(api(), 'etcd', 'Unknown');
    const host = await hostWithApi();
    expect(await check(host)).toMatchObject({
      result: 'unknown',
      evidence: 'etcd says Progressing=Unknown',
    });
    const { code, stdout } = await dropIn(host, directoryForTest());
    expect([code, stdout]).toEqual([1, expect.stringContaining('Currently the etcd operator is')]);
  });

  it('behind an API server that hangs are unknown within seconds', async () => {
    const host = await hostWithApi();
    api().signal('SIGSTOP');
    try {
      const { result, evidence } = await check(host);
      expect(result).toBe('unknown');
      expect(evidence).toMatch(/^cannot ask the API server at https:\S+: no answer within 5 s$/);
    } finally {
      api().signal('SIGCONT');
    }
  });

  it('that the credentials may not see are unknown, with what the server says', async () => {
    const kubeconfig = JSON.parse(api().kubeconfig()) as { users: { user: unknown }[] };
    kubeconfig.users[0]!.user = { token: 'nobody-knows-this-token' };
    const host = await hostWithApi(JSON.stringify(kubeconfig));
    const { result, evidence } = await check(host);
    expect(result).toBe('unknown');
    expect(evidence).toBe('the API server answered 401: Unauthorized');
    expectFailure(await dropIn(host, directoryForTest()), 'api-unauthorized');
  });

  it('of an API server that another authority vouches for are unknown', async () => {
    const kubeconfig = JSON.parse(api().kubeconfig()) as { clusters: { cluster: object }[] };
    const other = await readFile(etcd().member.tls!.ca, 'base64');
    Object.assign(kubeconfig.clusters[0]!.cluster, { 'certificate-authority-data': other });
    const { result, evidence } = await check(await hostWithApi(JSON.stringify(kubeconfig)));
    expect(result).toBe('unknown');
    expect(evidence).toMatch(/^cannot ask the API server at .*: .*certificate/);
  });

  describe('behind the cluster-wide proxy', () => {
    const through = async (proxyEnv: string): Promise<CheckResult> => {
      const host = await hostWithApi(api().kubeconfig(`https://${API_INT}:6443`));
      await mkdir(host.path('etc/mco'));
      await writeFile(host.path('etc/mco/proxy.env'), proxyEnv);
      return check(host);
    };
    const routes = () => ({ [`${API_INT}:6443`]: new URL(api().url).host });

    it('are asked through it, with its credentials; etcd is not', async () => {
      await using proxy = await startConnectProxy(routes());
      const { result, evidence } = await through(`HTTPS_PROXY=${proxy.url}\nNO_PROXY=.svc\n`);
      expect([result, evidence]).toEqual([
        'passed',
        expect.stringContaining('none is progressing'),
      ]);
      expect(new Set(proxy.asked)).toEqual(new Set([`${API_INT}:6443`]));
      expect(proxy.refused).toBe(0);
    });

    it('are asked without it where it is not for them', async () => {
      await using proxy = await startConnectProxy(routes());
      const { result, evidence } = await through(
        `HTTPS_PROXY=${proxy.url}\nNO_PROXY=.svc,.cluster.test\n`,
      );
      expect(proxy.asked).toEqual([]);
      // Nobody else knows the name.
      expect([result, evidence]).toEqual(['unknown', expect.stringContaining('cannot ask')]);
    });

    it('that refuses are unknown, and its password is not said', async () => {
      await using proxy = await startConnectProxy(routes());
      const { result, evidence } = await through(
        `HTTPS_PROXY=${proxy.url.replace('s3cret', 'wr0ng')}\n`,
      );
      expect(proxy.refused).toBeGreaterThan(0);
      expect(result).toBe('unknown');
      expect(evidence).not.toContain('wr0ng');
    });
  });
});
