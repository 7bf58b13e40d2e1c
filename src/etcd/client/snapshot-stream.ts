// Maintenance.Snapshot: the whole database of one member as a stream. Nothing that arrives is
// believed until all of it agrees: the count, the digest, and the status at the end.

import { createHash } from 'node:crypto';
import http2 from 'node:http2';
import { EtcdkeepError } from '../../base/errors.ts';
import { formatBytes } from '../../base/units.ts';
import { type CallEnding, watchEnding } from './call-ending.ts';
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

class SnapshotCall {
  readonly ended: Promise<CallEnding>;
  readonly #url: string;
  readonly #connection: Connection;
  readonly #options: SnapshotOptions;
  readonly #stream: http2.ClientHttp2Stream;
  readonly #hash = createHash('sha256');
  readonly #assembly: SnapshotAssembly;
  readonly #rate: RateLimit | undefined;
  readonly #idle: NodeJS.Timeout;
  readonly #gaveUp = Promise.withResolvers<undefined>();
  #failure: unknown;
  /** Settled when the sink and the rate limit want more; undefined while they do. */
  #pause: Promise<void> | undefined;

  constructor(connection: Connection, sink: SnapshotSink, options: SnapshotOptions) {
    const { token } = options;
    this.#connection = connection;
    this.#url = connection.endpoint.url;
    this.#options = options;
    this.#assembly = new SnapshotAssembly(sink, this.#hash, this.#url);
    this.#rate = options.rateLimit === undefined ? undefined : new RateLimit(options.rateLimit);
    this.#stream = connection.request(PATH, token === undefined ? {} : { token });
    this.#idle = setTimeout(() => this.#onSilence(), options.idleTimeoutMs);
    this.ended = this.#watch();
    this.#stream.end(EMPTY_MESSAGE);
  }

  async #watch(): Promise<CallEnding> {
    const { signal, timeoutMs } = this.#options;
    const deadline =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => this.#giveUp(this.#timedOut(timeoutMs)), timeoutMs);
    const onAbort = (): void => this.#giveUp(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#connection.divert(this.#stream, (bytes) => this.#receive(bytes));
    const ending = await watchEnding(this.#stream);
    if (ending.status === 0) await this.#drain();
    clearTimeout(this.#idle);
    clearTimeout(deadline);
    signal.removeEventListener('abort', onAbort);
    return ending;
  }

  #receive(bytes: Uint8Array): void {
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

  /** Takes nothing until this promise and those before it are settled. */
  #pauseUntil(pause: Promise<void>): void {
    this.#connection.hold();
    const all = Promise.all([this.#pause, pause])
      .then(() => {
        if (this.#pause !== all) return;
        this.#pause = undefined;
        this.#idle.refresh();
        this.#connection.release();
      })
      .catch((reason: unknown) => this.#giveUp(reason));
    this.#pause = all;
  }

  /** Waits for the sink, which may still be busy when the stream has ended well. */
  async #drain(): Promise<void> {
    while (this.#pause !== undefined && this.#failure === undefined) {
      await Promise.race([this.#pause, this.#gaveUp.promise]);
    }
  }

  #onSilence(): void {
    // While this side reads nothing, the silence is ours.
    if (this.#pause !== undefined) this.#idle.refresh();
    else this.#giveUp(this.#stalled());
  }

  #giveUp(reason: unknown): void {
    this.#failure ??= reason;
    this.#gaveUp.resolve(undefined);
    this.#connection.abandon();
    this.#stream.close(http2.constants.NGHTTP2_CANCEL);
  }

  /** Judges the end of the stream, once it is over. */
  conclude(ending: CallEnding): StreamedSnapshot {
    // What a proxy says is nothing that the parser understands.
    if (ending.foreign !== undefined) throw this.#invalid(ending.foreign);
    if (this.#failure !== undefined) throw this.#named(this.#failure);
    this.#judgeStatus(ending);
    return this.#assembly.conclude();
  }

  #named(failure: unknown): unknown {
    if (!(failure instanceof MalformedStream)) return failure;
    return this.#invalid(`the snapshot stream: ${failure.message}`, failure.offset);
  }

  #invalid(message: string, offset = 0): EtcdkeepError {
    return new EtcdkeepError('response-invalid', message, { endpoint: this.#url, offset });
  }

  #judgeStatus({ status, message, streamError }: CallEnding): void {
    if (status === 0) return;
    if (status !== undefined && this.#assembly.receivedBytes === 0) {
      throw statusError(status, message, 'take a snapshot', this.#url);
    }
    const said = status === undefined ? 'without a status' : `with "${message}"`;
    throw this.#cut(`the stream ended ${said}`, streamError);
  }

  #cut(how: string, streamError: unknown): EtcdkeepError {
    const { failure } = this.#connection;
    return new EtcdkeepError('stream-cut', `${how} after ${this.#progress()}`, {
      endpoint: this.#url,
      offset: this.#assembly.receivedBytes,
      ...(failure === undefined ? {} : { facts: [['connection', failure.message]] }),
      cause: failure ?? streamError,
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
