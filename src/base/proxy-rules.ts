// Which requests go through a proxy. The rules are those of Go programs (golang.org/x/net/http/httpproxy), for which
// people write their settings: kubectl and OpenShift's own.

import { BlockList, isIP } from 'node:net';
import { EtcdkeepError } from './errors.ts';

/** Its URLs may hold a password. */
export interface ProxySettings {
  readonly http: string | undefined;
  readonly https: string | undefined;
  /** Addresses, subnets and domains that are reached without it; `*` is everything. */
  readonly exceptions: readonly string[];
}

/**
 * The settings of a process: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or their names in small letters, which come second.
 * @throws EtcdkeepError `proxy-invalid`
 */
export function proxyFromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): ProxySettings | undefined {
  const valueOf = (name: string): string => env[name] || env[name.toLowerCase()] || '';
  const urlOf = (name: string): string | undefined => {
    const value = valueOf(name);
    if (value === '') return undefined;
    // Go takes an address without a scheme for one of http.
    const url = value.includes('://') ? value : `http://${value}`;
    if (isProxyUrl(url)) return url;
    throw new EtcdkeepError('proxy-invalid', `${name} is no URL of a proxy`, {
      advice: `look at ${name} in the environment`,
    });
  };
  const [http, https] = [urlOf('HTTP_PROXY'), urlOf('HTTPS_PROXY')];
  if (http === undefined && https === undefined) return undefined;
  return { http, https, exceptions: splitExceptions(valueOf('NO_PROXY')) };
}

/** The list in NO_PROXY. */
export function splitExceptions(text = ''): string[] {
  const entries = text.split(',').map((entry) => entry.trim());
  return entries.filter((entry) => entry !== '');
}

/**
 * The proxy that a URL is reached through, or undefined (Config.ProxyFunc). Nothing on this machine is ever reached
 * through one.
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

/** Whether a text is the URL of a proxy that we can go through. */
export function isProxyUrl(text: string): boolean {
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
