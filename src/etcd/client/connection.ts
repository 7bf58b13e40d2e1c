// One HTTP/2 connection to one member. It is dialled in steps that are known apart (TCP, TLS,
// HTTP/2 settings), so that whatever is wrong is named at once, where etcdctl retries for ever.

import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import type { EtcdkeepError } from '../../base/errors.ts';
import { connectionError, type DialStage, silenceError } from './connection-error.ts';
import type { Credentials } from './credentials.ts';
import type { Endpoint } from './endpoint.ts';
import { FrameSplitter, type ReadInto, type StreamReader } from './frame-splitter.ts';
import { explainPortMismatch } from './port-mismatch.ts';

export interface DialOptions {
  readonly endpoint: Endpoint;
  /** Used on a TLS endpoint only; without a CA the system's roots are trusted. */
  readonly credentials: Credentials;
  /** Do not verify the member's certificate at all. */
  readonly insecureSkipVerify: boolean;
  /** Time for TCP, TLS and HTTP/2 settings together, in milliseconds. */
  readonly dialTimeoutMs: number;
  /** Time between pings and time to wait for each answer, in milliseconds. */
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly signal: AbortSignal;
}

// The default window of 64 KiB caps a stream at 6.5 MB/s over 10 ms; a member sends 32 KiB messages.
// More than 1 MiB gained nothing, and lets that much pile up here while the disk is busy.
const WINDOW_BYTES = 1 << 20;

// etcd closes a connection that pings more often than every 5 s (embed/config.go,
// DefaultGRPCKeepAliveMinTime); gRPC clients in Go never ping more often than this.
const MIN_KEEPALIVE_TIME_MS = 10_000;

/** An open connection. */
export class Connection {
  readonly endpoint: Endpoint;
  /** Why the connection broke, once it has. */
  failure: EtcdkeepError | undefined;
  readonly #session: http2.ClientHttp2Session;
  readonly #splitter: FrameSplitter;
  readonly #keepalive: NodeJS.Timeout;
  #streams = 0;

