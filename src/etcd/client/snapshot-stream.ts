// Maintenance.Snapshot: the whole database of one member as a stream. Nothing that arrives is
// believed until all of it agrees: the count, the digest, and the status at the end.

import { createHash } from 'node:crypto';
import http2 from 'node:http2';
import { EtcdkeepError } from '../../base/errors.ts';
import { formatBytes } from '../../base/units.ts';
import type { Connection } from './connection.ts';
import { RateLimit } from './rate-limit.ts';
import { statusError } from './rpc-error.ts';
import { SnapshotAssembly, type SnapshotSink, type StreamedSnapshot } from './snapshot-assembly.ts';
import { MalformedStream } from './snapshot-response.ts';

export interface SnapshotOptions {
  /** Sent as etcd's `token` metadata when authentication is on. */
  readonly token: string | undefined;
  /** The longest silence of the member, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** The longest time for all of it, in milliseconds; no limit if undefined, as in etcdctl. */
  readonly timeoutMs: number | undefined;
  /** Bytes a second; no limit if undefined. */
  readonly rateLimit: number | undefined;
  readonly signal: AbortSignal;
}

const PATH = '/etcdserverpb.Maintenance/Snapshot';
const EMPTY_MESSAGE = Buffer.alloc(5);

/**
 * Streams a snapshot into a sink and compares what came with what was announced.
 * @throws EtcdkeepError any of the codes under "The snapshot stream" and "What a member answers";
 *   whatever the sink throws
 */
export async function streamSnapshot(
  connection: Connection,
  sink: SnapshotSink,
  options: SnapshotOptions,
): Promise<StreamedSnapshot> {
  options.signal.throwIfAborted();
  const call = new SnapshotCall(connection, sink, options);
  const ending = await call.ended;
  return call.conclude(ending);
}

/** How the HTTP/2 stream ended. */
interface Ending {
  readonly httpStatus: number | undefined;
  readonly grpcStatus: number | undefined;
  readonly grpcMessage: string;
  /** The reason if this side gave up. */
  readonly failure: unknown;
}

class SnapshotCall {
  readonly ended: Promise<Ending>;
  readonly #url: string;
  readonly #connection: Connection;
  readonly #options: SnapshotOptions;
  readonly #stream: http2.ClientHttp2Stream;
  readonly #hash = createHash('sha256');
  readonly #assembly: SnapshotAssembly;
  readonly #rate: RateLimit | undefined;
  readonly #idle: NodeJS.Timeout;
  #failure: unknown;
  #paused = false;

