import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EtcdkeepError } from '../base/errors.ts';
import { accessFor, mergeKubeconfigs, parseKubeconfig, readKubeconfig } from './kubeconfig.ts';

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
      isInsecure: false,
      proxy: undefined,
      basic: undefined,
      plugin: undefined,
      impersonate: undefined,
      namespace: 'default',
    });
  });

  it('reads the files that it names, from where it lies', async () => {
    const access = await read(
      text(`{${SERVER}, certificate-authority: /pki/ca.crt}`, '{client-key: me.key}'),
    );
    expect(access).toMatchObject({ ca: 'a CA', key: 'a key', cert: undefined });
  });

  it('takes a token, or the one in a file', async () => {
    expect((await read(text(SERVER, `token: ${TOKEN}`))).token).toBe(TOKEN);
    const both = `{token: old, tokenFile: me.key}`;
    expect((await read(text(SERVER, both))).token).toBe('a key');
  });

  it('takes all else that says how, and for whom', async () => {
    const cluster = `{${SERVER}/k8s/c-1, insecure-skip-tls-verify: true, proxy-url: "http://p:1"}`;
    const user = '{username: me, password: pw, as: her, as-uid: "7", as-groups: [a, b]}';
    expect(await read(text(cluster, user))).toMatchObject({
      server: new URL('https://localhost:6443/k8s/c-1'),
      isInsecure: true,
      proxy: 'http://p:1',
      basic: { username: 'me', password: 'pw' },
      impersonate: { user: 'her', groups: ['a', 'b'], uid: '7' },
    });
  });

  it('finds a plugin by its name, or where the kubeconfig lies', async () => {
    const plugin = (command: string) =>
      read(
        text(
          SERVER,
          `{exec: {apiVersion: v, command: ${command}, args: null, env: [{name: A, value: b}]}}`,
        ),
      );
    expect((await plugin('kubelogin')).plugin).toMatchObject({
      command: 'kubelogin',
      args: [],
      env: [{ name: 'A', value: 'b' }],
    });
    expect((await plugin('./bin/login')).plugin?.command).toBe('/etc/kubernetes/bin/login');
    expect((await plugin('/bin/login')).plugin?.command).toBe('/bin/login');
  });

  it('needs of what it holds only the context in use to be whole', async () => {
    const others = 'contexts: null\nclusters:\n- name: broken\n  cluster: {server: 7}\n';
    const first = parseKubeconfig(`current-context: admin\n${others}`, PATH);
    const second = parseKubeconfig(text(SERVER, `token: ${TOKEN}`, 'other'), '/other/config');
    const config = mergeKubeconfigs([first, second]);
    expect((await accessFor(config, undefined, () => Promise.reject(new Error()))).token).toBe(
      TOKEN,
    );
  });

  it('of several files the first that has a name counts', async () => {
    const one = parseKubeconfig(text(SERVER, 'token: one'), PATH);
    const two = parseKubeconfig(text('server: https://two:6443', 'token: two'), '/two');
    const { token, server } = await accessFor(mergeKubeconfigs([one, two]), 'admin', () =>
      Promise.reject(new Error()),
    );
    expect([token, server.host]).toEqual(['one', 'localhost:6443']);
  });

  it.each([
    ['no YAML', `users:\n\t- token: ${TOKEN}\n`, 'it is not YAML, in line 2'],
    ['a text', TOKEN, 'at its top: '],
    ['no server', text('{}', `token: ${TOKEN}`), 'at server of its cluster in use: '],
    [
      'no https',
      text('server: http://localhost:6443', `token: ${TOKEN}`),
      'at server of its cluster in use: ',
    ],
    [
      'data that is no base64',
      text(`{${SERVER}, certificate-authority-data: "${TOKEN}"}`, `token: ${TOKEN}`),
      'at certificate-authority-data of its cluster in use: ',
    ],
    [
      'a context that is not there',
      text(SERVER, `token: ${TOKEN}`, 'gone'),
      'its current context is not whole',
    ],
    ['no current context', text(SERVER, `token: ${TOKEN}`, '""'), 'it has no current context'],
    [
      'an auth-provider',
      text(SERVER, `{token: ${TOKEN}, auth-provider: {name: gcp}}`),
      'its user has an auth-provider',
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

  it('a context that is named has to be there', async () => {
    const config = parseKubeconfig(text(SERVER, `token: ${TOKEN}`), PATH);
    const read = accessFor(config, 'prod', () => Promise.reject(new Error()));
    await expect(read).rejects.toMatchObject({
      code: 'kubeconfig-invalid',
      message: 'cannot use the kubeconfig: it has no context of the name that was given',
    });
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
