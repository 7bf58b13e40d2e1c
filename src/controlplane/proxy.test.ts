import { describe, expect, it } from 'vitest';
import type { ProxySettings } from '../base/proxy-rules.ts';
import { makeHost, put } from './host.fixture.ts';
import { describeProxy, PROXY_ENV, readProxy } from './proxy.ts';

const PROXY = 'http://user:p%40ss@proxy.example.com:3128';

async function read(text: string): Promise<ProxySettings | undefined> {
  const { host } = await makeHost();
  await put(host, PROXY_ENV, text, 0o644);
  return readProxy(host);
}

describe('readProxy', () => {
  it('reads what the machine-config operator writes', async () => {
    const text = `HTTP_PROXY=${PROXY}\nHTTPS_PROXY=${PROXY}\nNO_PROXY=.cluster.local,10.0.0.0/16,localhost\n`;
    expect(await read(text)).toEqual({
      http: PROXY,
      https: PROXY,
      exceptions: ['.cluster.local', '10.0.0.0/16', 'localhost'],
    });
  });

  it('takes quotes and blanks off, as systemd does, and expands nothing', async () => {
    expect(await read(`# ours\n  HTTPS_PROXY="${PROXY}/$(id)" \n;x=1\n`)).toMatchObject({
      https: `${PROXY}/$(id)`,
      http: undefined,
    });
  });

  it.each(['', 'NO_PROXY=.svc\n', 'HTTP_PROXY=\nHTTPS_PROXY=\n'])('%j names none', async (text) =>
    expect(await read(text)).toBeUndefined(),
  );

  it('a host without the file has none', async () => {
    expect(await readProxy((await makeHost()).host)).toBeUndefined();
  });

  it('what is no URL is refused, and not shown', async () => {
    await expect(read('HTTPS_PROXY=user:p%40ss@proxy:3128\n')).rejects.toMatchObject({
      code: 'proxy-invalid',
      message: 'HTTPS_PROXY is no URL of a proxy',
    });
  });
});

describe('describeProxy', () => {
  it.each([
    [`HTTPS_PROXY=${PROXY}\n`, 'http://proxy.example.com:3128, from /etc/mco/proxy.env'],
    [
      'HTTPS_PROXY=user:p%40ss@proxy:3128\n',
      '/etc/mco/proxy.env is not used: HTTPS_PROXY is no URL of a proxy',
    ],
    ['', undefined],
  ])('shows no credentials: %j', async (text, shown) => {
    const { host } = await makeHost();
    await put(host, PROXY_ENV, text);
    expect(await describeProxy(host)).toBe(shown);
  });
});
