// restore --status from a workstation where the API does not answer: what will answer yet is waited for, what never will is an error.
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, expect, it, vi } from 'vitest';
import { expectFailure } from '../cli/failure.ts';
import { runCli } from '../cli/run.ts';
import { directoryForTest } from '../cli/scene.ts';
import { kubeconfigText } from '../fixtures/kubeconfig.ts';
import { temporaryDirectory } from '../servers/directories.ts';
import { apiServerForSuite, describeWithApiServer, etcdForSuite } from '../servers/for-vitest.ts';
import { CertificateAuthority } from '../servers/pki.ts';
import { createRecoveredCluster } from '../servers/recovered-cluster.ts';
import { tokenKubeconfig } from './role.ts';

describeWithApiServer('restore --status from a workstation', () => {
  const etcd = etcdForSuite({ version: '3.6.16', tls: 'mutual' });
  const api = apiServerForSuite(etcd);
  const directory = temporaryDirectory();
  const fileOf = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const status = (kubeconfig: string, ...more: readonly string[]) =>
    runCli(['restore', '--status', `--kubeconfig=${kubeconfig}`, ...more]);
  beforeAll(() => createRecoveredCluster(api()));

  it('an API server that refuses connections is not there yet', async () => {
    const url = api().url.replace(':6443', ':6444');
    const closed = api().kubeconfig(url);
    const outcome = await status(fileOf('closed', closed));
    const { message } = expectFailure(outcome, 'cluster-not-recovered', 5);
    expect(message).toBe(
      'the cluster has not recovered: API server, etcd, lists, operators, nodes, heartbeats, certificate requests: ' +
        `unknown (cannot ask the API server at ${url}: connection refused)`,
    );
    expect(outcome.stdout).toMatch(/^ready {7}unknown: .*connection refused$/m);
  });

  it('an API server without its etcd is not there yet', async () => {
    etcd().member.signal('SIGSTOP');
    try {
      const outcome = await status(fileOf('admin', api().kubeconfig()), '--request-timeout=1s');
      const { message } = expectFailure(outcome, 'cluster-not-recovered', 5);
      expect(message).toMatch(/\blists\b[^;]*: unknown \(/);
    } finally {
      etcd().member.signal('SIGCONT');
    }
    await vi.waitFor(async () => expect(await api().isReady()).toBe(true), { timeout: 30_000 });
  });

  // A mock: an API server answers so for a moment only, and there is no load balancer here.
  it.each([
    ['429', 429, '{"message":"storage is (re)initializing"}', 'storage is (re)initializing'],
    ['503 of a load balancer', 503, '<html>503</html>', 'no answer of an API server'],
  ])('an API server that answers %s to all is not there yet', async (_, code, body, why) => {
    const authority = await CertificateAuthority.create(directoryForTest(), 'mock');
    const names = ['127.0.0.1'];
    const pair = await authority.issue('serving', { commonName: 'mock', names });
    const [ca, cert, key] = [authority.cert, pair.cert, pair.key].map((path) => readFileSync(path));
    const mock = createServer({ cert, key }, (_request, response) => {
      response.writeHead(code).end(body);
    });
    await new Promise<void>((resolve) => mock.listen(0, '127.0.0.1', resolve));
    const server = `https://127.0.0.1:${(mock.address() as AddressInfo).port}`;
    const path = fileOf('mock', kubeconfigText({ server, ca: ca!, cert: cert!, key: key! }));
    const outcome = await status(path);
    mock.close();
    const { message } = expectFailure(outcome, 'cluster-not-recovered', 5);
    expect(message).toBe(
      `the cluster has not recovered: API server: unknown (the API server answered ${code} to /readyz); ` +
        `etcd, lists, operators, nodes, heartbeats, certificate requests: unknown (the API server answered ${code}: ${why})`,
    );
    expect(outcome.stdout).toContain(`ready       unknown: the API server answered ${code} `);
  });

  it('a kubeconfig that has expired, or is of another cluster, is an error at once', async () => {
    const token = tokenKubeconfig(api().url, readFileSync(api().ca), 'of-yesterday');
    const expired = await status(fileOf('expired', token), '--watch');
    const { rows } = expectFailure(expired, 'api-unauthorized');
    expect(rows.get('do')).toContain('one made since the backup is gone');
    const other = await CertificateAuthority.create(directoryForTest(), 'another');
    const pair = await other.issue('admin', { commonName: 'system:admin' });
    const [ca, cert, key] = [other.cert, pair.cert, pair.key].map((path) => readFileSync(path));
    const foreign = kubeconfigText({ server: api().url, ca: ca!, cert: cert!, key: key! });
    const wrong = await status(fileOf('foreign', foreign), '--watch');
    expectFailure(wrong, 'api-unreachable');
  });
});
