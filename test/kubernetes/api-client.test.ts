import { expect, it } from 'vitest';
import { missingPermissions, permissionWords } from '../../src/kubernetes/access-review.ts';
import { isConflict, isNotFound } from '../../src/kubernetes/api-refusal.ts';
import type { CredentialPlugin } from '../../src/kubernetes/kubeconfig.ts';
import { apiServerForSuite, describeWithApiServer, etcdForSuite } from '../servers/for-vitest.ts';
import { clientsForSuite, NOBODY } from './for-suite.ts';

const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';
const configMap = (name: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: { a: '1' },
});

describeWithApiServer('a client of an API server', () => {
  const etcd = etcdForSuite({ version: '3.6.16', tls: 'mutual' });
  const server = apiServerForSuite(etcd);
  const make = clientsForSuite(server);

  it('makes, reads, changes and deletes an object', async () => {
    const client = await make();
    await client.request('POST', CONFIGMAPS, configMap('one'));
    await client.request('PATCH', `${CONFIGMAPS}/one`, { data: { a: null, b: '2' } });
    expect(await client.get(`${CONFIGMAPS}/one`)).toMatchObject({ data: { b: '2' } });
    const again = await client.request('POST', CONFIGMAPS, configMap('one')).catch(same);
    expect(isConflict(again)).toBe(true);
    await client.request('DELETE', `${CONFIGMAPS}/one`);
    const gone = await client.get(`${CONFIGMAPS}/one`).catch(same);
    expect(isNotFound(gone)).toBe(true);
    expect(gone).toMatchObject({
      code: 'api-refused',
      message: 'the API server answered 404: configmaps "one" not found',
      position: { endpoint: server().url },
    });
  });

  it('reads metadata alone, text, and the clock of the server', async () => {
    const client = await make();
    expect(client.serverTime).toBeUndefined();
    await client.request('POST', CONFIGMAPS, configMap('large'));
    const one = await client.getMetadata(`${CONFIGMAPS}/large`, 'object');
    expect(one).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'large' } });
    expect(one).not.toHaveProperty('data');
    const { kind, items } = (await client.getMetadata(CONFIGMAPS, 'list')) as {
      kind: string;
      items: { metadata: { name: string } }[];
    };
    expect(kind).toBe('PartialObjectMetadataList');
    expect(items.map(({ metadata }) => metadata.name)).toContain('large');
    await client.request('DELETE', `${CONFIGMAPS}/large`);
    const { status, text } = await client.getText('/readyz?verbose');
    expect(status).toBe(200);
    expect(text).toMatch(/^\[\+\]etcd ok$/m);
    expect(Math.abs(client.serverTime!.getTime() - Date.now())).toBeLessThan(20_000);
    const stranger = await make({ ...NOBODY, token: 'of-yesterday' });
    await expect(stranger.getText('/readyz')).rejects.toMatchObject({ code: 'api-unauthorized' });
  });

  it('a token that has expired, or is of another cluster, is named so', async () => {
    const client = await make({ ...NOBODY, token: 'of-yesterday' });
    await expect(client.get(CONFIGMAPS)).rejects.toMatchObject({
      code: 'api-unauthorized',
      message: 'the API server answered 401: Unauthorized',
    });
  });

  it('acts for another user, and hears what that one may not', async () => {
    const impersonate = { user: 'alice', groups: ['dev'], uid: undefined };
    const client = await make({ impersonate });
    await expect(client.get(CONFIGMAPS)).rejects.toMatchObject({
      code: 'api-forbidden',
      message: expect.stringContaining('User "alice" cannot list resource "configmaps"') as string,
    });
    expect(await client.get('/version')).toHaveProperty('gitVersion');
  });

  it('the right to something is asked for, and what is missing is named as a rule has it', async () => {
    const wanted = [
      { verb: 'create', group: '', resource: 'pods/exec', namespace: 'default' },
      { verb: 'get', group: 'config.openshift.io', resource: 'proxies', name: 'cluster' },
    ];
    expect(await missingPermissions(await make(), wanted)).toEqual([]);
    const impersonate = { user: 'alice', groups: [], uid: undefined };
    const missing = await missingPermissions(await make({ impersonate }), wanted);
    expect(missing.map(permissionWords)).toEqual([
      'create pods/exec in default',
      'get proxies.config.openshift.io cluster',
    ]);
  });

  it('a certificate of another authority is not believed, unless that is asked for', async () => {
    const client = await make({ ca: undefined });
    await expect(client.get('/version')).rejects.toMatchObject({ code: 'api-unreachable' });
    const careless = await make({ ca: undefined, isInsecure: true });
    expect(await careless.get('/version')).toHaveProperty('gitVersion');
  });

  it('a plugin gives the credentials, and new ones once they are refused', async () => {
    const { access } = await make();
    const status = { clientCertificateData: access.cert, clientKeyData: access.key };
    const given = (answer: object) =>
      JSON.stringify({ apiVersion: VERSION, kind: 'ExecCredential', status: answer });
    // The first time it gives what is refused.
    const script =
      'if mkdir "$ONCE" 2>/dev/null; then printf %s "$BAD"; else printf %s "$GOOD"; fi';
    const plugin: CredentialPlugin = {
      apiVersion: VERSION,
      command: '/bin/sh',
      args: ['-c', script],
      env: [
        { name: 'ONCE', value: `/tmp/etcdkeep-test-once-${process.pid}-${Date.now()}` },
        { name: 'BAD', value: given({ token: 'of-yesterday' }) },
        { name: 'GOOD', value: given(status) },
      ],
      installHint: undefined,
      interactiveMode: 'Never',
      provideClusterInfo: false,
    };
    const client = await make(
      { ...NOBODY, plugin },
      { plugin: { env: process.env, isTerminal: false } },
    );
    expect(await client.get(CONFIGMAPS)).toHaveProperty('items');
  });

  it('an API server that says nothing is not waited for without end', async () => {
    const client = await make({}, { timeoutMs: 500 });
    server().signal('SIGSTOP');
    try {
      await expect(client.get('/version')).rejects.toMatchObject({
        code: 'api-unreachable',
        message: expect.stringContaining('no answer within 0.5 s') as string,
        retryable: true,
      });
    } finally {
      server().signal('SIGCONT');
    }
  });
});

const VERSION = 'client.authentication.k8s.io/v1';

function same(reason: unknown): unknown {
  return reason;
}
