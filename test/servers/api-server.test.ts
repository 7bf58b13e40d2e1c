import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { dirname } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { type ApiServer, startApiServer } from './api-server.ts';
import { createClusterOperators, OPERATORS, setProgressing } from './cluster-operators.ts';
import { apiServerForSuite, describeWithApiServer, etcdForSuite } from './for-vitest.ts';
import { KUBERNETES_VERSION } from './kubernetes.ts';
import { isAlive } from './processes.ts';

const OPERATORS_PATH = '/apis/config.openshift.io/v1/clusteroperators';

describeWithApiServer('an API server', () => {
  const etcd = etcdForSuite({ version: '3.6.16', tls: 'mutual' });
  const api = apiServerForSuite(etcd);
  beforeAll(() => createClusterOperators(api()));

  it('is the version asked for', async () => {
    const { gitVersion } = (await api().request('GET', '/version')) as { gitVersion: string };
    expect(gitVersion).toBe(`v${KUBERNETES_VERSION}`);
  });

  it('has the four operators, and none of them is progressing', async () => {
    const { items } = (await api().request('GET', OPERATORS_PATH)) as { items: Operator[] };
    expect(items.map(({ metadata }) => metadata.name).sort()).toEqual([...OPERATORS].sort());
    expect(items.map((operator) => progressing(operator)?.status)).toEqual(
      OPERATORS.map(() => 'False'),
    );
  });

  it('lets a progressing operator be read with what its kubeconfig holds', async () => {
    const message = 'NodeInstallerProgressing: 1 node is at revision 7';
    await setProgressing(api(), 'kube-apiserver', 'True', message);
    const { user, cluster } = read(api().kubeconfig());
    const { status, body } = await get(`${cluster.server}${OPERATORS_PATH}/kube-apiserver`, {
      ca: fromBase64(cluster['certificate-authority-data']),
      cert: fromBase64(user['client-certificate-data']),
      key: fromBase64(user['client-key-data']),
    });
    expect(status).toBe(200);
    expect(progressing(JSON.parse(body) as Operator)).toEqual({
      type: 'Progressing',
      status: 'True',
      reason: 'NodeInstaller',
      message,
    });
  });

  it('lets nobody in without a certificate', async () => {
    const { status } = await get(`${api().url}${OPERATORS_PATH}`, { ca: readFileSync(api().ca) });
    expect(status).toBe(403);
  });

  it('answers a request that fails with an error that says what the server says', async () => {
    const asked = api().request('GET', `${OPERATORS_PATH}/none`);
    await expect(asked).rejects.toThrow(/^GET \S+\/none: 404 .*"none\\" not found/);
  });

  it("keeps what it stores where OpenShift's does", async () => {
    const key = '/kubernetes.io/config.openshift.io/clusteroperators/etcd';
    expect((await etcd().gateway.get(key))?.value.toString()).toContain('"Progressing"');
  });

  it('is silent while it is stopped by a signal, and goes on afterwards', async () => {
    const server = api();
    server.signal('SIGSTOP');
    try {
      const asked = get(`${server.url}/version`, { ca: readFileSync(server.ca) }, 300);
      await expect(asked).rejects.toThrow('silent for 300 ms');
    } finally {
      server.signal('SIGCONT');
    }
    await server.request('GET', '/version');
  });

  it('is stopped with nothing left', async () => {
    const server: ApiServer = await startApiServer(etcd());
    const { pid } = server;
    expect(isAlive(pid)).toBe(true);
    await server.stop();
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(dirname(server.ca))).toBe(false);
  });
});

interface Operator {
  readonly metadata: { readonly name: string };
  readonly status: { readonly conditions: readonly { type: string; status: string }[] };
}

function progressing({ status }: Operator) {
  return status.conditions.find(({ type }) => type === 'Progressing');
}

/** The only user and cluster of a kubeconfig. */
function read(kubeconfig: string) {
  const { users, clusters } = JSON.parse(kubeconfig) as {
    users: [{ user: Record<'client-certificate-data' | 'client-key-data', string> }];
    clusters: [{ cluster: Record<'server' | 'certificate-authority-data', string> }];
  };
  return { user: users[0].user, cluster: clusters[0].cluster };
}

function fromBase64(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

/** Asks with these credentials alone. */
function get(
  url: string,
  tls: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer },
  timeout = 10_000,
): Promise<{ readonly status: number | undefined; readonly body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly status: number | undefined;
    readonly body: string;
  }>();
  const outgoing = request(url, { agent: false, timeout, ...tls }, (response) => {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (text: string) => (body += text));
    response.on('error', reject);
    response.on('end', () => resolve({ status: response.statusCode, body }));
  });
  outgoing.on('timeout', () => outgoing.destroy(new Error(`silent for ${timeout} ms`)));
  outgoing.on('error', reject);
  outgoing.end();
  return promise;
}
