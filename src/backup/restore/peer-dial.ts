// Whether anything lives at an address of another member. Nothing is asked of it: that it says anything is enough.

import { connect, type Socket } from 'node:net';
import tls from 'node:tls';
import { systemCodeOf } from '../../base/errors.ts';
import { type Endpoint, parseEndpoint } from '../../etcd/client/endpoint.ts';

/** `silent`: it is not known who or what is there, or whether anything is. */
export interface DialAnswer {
  readonly state: 'alive' | 'refused' | 'silent';
  /** What was observed, as a phrase: `answers`, `refuses`, `no answer within 3 s`. */
  readonly seen: string;
}

/** What etcd answers to anybody over plain HTTP, at its client and its peer port. */
const PLAIN_REQUEST = 'GET /version HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\n\r\n';

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name does not resolve',
  EAI_AGAIN: 'its name does not resolve now',
  EHOSTUNREACH: 'the network has no way to it',
  ENETUNREACH: 'the network has no way to it',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was reset',
};

/**
 * Dials an address. A process that is stopped (SIGSTOP) still has its connections accepted, by the kernel: only a byte that
 * comes back tells that it lives. A TLS alert, which is what a stranger gets, is one.
 * @param url client or peer URL of a member
 * @param timeoutMs for all of it
 */
export async function dialPeer(
  url: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<DialAnswer> {
  const endpoint = endpointOf(url);
  if (endpoint === undefined) return { state: 'silent', seen: 'its URL cannot be dialled' };
  signal.throwIfAborted();
  const timeout = AbortSignal.timeout(timeoutMs);
  const socket = openSocket(endpoint);
  try {
    await hearAnything(socket, endpoint.secure, AbortSignal.any([signal, timeout]));
    return { state: 'alive', seen: 'answers' };
  } catch (reason) {
    signal.throwIfAborted();
    const code = systemCodeOf(reason) ?? '';
    if (code === 'ECONNREFUSED') return { state: 'refused', seen: 'refuses' };
    // What the TLS library does not like, it was sent.
    if (/^(ERR_SSL|EPROTO)/.test(code)) return { state: 'alive', seen: 'answers' };
    if (!timeout.aborted)
      return { state: 'silent', seen: REASONS[code] ?? 'closes the connection' };
    const what = socket.connecting ? 'no answer' : 'accepts the connection and says nothing';
    return { state: 'silent', seen: `${what} within ${timeoutMs / 1000} s` };
  } finally {
    socket.destroy();
  }
}

function openSocket({ address, secure }: Endpoint): Socket {
  const target = 'host' in address ? address : { path: address.socketPath };
  // Whose certificate it is does not matter: that there is one does.
  return secure ? tls.connect({ ...target, rejectUnauthorized: false }) : connect(target);
}

function hearAnything(socket: Socket, secure: boolean, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('it was closed')));
    if (secure) {
      socket.once('secureConnect', resolve);
      return;
    }
    socket.once('data', () => resolve());
    socket.once('connect', () => socket.write(PLAIN_REQUEST));
  });
}

function endpointOf(url: string): Endpoint | undefined {
  try {
    return parseEndpoint(url, true);
  } catch {
    return undefined;
  }
}
