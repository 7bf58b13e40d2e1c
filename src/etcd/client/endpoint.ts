// One endpoint of one member: what etcdctl accepts in --endpoints.

import { EtcdkeepError } from '../../base/errors.ts';

export interface Endpoint {
  /** As it is shown and recorded: `https://10.0.1.2:2379`, `unixs:///run/etcd.sock`. */
  readonly url: string;
  readonly secure: boolean;
  /** Where to dial: a host and a port, or the path of a socket. */
  readonly address:
    | { readonly host: string; readonly port: number }
    | { readonly socketPath: string };
}

// A scheme is optional; an IPv6 address stands in brackets, and may name a zone.
const HOST_AND_PORT =
  /^(?:(https?):\/\/)?(\[[0-9a-f:.]+(?:%[\w.-]+)?\]|[^\s:/[\]@?#%\\]+):(\d{1,5})\/?$/i;
const SOCKET = /^(unixs?):(?:\/\/(?=\/))?(\/[^\s/]\S*)$/;

/**
 * Parses one endpoint as etcdctl does: without a scheme it is dialled with TLS when the caller has
 * anything to say about TLS; `https` forces TLS, `http` does without (etcd client/v3, `interpret`).
 * @param secureByDefault whether an endpoint without a scheme uses TLS
 * @throws EtcdkeepError `endpoint-invalid`
 */
export function parseEndpoint(text: string, secureByDefault: boolean): Endpoint {
  const socket = SOCKET.exec(text);
  if (socket !== null) {
    return { url: text, secure: socket[1] === 'unixs', address: { socketPath: socket[2]! } };
  }
  const match = HOST_AND_PORT.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw new EtcdkeepError(
      'endpoint-invalid',
      `"${text}" is not an endpoint of etcd${missingPart(text)}`,
    );
  }
  const secure = match[1] === undefined ? secureByDefault : match[1].toLowerCase() === 'https';
  const host = match[2]!.replace(/^\[|\]$/g, '');
  return {
    url: `${secure ? 'https' : 'http'}://${match[2]!}:${port}`,
    secure,
    address: { host, port },
  };
}

function missingPart(text: string): string {
  if (/^unixs?:/.test(text)) return ': it names no absolute path';
  return /:\d+\/?$/.test(text) ? '' : ': it names no port';
}

/**
 * Parses the comma-separated list of --endpoints where a single member is wanted.
 * @throws EtcdkeepError `endpoint-not-single`, `endpoint-invalid`
 */
export function parseSingleEndpoint(list: string, secureByDefault: boolean): Endpoint {
  const texts = list
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '');
  if (texts.length > 1) {
    throw new EtcdkeepError(
      'endpoint-not-single',
      `a snapshot is taken from one member, and ${texts.length} endpoints were named`,
      { facts: [['endpoints', texts.join(' ')]] },
    );
  }
  return parseEndpoint(texts[0] ?? '', secureByDefault);
}
