import { lookup } from 'node:dns/promises';
import { describe, expect, it } from 'vitest';
import { EtcdkeepError } from '../../base/errors.ts';
import { demandOwnUrls, parseInitialCluster, parsePeerUrls } from './peer-urls.ts';

function refusalOf(call: () => unknown): string {
  try {
    call();
  } catch (reason) {
    if (reason instanceof EtcdkeepError && reason.code === 'initial-cluster-invalid') {
      return reason.message;
    }
    throw reason;
  }
  return 'none';
}

describe('peer URLs', () => {
  // As Go's url.Parse and String leave them (etcd, client/pkg/types/urls_test.go).
  it.each([
    ['http://127.0.0.1:2379', ['http://127.0.0.1:2379']],
    [' http://10.0.0.1:1 , http://10.0.0.1:0', ['http://10.0.0.1:0', 'http://10.0.0.1:1']],
    ['HTTPS://Master-0.Example:2380', ['https://Master-0.Example:2380']],
    ['http://[2001:db8::1]:2380', ['http://[2001:db8::1]:2380']],
    ['unix://tmp/etcd.sock', ['unix://tmp/etcd.sock']],
  ])('%j', (text, urls) => {
    expect(parsePeerUrls(text, '--flag')).toEqual(urls);
  });

  it.each([
    ['', /"", which is no URL with http/],
    ['localhost:2380', /no URL with http/],
    ['ftp://127.0.0.1:21', /no URL with http/],
    ['http://127.0.0.1', /a host and a port/],
    ['http://:2379x', /a host and a port/],
    ['http://10.0.0.1:99999', /a host and a port/],
    ['http://10.0.0.1:2380/path', /end with its port/],
    ['http://10.0.0.1:2380?a=b', /end with its port/],
    ['http://user:password@10.0.0.1:2380', /a host and a port/],
    ['http://10.0.0.1:2380,', /""/],
    ['://127.0.0.1:2379', /no URL/],
  ])('refuses %j', (text, message) => {
    expect(refusalOf(() => parsePeerUrls(text, '--flag'))).toMatch(message);
  });
});

describe('an initial cluster', () => {
  it('has each member with all of its URLs', () => {
    const text = 'b=http://10.0.0.2:1,,a=http://10.0.0.1:1,b=http://10.0.0.2:0';
    expect(parseInitialCluster(text, '--initial-cluster')).toEqual(
      new Map([
        ['b', ['http://10.0.0.2:0', 'http://10.0.0.2:1']],
        ['a', ['http://10.0.0.1:1']],
      ]),
    );
  });

  it.each(['', ',', 'a', 'a=', '=x', 'a=http://h:1,b=http://h:1', 'a=http://h:1,a=http://h:1'])(
    'refuses %j',
    (text) => {
      expect(refusalOf(() => parseInitialCluster(text, '--initial-cluster'))).not.toBe('none');
    },
  );

  it('takes another name of the same address', async () => {
    const { address, family } = await lookup('localhost');
    const url = `http://${family === 6 ? `[${address}]` : address}:2380`;
    await demandOwnUrls(['http://localhost:2380'], 'a', [url]);
    await expect(
      demandOwnUrls(['http://10.0.0.1:2380'], 'a', ['http://10.0.0.2:2380']),
    ).rejects.toThrow(/to advertise http:\/\/10\.0\.0\.1:2380, and has http:\/\/10\.0\.0\.2:2380/);
  });
});
