import { describe, expect, it } from 'vitest';
import type { EtcdkeepError } from '../../base/errors.ts';
import { parseEndpoint, parseSingleEndpoint } from './endpoint.ts';

function errorOf(action: () => unknown): EtcdkeepError {
  try {
    action();
  } catch (reason) {
    return reason as EtcdkeepError;
  }
  throw new Error('it was accepted');
}

describe('parseEndpoint', () => {
  // https forces TLS, http does without, and no scheme leaves it to the caller (etcdctl, --endpoints).
  it.each([
    ['https://10.0.1.2:2379', false, true],
    ['https://10.0.1.2:2379', true, true],
    ['http://10.0.1.2:2379', true, false],
    ['10.0.1.2:2379', true, true],
    ['10.0.1.2:2379', false, false],
    ['HTTPS://10.0.1.2:2379', false, true],
  ])('%s with TLS by default %s is dialled with TLS: %s', (text, secureByDefault, secure) => {
    const endpoint = parseEndpoint(text, secureByDefault);
    expect(endpoint.secure).toBe(secure);
    expect(endpoint.url).toBe(`${secure ? 'https' : 'http'}://10.0.1.2:2379`);
  });

  it.each([
    ['etcd-0.example.com:2379', 'etcd-0.example.com', 2379, 'http://etcd-0.example.com:2379'],
    ['localhost:1', 'localhost', 1, 'http://localhost:1'],
    ['127.0.0.1:65535', '127.0.0.1', 65535, 'http://127.0.0.1:65535'],
    ['https://etcd_0:2379/', 'etcd_0', 2379, 'https://etcd_0:2379'],
    ['[::1]:2379', '::1', 2379, 'http://[::1]:2379'],
    ['https://[fd00::A:2]:2379', 'fd00::A:2', 2379, 'https://[fd00::A:2]:2379'],
    ['[fe80::1%eth0]:2379', 'fe80::1%eth0', 2379, 'http://[fe80::1%eth0]:2379'],
    ['[::ffff:10.0.0.1]:2379', '::ffff:10.0.0.1', 2379, 'http://[::ffff:10.0.0.1]:2379'],
    ['127.0.0.1:02379', '127.0.0.1', 2379, 'http://127.0.0.1:2379'],
  ])('%s', (text, host, port, url) => {
    const endpoint = parseEndpoint(text, false);
    expect(endpoint.address).toEqual({ host, port });
    expect(endpoint.url).toBe(url);
  });

  it.each([
    ['unix:///run/etcd.sock', false],
    ['unix:/run/etcd.sock', false],
    ['unixs:///run/etcd.sock', true],
    ['unixs:/run/etcd.sock', true],
  ])('%s is a socket', (text, secure) =>
    expect(parseEndpoint(text, !secure)).toEqual({
      url: text,
      secure,
      address: { socketPath: '/run/etcd.sock' },
    }),
  );

  it.each(['10.0.1.2', 'https://10.0.1.2', 'localhost:', '[::1]', ''])(
    '"%s" names no port',
    (text) => {
      const error = errorOf(() => parseEndpoint(text, false));
      expect(error.code).toBe('endpoint-invalid');
      expect(error.message).toBe(`"${text}" is not an endpoint of etcd: it names no port`);
    },
  );

  it.each(['unix:', 'unix://', 'unix://etcd.sock', 'unixs:etcd.sock', 'unix:////etcd.sock'])(
    '"%s" names no path',
    (text) => {
      const error = errorOf(() => parseEndpoint(text, false));
      expect(error.code).toBe('endpoint-invalid');
      expect(error.message).toBe(`"${text}" is not an endpoint of etcd: it names no absolute path`);
    },
  );

  it.each([
    'ftp://10.0.1.2:2379',
    'https:10.0.1.2:2379',
    '10.0.1.2:0',
    '10.0.1.2:65536',
    '10.0.1.2:99999',
    '10.0.1.2:123456',
    '::1:2379',
    'fd00::2:2379',
    '[::1:2379',
    '[etcd]:2379',
    'root:secret@10.0.1.2:2379',
    'root@10.0.1.2:2379',
    'https://10.0.1.2/v3:2379',
    'etcd 0:2379',
    'etcd?0:2379',
    'etcd#0:2379',
    'etcd%00:2379',
    'etcd\\0:2379',
    ':2379',
    '10.0.1.2:2379\nhttps://10.0.1.3:2379',
  ])('"%s" is not an endpoint', (text) => {
    const error = errorOf(() => parseEndpoint(text, false));
    expect(error.code).toBe('endpoint-invalid');
    expect(error.message).toBe(`"${text}" is not an endpoint of etcd`);
  });
});

describe('parseSingleEndpoint', () => {
  it.each(['10.0.1.2:2379', ' 10.0.1.2:2379 ', '10.0.1.2:2379,', ',10.0.1.2:2379'])(
    '"%s" names one member',
    (list) => expect(parseSingleEndpoint(list, true).url).toBe('https://10.0.1.2:2379'),
  );

  it('two members are named', () => {
    const error = errorOf(() => parseSingleEndpoint('10.0.1.2:2379, 10.0.1.3:2379', true));
    expect(error.code).toBe('endpoint-not-single');
    expect(error.facts).toEqual([['endpoints', '10.0.1.2:2379 10.0.1.3:2379']]);
  });

  it.each(['', ' , '])('"%s" names none', (list) =>
    expect(errorOf(() => parseSingleEndpoint(list, true)).code).toBe('endpoint-invalid'),
  );
});
