// The cluster-wide proxy as a host knows it, and what goes through it. etcd never does.

import { BlockList, isIP } from 'node:net';
import { EtcdkeepError } from '../base/errors.ts';
import type { Host } from './host.ts';

/** The machine-config operator writes it on every node (templates/common/_base/files/etc-mco-proxy.yaml). */
export const PROXY_ENV = '/etc/mco/proxy.env';

/** As in the file. The URLs may hold a password. */
export interface ProxySettings {
  readonly http: string | undefined;
  readonly https: string | undefined;
  /** Addresses, subnets and domains that are reached without it; `*` is everything. */
  readonly exceptions: readonly string[];
}

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
  const exceptions = (values.get('NO_PROXY') ?? '').split(',').map((entry) => entry.trim());
  return { http, https, exceptions: exceptions.filter((entry) => entry !== '') };
}

/**
 * The proxy that a URL is reached through, or undefined. The rules are those of Go programs, for which the
 * list was made (golang.org/x/net/http/httpproxy, Config.ProxyFunc); nothing on this machine is ever
 * reached through one.
 */
export function proxyFor(url: URL, proxy: ProxySettings): string | undefined {
  const name = url.hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (name === 'localhost' || isWithin(name, '127.0.0.0', 8) || isWithin(name, '::1', 128)) {
    return undefined;
  }
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (proxy.exceptions.some((entry) => matches(entry.toLowerCase(), name, port))) return undefined;
  return url.protocol === 'https:' ? proxy.https : proxy.http;
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

function isProxyUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

function matches(entry: string, name: string, port: string): boolean {
  if (entry === '*') return true;
  const subnet = /^(.+)\/(\d{1,3})$/.exec(entry);
  if (subnet !== null) return isWithin(name, subnet[1]!, Number(subnet[2]));
  const [, host = entry, only] = /^\[?(.*?)\]?:(\d+)$/.exec(isIP(entry) === 0 ? entry : '') ?? [];
  if (only !== undefined && only !== port) return false;
  if (isIP(name) !== 0) return isWithin(name, host, isIP(host) === 6 ? 128 : 32);
  const domain = host.replace(/^\*(?=\.)/, '');
  if (domain.startsWith('.')) return name.endsWith(domain);
  return name === domain || name.endsWith(`.${domain}`);
}

function isWithin(address: string, network: string, bits: number): boolean {
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
  if (isIP(address) === 0 || isIP(network) === 0 || bits > (family === 'ipv6' ? 128 : 32)) {
    return false;
  }
  const list = new BlockList();
  list.addSubnet(network, bits, family);
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
