// TLS spoken to a plain port, or plain text to a TLS port: both ends only ever say "connection
// reset". What was meant is found out by asking the other way.

import net from 'node:net';
import tls from 'node:tls';
import type { ErrorCode } from '../../base/error-codes.ts';
import { EtcdkeepError } from '../../base/errors.ts';
import type { Endpoint } from './endpoint.ts';

// RFC 9113 section 3.4: the client preface, then an empty SETTINGS frame. A server answers with
// a SETTINGS frame of its own: type 4 in the fourth byte of the frame header.
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
const SETTINGS_FRAME_TYPE = 4;

/** What the wrong protocol looks like: the port closed the connection, or answered in its own. */
const CUT_SHORT: readonly ErrorCode[] = ['connection-lost', 'response-invalid', 'tls-failed'];

interface ProbeLimits {
  readonly dialTimeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Explains a failed attempt if the port speaks the other protocol.
 * @param error what the attempt looked like: only a connection that was cut short is asked about
 * @returns `plain-on-tls-port`, `tls-on-plain-port`, or undefined where that is not the reason
 */
export async function explainPortMismatch(
  endpoint: Endpoint,
  error: EtcdkeepError,
  limits: ProbeLimits,
): Promise<EtcdkeepError | undefined> {
  if (!CUT_SHORT.includes(error.code)) return undefined;
  const details = { endpoint: endpoint.url, cause: error };
  if (!endpoint.secure && (await speaksTls(endpoint, limits))) {
    return new EtcdkeepError(
      'plain-on-tls-port',
      `${endpoint.url} is a TLS port, and plain text was spoken to it`,
      details,
    );
  }
  if (endpoint.secure && (await speaksPlain(endpoint, limits))) {
    return new EtcdkeepError(
      'tls-on-plain-port',
      `${endpoint.url} is a plain-text port, and TLS was spoken to it`,
      details,
    );
  }
  return undefined;
}

function target({ address }: Endpoint): net.NetConnectOpts {
  return 'host' in address ? address : { path: address.socketPath };
}

function speaksTls(endpoint: Endpoint, limits: ProbeLimits): Promise<boolean> {
  // The certificate is of no interest here: nothing is sent over this connection.
  const socket = tls.connect({
    ...target(endpoint),
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  });
  return firstSign(socket, 'secureConnect', limits, () => true);
}

function speaksPlain(endpoint: Endpoint, limits: ProbeLimits): Promise<boolean> {
  const socket = net.connect(target(endpoint));
  socket.write(PREFACE);
  return firstSign(
    socket,
    'data',
    limits,
    (data) => data instanceof Buffer && data.length > 3 && data[3] === SETTINGS_FRAME_TYPE,
  );
}

/** Whether the event comes, and with what is wanted, before an error, the end or the time is up. */
function firstSign(
  socket: net.Socket,
  event: 'secureConnect' | 'data',
  { dialTimeoutMs, signal }: ProbeLimits,
  wanted: (data: unknown) => boolean,
): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (answer: boolean): void => {
      resolve(answer);
      socket.destroy();
      signal.removeEventListener('abort', onAbort);
    };
    const onAbort = (): void => settle(false);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.setTimeout(dialTimeoutMs, () => settle(false));
    socket.on('error', () => settle(false));
    socket.once('close', () => settle(false));
    socket.once(event, (data: unknown) => settle(wanted(data)));
  });
}