  constructor(session: http2.ClientHttp2Session, splitter: FrameSplitter, options: DialOptions) {
    this.endpoint = options.endpoint;
    this.#session = session;
    this.#splitter = splitter;
    session.setLocalWindowSize(WINDOW_BYTES);
    const interval = Math.max(options.keepaliveTimeMs, MIN_KEEPALIVE_TIME_MS);
    this.#keepalive = setInterval(() => this.#ping(options.keepaliveTimeoutMs), interval);
    this.#keepalive.unref();
    splitter.on('error', (reason) => this.#fail(reason));
    session.on('error', (reason) => this.#fail(reason));
    session.on('close', () => clearInterval(this.#keepalive));
  }

  /**
   * Opens a stream for one gRPC call.
   * @param headers metadata of the call; what every call has is added here
   * @throws EtcdkeepError `connection-lost` if the connection is no more, or takes no more requests
   */
  request(path: string, headers: http2.OutgoingHttpHeaders): http2.ClientHttp2Stream {
    if (this.#session.closed || this.#session.destroyed) {
      const reason = new Error('the member has closed it');
      throw this.failure ?? connectionError(reason, 'open', this.endpoint.url);
    }
    const stream = this.#session.request({
      ...headers,
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      'user-agent': 'etcdkeep',
      te: 'trailers',
    });
    this.#streams += 1;
    stream.once('close', () => (this.#streams -= 1));
    return stream;
  }

  /**
   * Gives the bytes of a stream to a reader as they come, around Node's streams. One stream at a
   * time, and before its answer can have come.
   */
  divert(stream: http2.ClientHttp2Stream, reader: StreamReader): void {
    this.#splitter.divert(stream.id!, reader);
    // What is left of it for Node is its end.
    stream.resume();
  }

  /** Drops what still comes for the diverted stream. */
  abandon(): void {
    this.#splitter.abandon();
  }

  /** Gives the reader nothing until it is told to. */
  hold(): void {
    this.#splitter.hold();
  }

  /** Gives the reader what came meanwhile, and goes on; it may hold again. */
  release(): void {
    this.#splitter.release();
  }

  close(): void {
    this.#session.destroy();
  }

  #ping(timeoutMs: number): void {
    // A member takes pings on a connection without a stream for an attack, and closes it after a few
    // (grpc-go, EnforcementPolicy.PermitWithoutStream, which etcd leaves off).
    if (this.#session.destroyed || this.#streams === 0) return;
    const timer = setTimeout(() => {
      this.failure ??= silenceError('open', timeoutMs, this.endpoint.url);
      this.#session.destroy(this.failure);
    }, timeoutMs);
    this.#session.ping(() => clearTimeout(timer));
  }

  #fail(reason: unknown): void {
    this.failure ??= connectionError(reason, 'open', this.endpoint.url);
  }
}

/**
 * Dials one member and waits until it has proven that it speaks HTTP/2.
 * @throws EtcdkeepError any of the codes under "Reaching a member"
 */
export async function dial(options: DialOptions): Promise<Connection> {
  const { endpoint, signal } = options;
  signal.throwIfAborted();
  const attempt = new Attempt(options);
  try {
    return await attempt.settled;
  } catch (reason) {
    attempt.abandon();
    signal.throwIfAborted();
    const error = connectionError(reason, attempt.stage, endpoint.url);
    const explained = await explainPortMismatch(endpoint, error, options);
    signal.throwIfAborted();
    throw explained ?? error;
  }
}

class Attempt {
  stage: DialStage = 'connect';
  readonly settled: Promise<Connection>;
  readonly #splitter: FrameSplitter;
  readonly #options: DialOptions;

  constructor(options: DialOptions) {
    this.#options = options;
    this.#splitter = new FrameSplitter(WINDOW_BYTES, (onread) => openSocket(options, onread));
    this.settled = new Promise((resolve, reject) => this.#run(resolve, reject));
  }

  abandon(): void {
    this.#splitter.destroy();
  }

  #run(resolve: (connection: Connection) => void, reject: (reason: unknown) => void): void {
    const { endpoint, dialTimeoutMs, signal } = this.#options;
    const timer = setTimeout(
      () => reject(silenceError(this.stage, dialTimeoutMs, endpoint.url)),
      dialTimeoutMs,
    );
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    const splitter = this.#splitter;
    const { socket } = splitter;
    socket.once('connect', () => (this.stage = endpoint.secure ? 'handshake' : 'settings'));
    socket.once('secureConnect', () => (this.stage = 'settings'));
    const session = http2.connect(authority(endpoint), {
      createConnection: () => splitter,
      settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
    });
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    // An alert after the TLS handshake reaches the socket only, other errors the session too.
    splitter.on('error', (reason) => finish(() => reject(reason)));
    session.on('error', (reason) => finish(() => reject(reason)));
    // Why the session closed it, if it did, is told a moment later.
    splitter.once('close', () =>
      setImmediate(() =>
        finish(() => reject(new Error('the member closed it before it said anything'))),
      ),
    );
    session.once('remoteSettings', () => {
      this.stage = 'open';
      finish(() => resolve(new Connection(session, splitter, this.#options)));
    });
  }
}

/** The URL that requests name. The zone of an address is of meaning on this machine only (RFC 6874). */
function authority({ address, url }: Endpoint): string {
  return 'host' in address ? url.replace(/%[^\]]*\]/, ']') : 'http://localhost';
}

function openSocket(
  { endpoint, credentials, insecureSkipVerify }: DialOptions,
  onread: ReadInto,
): net.Socket {
  const { address } = endpoint;
  const target = 'host' in address ? address : { path: address.socketPath };
  // Node's tls passes it on to net, though its types do not say so.
  const reading = { onread };
  if (!endpoint.secure) return net.connect({ ...target, ...reading });
  return tls.connect({
    ...target,
    ...reading,
    ...credentials,
    // An IP address must not be sent as a server name (RFC 6066 section 3).
    ...('host' in address && net.isIP(address.host) === 0 ? { servername: address.host } : {}),
    ALPNProtocols: ['h2'],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: !insecureSkipVerify,
  });
}
