import { describe, expect, it } from 'vitest';
import { proxyFor, proxyFromEnvironment } from './proxy-rules.ts';

const PROXY = 'http://user:p%40ss@proxy.example.com:3128';

describe('proxyFor', () => {
  const through = (url: string, ...exceptions: string[]): boolean =>
    proxyFor(new URL(url), { http: undefined, https: PROXY, exceptions }) === PROXY;

  it.each([
    ['https://registry.example.org', true],
    ['http://registry.example.org', false],
    ['https://localhost:6443', false],
    ['https://127.9.9.9:6443', false],
    ['https://[::1]:6443', false],
  ])('%s: %s', (url, expected) => expect(through(url)).toBe(expected));

  // The rules and examples of golang.org/x/net/http/httpproxy, Config.NoProxy.
  it.each([
    ['*', 'https://registry.example.org', false],
    ['example.org', 'https://example.org', false],
    ['example.org', 'https://registry.example.org', false],
    ['example.org', 'https://registry-example.org', true],
    ['.example.org', 'https://registry.example.org', false],
    ['.example.org', 'https://example.org', true],
    ['*.example.org', 'https://registry.example.org', false],
    ['EXAMPLE.org', 'https://registry.Example.org', false],
    ['example.org:443', 'https://example.org', false],
    ['example.org:443', 'https://example.org:8443', true],
    ['10.0.0.0/16', 'https://10.0.1.2:6443', false],
    ['10.0.0.0/16', 'https://10.1.1.2:6443', true],
    ['10.0.0.0/33', 'https://10.0.1.2:6443', true],
    ['10.0.1.2', 'https://10.0.1.2:6443', false],
    ['10.0.1.2:443', 'https://10.0.1.2:6443', true],
    ['10.0.1.2', 'https://10.0.1.20:6443', true],
    ['fd00::/8', 'https://[fd00::3]:6443', false],
    ['fd00::3', 'https://[fd00::3]:6443', false],
    ['[fd00::3]:6443', 'https://[fd00::3]:6443', false],
    ['fd00::/8', 'https://10.0.1.2:6443', true],
    ['0.1.2', 'https://10.0.1.2', true],
  ])('but for %s: %s: %s', (exception, url, expected) => {
    expect(through(url, 'other.example.net', exception)).toBe(expected);
  });
});

describe('proxyFromEnvironment', () => {
  it('capitals come before small letters, and what is empty counts as nothing', () => {
    const env = {
      HTTPS_PROXY: PROXY,
      https_proxy: 'http://other:1',
      NO_PROXY: '',
      no_proxy: '.svc, a',
    };
    expect(proxyFromEnvironment(env)).toEqual({
      http: undefined,
      https: PROXY,
      exceptions: ['.svc', 'a'],
    });
  });

  it('an address alone is one of http', () => {
    expect(proxyFromEnvironment({ http_proxy: 'proxy:3128' })?.http).toBe('http://proxy:3128');
  });

  it('is undefined where none is named', () => {
    expect(proxyFromEnvironment({ NO_PROXY: '*', HTTP_PROXY: '' })).toBeUndefined();
  });

  it.each(['socks5://user:p%40ss@proxy:1080', 'http://[', '://'])(
    '%s: refused, and not shown',
    (url) => {
      const read = (): unknown => proxyFromEnvironment({ HTTPS_PROXY: url });
      expect(read).toThrow(
        expect.objectContaining({
          code: 'proxy-invalid',
          message: 'HTTPS_PROXY is no URL of a proxy',
        }),
      );
    },
  );
});