  constructor(connection: Connection, sink: SnapshotSink, options: SnapshotOptions) {
    this.#connection = connection;
    this.#url = connection.endpoint.url;
    this.#options = options;
    this.#assembly = new SnapshotAssembly(sink, this.#hash, this.#url);
    this.#rate = options.rateLimit === undefined ? undefined : new RateLimit(options.rateLimit);
    this.#stream = connection.request(PATH, {
      'content-type': 'application/grpc',
      'user-agent': 'etcdkeep',
      ...(options.token === undefined ? {} : { token: options.token }),
    });
    this.#idle = setTimeout(() => this.#onSilence(), options.idleTimeoutMs);
    this.ended = this.#watch();
    this.#stream.end(EMPTY_MESSAGE);
  }

  #watch(): Promise<Ending> {
    const { signal, timeoutMs } = this.#options;
    const stream = this.#stream;
    const deadline =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => this.#giveUp(this.#timedOut(timeoutMs)), timeoutMs);
    const onAbort = (): void => this.#giveUp(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    let headers: http2.IncomingHttpHeaders = {};
    let httpStatus: number | undefined;
    stream.on('response', (received) => {
      headers = { ...headers, ...received };
      httpStatus = received[':status'];
    });
    stream.on('trailers', (received) => (headers = { ...headers, ...received }));
    stream.on('data', (bytes: Buffer) => this.#receive(bytes));
    // The close that follows says all there is to say; without a listener Node would throw.
    stream.on('error', () => undefined);
    return new Promise((resolve) => {
      stream.on('close', () => {
        clearTimeout(this.#idle);
        clearTimeout(deadline);
        signal.removeEventListener('abort', onAbort);
        const grpcStatus = headers['grpc-status'];
        resolve({
          httpStatus,
          // A plain port sends an error's status with the headers, a TLS port behind the body.
          grpcStatus: grpcStatus === undefined ? undefined : Number(grpcStatus),
          grpcMessage: decodeURIComponent(String(headers['grpc-message'] ?? '')),
          failure: this.#failure,
        });
      });
    });
  }

  #receive(bytes: Buffer): void {
    if (this.#failure !== undefined) return;
    this.#idle.refresh();
    try {
      const sinkBusy = this.#assembly.push(bytes);
      const aheadMs = this.#rate?.take(bytes.length) ?? 0;
      const pause = aheadMs > 0 ? RateLimit.sleep(aheadMs, sinkBusy) : sinkBusy;
      if (pause !== undefined) this.#pauseUntil(pause);
    } catch (reason) {
      this.#giveUp(reason);
    }
  }

  /** Reads nothing until the promise is settled. */
  #pauseUntil(pause: Promise<void>): void {
    this.#stream.pause();
    this.#paused = true;
    pause
      .then(() => {
        this.#paused = false;
        this.#idle.refresh();
        this.#stream.resume();
      })
      .catch((reason: unknown) => this.#giveUp(reason));
  }

  #onSilence(): void {
    // While this side reads nothing, the silence is ours.
    if (this.#paused) this.#idle.refresh();
    else this.#giveUp(this.#stalled());
  }

  #giveUp(reason: unknown): void {
    this.#failure ??= reason;
    this.#stream.resume();
    this.#stream.close(http2.constants.NGHTTP2_CANCEL);
  }

  /** Judges the end of the stream, once it is over. */
  conclude(ending: Ending): StreamedSnapshot {
    if (ending.failure !== undefined) throw this.#named(ending.failure);
    this.#judgeStatus(ending);
    return this.#assembly.conclude();
  }

  #named(failure: unknown): unknown {
    if (!(failure instanceof MalformedStream)) return failure;
    return new EtcdkeepError('response-invalid', `the snapshot stream: ${failure.message}`, {
      endpoint: this.#url,
      offset: failure.offset,
    });
  }

  #judgeStatus({ httpStatus, grpcStatus, grpcMessage }: Ending): void {
    const begun = this.#assembly.receivedBytes > 0;
    if (grpcStatus === 0) return;
    if (grpcStatus !== undefined && !begun) {
      throw statusError(grpcStatus, grpcMessage, 'take a snapshot', this.#url);
    }
    if (!begun && httpStatus !== undefined && httpStatus !== 200) {
      throw new EtcdkeepError('response-invalid', `the endpoint answered HTTP ${httpStatus}`, {
        endpoint: this.#url,
      });
    }
    const said = grpcStatus === undefined ? 'without a status' : `with "${grpcMessage}"`;
    throw this.#cut(`the stream ended ${said}`);
  }

  #cut(how: string): EtcdkeepError {
    return new EtcdkeepError('stream-cut', `${how} after ${this.#progress()}`, {
      endpoint: this.#url,
      offset: this.#assembly.receivedBytes,
      cause: this.#connection.failure,
    });
  }

  #stalled(): EtcdkeepError {
    const seconds = this.#options.idleTimeoutMs / 1000;
    return new EtcdkeepError(
      'stream-stalled',
      `the member sent nothing for ${seconds} s, after ${this.#progress()}`,
      { endpoint: this.#url, offset: this.#assembly.receivedBytes },
    );
  }

  #timedOut(timeoutMs: number): EtcdkeepError {
    return new EtcdkeepError(
      'request-timed-out',
      `the snapshot took longer than ${timeoutMs / 1000} s and was at ${this.#progress()}`,
      { endpoint: this.#url },
    );
  }

  #progress(): string {
    const { receivedBytes, totalBytes } = this.#assembly;
    if (totalBytes === undefined) return 'nothing';
    return `${formatBytes(receivedBytes)} of ${formatBytes(totalBytes)}`;
  }
}
