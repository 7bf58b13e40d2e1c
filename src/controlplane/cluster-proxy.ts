// The cluster-wide proxy of OpenShift, as its API knows it (config.openshift.io/v1, types_proxy.go). What counts is its
// status; an empty field means that there is none.

import { z } from 'zod';
import type { ApiClient } from '../kubernetes/api-client.ts';
import { isNotFound } from '../kubernetes/api-refusal.ts';

const schema = z.object({
  status: z
    .object({
      httpProxy: z.string().default(''),
      httpsProxy: z.string().default(''),
      noProxy: z.string().default(''),
    })
    .prefault({}),
});

/**
 * Says whether it is enabled, as the manual's page asks for it, without its credentials.
 * @throws EtcdkeepError `api-unreachable`; ApiRefusal; the signal's reason
 */
export async function describeClusterProxy(api: Pick<ApiClient, 'get'>): Promise<string> {
  const answer = await api
    .get('/apis/config.openshift.io/v1/proxies/cluster')
    .catch((reason: unknown) => {
      if (isNotFound(reason)) return {};
      throw reason;
    });
  const {
    httpProxy = '',
    httpsProxy = '',
    noProxy = '',
  } = schema.safeParse(answer).data?.status ?? {};
  const proxies = [withoutCredentials(httpProxy), withoutCredentials(httpsProxy)];
  const named = [...new Set(proxies.filter((text) => text !== ''))];
  if (named.length === 0) return 'not enabled';
  const count = noProxy.split(',').filter((entry) => entry.trim() !== '').length;
  return `enabled: ${named.join(' and ')}, ${count} exceptions`;
}

function withoutCredentials(url: string): string {
  if (url === '') return '';
  const { protocol, host } = URL.parse(url) ?? { protocol: '', host: '' };
  return host === '' ? 'a URL that is none' : `${protocol}//${host}`;
}
