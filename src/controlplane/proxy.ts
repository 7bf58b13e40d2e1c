// The cluster-wide proxy as a host knows it. etcd is never reached through one.

import { EtcdkeepError } from '../base/errors.ts';
import { isProxyUrl, type ProxySettings, splitExceptions } from '../base/proxy-rules.ts';
import type { Host } from './host.ts';

/** The machine-config operator writes it on every node (templates/common/_base/files/etc-mco-proxy.yaml). */
export const PROXY_ENV = '/etc/mco/proxy.env';

/**
 * Reads the host's proxy file.
 * @returns undefined if the host has none, or it names no proxy
 * @throws EtcdkeepError `proxy-invalid`, `file-failed`
 */
export async function readProxy(host: Host): Promise<ProxySettings | undefined> {
  if (!(await host.isFile(PROXY_ENV))) return undefined;
  const values = parseEnvironmentFile(await host.readText(PROXY_ENV));
  const urlOf = (name: string): string | undefined => {
    const value = values.get(name) ?? '';
    if (value === '' || isProxyUrl(value)) return value || undefined;
    throw new EtcdkeepError('proxy-invalid', `${name} is no URL of a proxy`, {
      path: host.realPath(PROXY_ENV),
    });
  };
  const [http, https] = [urlOf('HTTP_PROXY'), urlOf('HTTPS_PROXY')];
  if (http === undefined && https === undefined) return undefined;
  return { http, https, exceptions: splitExceptions(values.get('NO_PROXY')) };
}

/**
 * The proxy as it is shown: without its credentials.
 * @returns undefined if the host has none; why it cannot be used, if so
 * @throws EtcdkeepError `file-failed`
 */
export async function describeProxy(host: Host): Promise<string | undefined> {
  try {
    const proxy = await readProxy(host);
    const url = proxy?.https ?? proxy?.http;
    if (url === undefined) return undefined;
    const { protocol, host: address } = new URL(url);
    return `${protocol}//${address}, from ${PROXY_ENV}`;
  } catch (reason) {
    if (reason instanceof EtcdkeepError && reason.code === 'proxy-invalid') {
      return `${PROXY_ENV} is not used: ${reason.message}`;
    }
    throw reason;
  }
}

/** `KEY=value` lines as systemd reads them (systemd.exec(5), EnvironmentFile=): nothing is expanded. */
function parseEnvironmentFile(text: string): ReadonlyMap<string, string> {
  const assignments = text.matchAll(/^[ \t]*([A-Za-z_][A-Za-z0-9_]*)=(.*)$/gm);
  return new Map(
    [...assignments].map(([, name, value]) => [
      name!,
      value!.trim().replace(/^(["'])(.*)\1$/, '$2'),
    ]),
  );
}
