import { describe, expect, it } from 'vitest';
import { ApiRefusal } from '../kubernetes/api-refusal.ts';
import { describeClusterProxy } from './cluster-proxy.ts';

const PASSWORD = 'p%40ss-word';
const ENDPOINT = 'https://api.example.org:6443';

/** What is said where the API server, a mock, answers a GET of the proxy like this. */
function said(answer: () => unknown): Promise<string> {
  const get = (path: string): Promise<unknown> => {
    expect(path).toBe('/apis/config.openshift.io/v1/proxies/cluster');
    return new Promise((resolve) => resolve(answer()));
  };
  return describeClusterProxy({ get });
}

describe('the proxy of the cluster', () => {
  it.each([
    ['an empty status', { spec: { trustedCA: { name: '' } }, status: {} }],
    ['no status', { spec: { httpProxy: 'http://only.in.spec:3128' } }],
    ['empty fields', { status: { httpProxy: '', httpsProxy: '', noProxy: '' } }],
    ['exceptions alone', { status: { noProxy: '.cluster.local' } }],
    ['something else', { status: { httpProxy: 1 } }],
    ['nothing', null],
  ])('is not enabled: %s', async (_, answer) =>
    expect(await said(() => answer)).toBe('not enabled'),
  );

  it('is not enabled where there is no such object', async () => {
    const body = { kind: 'Status', reason: 'NotFound', message: 'proxies "cluster" not found' };
    const refuse = (): never => {
      throw ApiRefusal.of(404, body, ENDPOINT);
    };
    expect(await said(refuse)).toBe('not enabled');
  });

  it('is said without its credentials', async () => {
    const status = {
      httpProxy: `http://user:${PASSWORD}@proxy.example.org:3128`,
      httpsProxy: `https://user:${PASSWORD}@[fd00::1]:3129/`,
      noProxy: '.cluster.local,10.0.0.0/16, ,127.0.0.1,',
    };
    expect(await said(() => ({ status }))).toBe(
      'enabled: http://proxy.example.org:3128 and https://[fd00::1]:3129, 3 exceptions',
    );
  });

  it('is said once where it is one', async () => {
    const status = { httpProxy: 'http://proxy:3128', httpsProxy: 'http://proxy:3128' };
    expect(await said(() => ({ status }))).toBe('enabled: http://proxy:3128, 0 exceptions');
  });

  it.each([`user:${PASSWORD}@proxy`, `//user:${PASSWORD}@proxy:3128`])(
    'shows nothing of what is no URL: %s',
    async (httpsProxy) =>
      expect(await said(() => ({ status: { httpsProxy } }))).toBe(
        'enabled: a URL that is none, 0 exceptions',
      ),
  );

  it('may not be asked for: as the server says', async () => {
    const refusal = ApiRefusal.of(403, { reason: 'Forbidden', message: 'no' }, ENDPOINT);
    const refuse = (): never => {
      throw refusal;
    };
    await expect(said(refuse)).rejects.toBe(refusal);
  });
});
