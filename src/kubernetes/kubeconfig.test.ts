import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EtcdkeepError } from '../base/errors.ts';
import { readKubeconfig } from './kubeconfig.ts';

const PATH = '/etc/kubernetes/localhost.kubeconfig';
const TOKEN = 'sha256~a-token-that-nobody-may-see';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

// As `oc config view --raw` prints one.
const text = (cluster: string, user: string, current = 'admin'): string => `apiVersion: v1
kind: Config
preferences: {}
current-context: ${current}
contexts:
- name: other
  context: {cluster: nowhere, user: nobody}
- name: admin
  context: {cluster: local, user: "system:admin", namespace: default}
clusters:
- name: local
  cluster:
    ${cluster}
users:
- name: "system:admin"
  user:
    ${user}
`;
const SERVER = 'server: https://localhost:6443';

const files: Record<string, string> = { '/pki/ca.crt': 'a CA', '/etc/kubernetes/me.key': 'a key' };
const read = (content: string) =>
  readKubeconfig(content, PATH, (path) =>
    files[path] === undefined
      ? Promise.reject(new Error(`read ${path}`))
      : Promise.resolve(files[path]),
  );

describe('readKubeconfig', () => {
  it('takes what is inside of it', async () => {
    const cluster = `{${SERVER}, certificate-authority-data: ${base64('a CA')}, tls-server-name: api-int}`;
    const user = `{client-certificate-data: ${base64('me')}, client-key-data: ${base64('my key')}}`;
    expect(await read(text(cluster, user))).toEqual({
      server: new URL('https://localhost:6443'),
      serverName: 'api-int',
      ca: 'a CA',
      cert: 'me',
      key: 'my key',
      token: undefined,
    });
  });

  it('reads the files that it names, from where it lies', async () => {
    const access = await read(
      text(`{${SERVER}, certificate-authority: /pki/ca.crt}`, '{client-key: me.key}'),
    );
    expect(access).toMatchObject({ ca: 'a CA', key: 'a key', cert: undefined });
  });

  it('takes a token', async () => {
    expect((await read(text(SERVER, `token: ${TOKEN}`))).token).toBe(TOKEN);
  });

  it.each([
    ['no YAML', `users:\n\t- token: ${TOKEN}\n`, 'it is not YAML, in line 2'],
    ['a text', TOKEN, 'at its top: '],
    ['no server', text('{}', `token: ${TOKEN}`), 'at clusters.0.cluster.server: '],
    [
      'no https',
      text('server: http://localhost:6443', `token: ${TOKEN}`),
      'at clusters.0.cluster.server: ',
    ],
    [
      'data that is no base64',
      text(`{${SERVER}, certificate-authority-data: "${TOKEN}"}`, `token: ${TOKEN}`),
      'at clusters.0.cluster.certificate-authority-data: ',
    ],
    [
      'a context that is not there',
      text(SERVER, `token: ${TOKEN}`, 'gone'),
      'its current context is not whole',
    ],
    [
      'a context without its cluster',
      text(SERVER, `token: ${TOKEN}`, 'other'),
      'its current context is not whole',
    ],
  ])('%s: refused, and nothing of it is shown', async (_, content, why) => {
    const error: unknown = await read(content).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'kubeconfig-invalid', position: { path: PATH } });
    expect((error as Error).message).toContain(`cannot use the kubeconfig: ${why}`);
    expect(inspect(error, { depth: null })).not.toContain(TOKEN);
  });

  it('gives an access or an error of ours, whatever the text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (content) => {
        const reason: unknown = await read(content).catch((error: unknown) => error);
        if (reason instanceof Error) expect(reason).toBeInstanceOf(EtcdkeepError);
      }),
    );
  });
});
