// The URLs by which members reach one another, as etcd takes them from its command line.
// Source: etcd, client/pkg/types/urls.go (NewURLs), urlsmap.go (NewURLsMap).

import { lookup } from 'node:dns/promises';
import { EtcdkeepError } from '../../base/errors.ts';

/** Scheme, what stands before the path, and the rest. */
const URL_PARTS = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/i;
/** A host name or an address, an IPv6 one in brackets, and a port; etcd allows any other text as well. */
const HOST_AND_PORT = /^([\w.~-]+|\[[0-9a-f:.]+(%25[\w.~-]+)?\]):(\d+)$/i;
/** A path of a socket needs no escapes. */
const SOCKET = /^[\w.~:/-]+$/;

const WEB = ['http', 'https'];
const SOCKETS = ['unix', 'unixs'];

const RESOLVE_LIMIT_MS = 30_000;

/**
 * Parses `URL,URL`.
 * @param flag that they come from, for errors
 * @returns them sorted, as etcd keeps them
 * @throws EtcdkeepError `initial-cluster-invalid`
 */
export function parsePeerUrls(text: string, flag: string): readonly string[] {
  return text
    .split(',')
    .map((url) => parsePeerUrl(url.trim(), flag))
    .sort();
}

/**
 * Parses `NAME=URL,NAME=URL`; a name that is there twice has two URLs.
 * @returns the URLs of each member, sorted
 * @throws EtcdkeepError `initial-cluster-invalid`
 */
export function parseInitialCluster(text: string, flag: string): Map<string, readonly string[]> {
  const members = new Map<string, readonly string[]>();
  const owners = new Map<string, string>();
  for (const part of text.split(',').filter((one) => one !== '')) {
    const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(part)!;
    const url = parsePeerUrl(value.trim(), flag);
    if (owners.has(url)) throw invalid(`${flag} has ${url} twice`);
    owners.set(url, name);
    members.set(name, [...(members.get(name) ?? []), url].sort());
  }
  if (members.size === 0) throw invalid(`${flag} names no member`);
  return members;
}

/**
 * Demands that a member's URLs are those that it has in the initial cluster: the same texts, or the same addresses.
 * @throws EtcdkeepError `initial-cluster-invalid`
 */
export async function demandOwnUrls(
  advertised: readonly string[],
  name: string,
  inCluster: readonly string[],
): Promise<void> {
  if (advertised.join() === inCluster.join()) return;
  const [left, right] = await Promise.all([resolved(advertised), resolved(inCluster)]);
  if (left.join() === right.join()) return;
  throw invalid(
    `member ${name} is to advertise ${advertised.join(',')}, and has ${inCluster.join(',')} in the initial cluster`,
  );
}

export function invalid(message: string): EtcdkeepError {
  return new EtcdkeepError('initial-cluster-invalid', message);
}

function parsePeerUrl(text: string, flag: string): string {
  const [, scheme = '', host = '', rest = ''] = URL_PARTS.exec(text) ?? [];
  const lower = scheme.toLowerCase();
  if (SOCKETS.includes(lower) && SOCKET.test(host + rest)) return `${lower}://${host}${rest}`;
  if (!WEB.includes(lower)) {
    throw invalid(`${flag} has ${quote(text)}, which is no URL with http, https, unix or unixs`);
  }
  const [, , , port] = HOST_AND_PORT.exec(host) ?? [];
  if (port === undefined || Number(port) > 65_535) {
    throw invalid(`${flag} has ${quote(text)}, which does not name a host and a port`);
  }
  if (rest !== '') throw invalid(`${flag} has ${quote(text)}, which must end with its port`);
  return `${lower}://${host}`;
}

/** The URLs with the addresses of their hosts (client/pkg/netutil/netutil.go, resolveURL). */
async function resolved(urls: readonly string[]): Promise<readonly string[]> {
  const addresses = urls.map(async (url) => {
    const [, scheme, host, port] = /^(\w+):\/\/(.+):(\d+)$/.exec(url) ?? [];
    if (scheme === undefined || !WEB.includes(scheme)) return url;
    return `${scheme}://${await addressOf(host!)}:${port!}`;
  });
  return (await Promise.all(addresses)).sort();
}

async function addressOf(host: string): Promise<string> {
  if (host.startsWith('[')) return host;
  const limit = new Promise<undefined>((resolve) =>
    setTimeout(() => resolve(undefined), RESOLVE_LIMIT_MS).unref(),
  );
  const found = await Promise.race([lookup(host).catch(() => undefined), limit]);
  if (found === undefined) return host;
  return found.family === 6 ? `[${found.address}]` : found.address;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
