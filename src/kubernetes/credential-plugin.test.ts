import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { runCredentialPlugin } from './credential-plugin.ts';
import { type CredentialPlugin, readKubeconfig } from './kubeconfig.ts';

const VERSION = 'client.authentication.k8s.io/v1';
const TOKEN = 'a-token-that-nobody-may-see';
const KUBECONFIG = `
current-context: x
contexts: [{name: x, context: {cluster: x, user: ""}}]
clusters: [{name: x, cluster: {server: "https://x:6443", certificate-authority-data: Y2E=}}]
users: null
`;

/** Runs a shell's script as the plugin. */
async function run(script: string, wishes: Partial<CredentialPlugin> = {}, isTerminal = false) {
  const access = await readKubeconfig(KUBECONFIG, '/config', () => Promise.reject(new Error()));
  const plugin = {
    apiVersion: VERSION,
    command: '/bin/sh',
    args: ['-c', script],
    env: [{ name: 'GIVEN', value: TOKEN }],
    installHint: undefined,
    interactiveMode: undefined,
    provideClusterInfo: false,
    ...wishes,
  };
  const options = { env: process.env, isTerminal, signal: new AbortController().signal };
  return runCredentialPlugin(access, plugin, options);
}

const answer = (status: object, apiVersion = VERSION): string =>
  JSON.stringify({ apiVersion, kind: 'ExecCredential', status });

describe('runCredentialPlugin', () => {
  it('takes a token and when it ends, and gives the variables', async () => {
    const status = { token: '%s', expirationTimestamp: '2026-11-24T12:00:00Z' };
    expect(await run(`printf '${answer(status)}' "$GIVEN"`)).toEqual({
      token: TOKEN,
      cert: undefined,
      key: undefined,
      expires: new Date('2026-11-24T12:00:00Z'),
    });
  });

  it('takes a certificate with its key', async () => {
    const status = { clientCertificateData: 'cert', clientKeyData: 'key' };
    expect(await run(`echo '${answer(status)}'`)).toMatchObject({ cert: 'cert', key: 'key' });
  });

  it('tells it who asks, and of which cluster if it wants to know', async () => {
    const told = async (wishes: Partial<CredentialPlugin>) => {
      const script = `printf '%s' '${answer({ token: '@' })}' | sed "s|@|$(echo "$KUBERNETES_EXEC_INFO" | base64 -w0)|"`;
      const { token } = await run(script, wishes);
      return JSON.parse(Buffer.from(token!, 'base64').toString()) as unknown;
    };
    const plain = { apiVersion: VERSION, kind: 'ExecCredential', spec: { interactive: false } };
    expect(await told({})).toEqual(plain);
    expect(await told({ provideClusterInfo: true })).toEqual({
      ...plain,
      spec: {
        interactive: false,
        cluster: { server: 'https://x:6443/', 'certificate-authority-data': 'Y2E=' },
      },
    });
  });

  it.each([
    ['it ended with 3', 'echo no >&2; exit 3', {}],
    ['it ended with SIGTERM', 'kill $$', {}],
    ['there is no such program', '', { command: '/nowhere/login' }],
    ['it cannot be run', '', { command: '/etc/passwd' }],
    ['it printed no ExecCredential', 'echo "$GIVEN"', {}],
    ['it printed too much', 'head -c 2000000 /dev/zero', {}],
    [
      'it answered with another apiVersion than client.authentication.k8s.io/v1',
      `echo '${answer({ token: TOKEN }, 'client.authentication.k8s.io/v1beta1')}'`,
      {},
    ],
    [
      'it gave neither a token nor a certificate with its key',
      `echo '${answer({ clientCertificateData: 'cert' })}'`,
      {},
    ],
    ['its apiVersion is none of', '', { apiVersion: 'client.authentication.k8s.io/v1alpha1' }],
    ['it wants to ask, and there is no terminal', '', { interactiveMode: 'Always' }],
  ])('%s: an error that shows nothing of it', async (why, script, wishes) => {
    const installHint = 'get it from https://example.org\n';
    const reason: unknown = await run(script, { ...wishes, installHint }).catch(
      (error: unknown) => error,
    );
    expect(reason).toMatchObject({
      code: 'credential-plugin-failed',
      advice: 'get it from https://example.org',
    });
    expect((reason as Error).message).toContain(why);
    expect(inspect(reason, { depth: null })).not.toContain(TOKEN);
  });
});
