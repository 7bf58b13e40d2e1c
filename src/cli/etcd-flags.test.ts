import { describe, expect, it } from 'vitest';
import {
  ETCD_FLAGS,
  type EtcdFlags,
  readLogin,
  unknownVariables,
  withEnvironment,
  withoutEndpoints,
} from './etcd-flags.ts';

/** Every variable with a value, and the flag that it stands for. */
const VARIABLES: readonly (readonly [
  keyof EtcdFlags,
  variable: string,
  text: string,
  value: unknown,
])[] = [
  ['endpoints', 'ETCDCTL_ENDPOINTS', 'a:1', 'a:1'],
  ['cacert', 'ETCDCTL_CACERT', '/ca', '/ca'],
  ['cert', 'ETCDCTL_CERT', '/cert', '/cert'],
  ['key', 'ETCDCTL_KEY', '/key', '/key'],
  ['user', 'ETCDCTL_USER', 'root:pw', 'root:pw'],
  ['password', 'ETCDCTL_PASSWORD', 'pw', 'pw'],
  ['insecureTransport', 'ETCDCTL_INSECURE_TRANSPORT', 'false', false],
  ['insecureSkipTlsVerify', 'ETCDCTL_INSECURE_SKIP_TLS_VERIFY', 'T', true],
  ['dialTimeout', 'ETCDCTL_DIAL_TIMEOUT', '2s', 2000],
  ['commandTimeout', 'ETCDCTL_COMMAND_TIMEOUT', '1m', 60_000],
  ['keepaliveTime', 'ETCDCTL_KEEPALIVE_TIME', '12s', 12_000],
  ['keepaliveTimeout', 'ETCDCTL_KEEPALIVE_TIMEOUT', '500ms', 500],
];

it('every flag has its variable here', () =>
  expect(VARIABLES.map(([flag]) => flag)).toEqual(Object.keys(ETCD_FLAGS)));

const defined = (flags: EtcdFlags): Record<string, unknown> =>
  Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));

describe.each(VARIABLES)('%s', (flag, variable, text, value) => {
  it(`is read from ${variable}`, () =>
    expect(defined(withEnvironment({}, { [variable]: text }))).toEqual({ [flag]: value }));

  it('wins over it', () => {
    const given = typeof value === 'string' ? 'given' : typeof value === 'number' ? 1 : true;
    expect(defined(withEnvironment({ [flag]: given }, { [variable]: text }))).toEqual({
      [flag]: given,
    });
  });

  it('is not given where the variable is empty', () =>
    expect(defined(withEnvironment({}, { [variable]: '' }))).toEqual({}));

  it('is known', () => expect(unknownVariables({ [variable]: text })).toEqual([]));
});

it.each([
  ['ETCDCTL_DIAL_TIMEOUT', '5'],
  ['ETCDCTL_INSECURE_TRANSPORT', 'perhaps'],
])('%s that cannot be parsed is named', (variable, text) =>
  expect(() => withEnvironment({}, { [variable]: text })).toThrow(
    expect.objectContaining({
      code: 'usage',
      message: expect.stringContaining(`${variable}: "${text}" is not`) as string,
    }),
  ),
);

it("of a host's own the variables do not count, its flags do", () => {
  const env = Object.fromEntries(VARIABLES.map(([, variable, text]) => [variable, text]));
  const { endpoints, cacert, cert, key, ...others } = defined(withoutEndpoints({ key: '/k' }, env));
  expect({ endpoints, cacert, cert, key }).toEqual({ key: '/k' });
  expect(Object.keys(others)).toHaveLength(8);
});

it('variables that nobody knows are named, and those of others are not', () => {
  const env = { ETCDCTL_ENDPOINT: 'x', ETCDCTL_API: '3', ETCD_NAME: 'n', PATH: '/bin' };
  expect(unknownVariables(env)).toEqual(['ETCDCTL_ENDPOINT']);
});

describe('a login', () => {
  const ask = (prompt: string): Promise<string> => Promise.resolve(`typed after ${prompt}`);

  it.each<[string, EtcdFlags, unknown]>([
    ['nobody', {}, undefined],
    ['a password alone is nobody', { password: 'x' }, undefined],
    ['both', { user: 'u', password: 'p' }, { user: 'u', password: 'p' }],
    ['both in one', { user: 'u:p' }, { user: 'u', password: 'p' }],
    ['a colon in the password', { user: 'u:p:q' }, { user: 'u', password: 'p:q' }],
    ['an empty password', { user: 'u:' }, { user: 'u', password: '' }],
    ['a colon in the name', { user: 'u:p', password: 'q' }, { user: 'u:p', password: 'q' }],
    ['asked for', { user: 'u' }, { user: 'u', password: 'typed after Password of u: ' }],
  ])('%s', async (_, flags, login) => expect(await readLogin(flags, ask)).toEqual(login));

  it('cannot be asked for without a terminal', () =>
    expect(readLogin({ user: 'u' }, undefined)).rejects.toMatchObject({
      code: 'usage',
      advice: 'set ETCDCTL_PASSWORD',
    }));
});
