import { describe, expect, it } from 'vitest';
import { fakeWorld } from './context.fixture.ts';
import { clientOptions, endpointOf } from './etcd-client-options.ts';
import type { EtcdFlags } from './etcd-flags.ts';

describe('the endpoint', () => {
  // etcd client/v3, the `interpret` function and etcdctl's --insecure-transport.
  it.each<[EtcdFlags, string]>([
    [{}, 'http://127.0.0.1:2379'],
    [{ endpoints: 'h:1' }, 'http://h:1'],
    [{ endpoints: 'h:1', cacert: '/ca' }, 'https://h:1'],
    [{ endpoints: 'h:1', cert: '/c' }, 'https://h:1'],
    [{ endpoints: 'h:1', key: '/k' }, 'https://h:1'],
    [{ endpoints: 'h:1', insecureTransport: false }, 'https://h:1'],
    [{ endpoints: 'h:1', insecureTransport: true }, 'http://h:1'],
    [{ endpoints: 'h:1', insecureSkipTlsVerify: true }, 'https://h:1'],
    [{ endpoints: 'http://h:1', cacert: '/ca' }, 'http://h:1'],
    [{ endpoints: 'https://h:1' }, 'https://h:1'],
  ])('%o is %s', (flags, url) => expect(endpointOf(flags).url).toBe(url));

  it("is the host's where no flag names one", () => {
    const defaults = { endpoints: 'https://10.0.1.2:2379' };
    expect(endpointOf({}, defaults).url).toBe('https://10.0.1.2:2379');
    expect(endpointOf({ endpoints: 'http://h:1' }, defaults).url).toBe('http://h:1');
  });

  it('has to be one', () =>
    expect(() => endpointOf({ endpoints: 'a:1,b:2' })).toThrow(
      expect.objectContaining({ code: 'endpoint-not-single', exitCode: 2 }),
    ));
});

describe('the options of the client', () => {
  const { context } = fakeWorld();

  it("have etcdctl's defaults", async () =>
    expect(await clientOptions({}, context)).toEqual({
      endpoint: endpointOf({}),
      credentials: {},
      insecureSkipVerify: false,
      dialTimeoutMs: 5000,
      keepaliveTimeMs: 10_000,
      keepaliveTimeoutMs: 6000,
      commandTimeoutMs: 5000,
      login: undefined,
      signal: context.signal,
    }));

  it('are those of the flags', async () => {
    const flags: EtcdFlags = {
      endpoints: 'https://h:1',
      user: 'u:p',
      insecureSkipTlsVerify: true,
      dialTimeout: 1,
      commandTimeout: 2,
      keepaliveTime: 3,
      keepaliveTimeout: 4,
    };
    expect(await clientOptions(flags, context)).toMatchObject({
      insecureSkipVerify: true,
      dialTimeoutMs: 1,
      commandTimeoutMs: 2,
      keepaliveTimeMs: 3,
      keepaliveTimeoutMs: 4,
      login: { user: 'u', password: 'p' },
    });
  });

  const missing = (path: string, advice?: string): unknown =>
    expect.objectContaining({
      code: 'certificate-missing',
      position: { path },
      ...(advice === undefined ? {} : { advice }),
    });
  const files = { cacert: '/host/ca', cert: '/host/cert', key: '/host/key' };
  const host = { endpoints: 'https://h:1', files };

  it('read no file for a plain endpoint', async () =>
    expect(
      (await clientOptions({ endpoints: 'http://h:1', cacert: '/x' }, context)).credentials,
    ).toEqual({}));

  it.each<[string, EtcdFlags, string]>([
    ["the host's bundle where none is named", {}, '/host/ca'],
    ['the bundle that is named', { cacert: '/my/ca' }, '/my/ca'],
  ])('read %s', (_, flags, path) =>
    expect(clientOptions(flags, context, host)).rejects.toEqual(missing(path)),
  );

  it.each<[string, EtcdFlags]>([
    ['certificate', { cert: '/my/cert' }],
    ['key', { key: '/my/key' }],
  ])("never pair a %s that is named with the host's other half", (_, flags) =>
    expect(clientOptions(flags, context, host)).rejects.toEqual(
      missing((flags.cert ?? flags.key)!, 'name both, with --cert and --key'),
    ),
  );
});
