// A command that runs in a container, with its streams, over a WebSocket: the subprotocols v5 and v4.channel.k8s.io
// (k8s.io/client-go, tools/remotecommand/websocket.go; k8s.io/apimachinery, pkg/util/remotecommand/constants.go). Each
// message begins with the number of its channel. Nothing is buffered without bound: a reader that waits stops the socket.

import type { IncomingMessage } from 'node:http';
import { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { WebSocket } from 'ws';
import { z } from 'zod';
import { EtcdkeepError, messageOf } from '../base/errors.ts';
import type { ApiClient } from './api-client.ts';
import { ApiRefusal } from './api-refusal.ts';

export interface ExecRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  /** Whether the command is given a stdin; else it finds it at its end. */
  readonly hasStdin: boolean;
  readonly signal: AbortSignal;
}

export interface RunningExec {
  /** Undefined unless it was asked for. Ended, the command reads the end; servers before 1.30 cannot tell it so. */
  readonly stdin: Writable | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /**
   * The exit code, once all that was printed was read.
   * Rejects with EtcdkeepError `exec-broken` if the connection ends before the command, `exec-failed` if it could not be run,
   * and with the signal's reason.
   */
  readonly exit: Promise<number>;
}

const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

/** Channels by number. */
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
/** One message at the end: a Status. */
const ERROR = 3;
/** v5: closes the channel whose number follows. */
const CLOSE = 255;

/** To connect, and to be answered. */
const HANDSHAKE_TIMEOUT_MS = 30_000;

/** How often the other end is asked whether it is still there, and how long it may take to say so. */
const PING_INTERVAL_MS = 5000;
const SILENCE_MAX_MS = 30_000;

/** Servers send at most 32 kB at a time. */
const MAX_MESSAGE_BYTES = 1 << 20;

/** What is kept of each output for its reader: several messages, so that the socket is not stopped at each. */
const OUTPUT_BYTES = 256 << 10;

/** What is written in one message; more is split. */
const STDIN_CHUNK_BYTES = 32 << 10;

// meta/v1 Status, as kubelet fills it in for a command (k8s.io/apimachinery, pkg/util/remotecommand; causes: ExitCode).
const statusSchema = z.object({
  status: z.enum(['Success', 'Failure']),
  reason: z.string().default(''),
  message: z.string().default(''),
  details: z
    .object({
      causes: z
        .array(z.object({ reason: z.string().default(''), message: z.string().default('') }))
        .default([]),
    })
    .default({ causes: [] }),
});

/**
 * Starts a command.
 * @throws EtcdkeepError `api-unreachable`; ApiRefusal; the signal's reason
 */
export async function execInPod(api: ApiClient, request: ExecRequest): Promise<RunningExec> {
  const socket = await connect(api, request);
  return new ExecStreams(socket, request).running;
}

async function connect(api: ApiClient, request: ExecRequest): Promise<WebSocket> {
  // Loaded here, so that no other command waits for it.
  const { WebSocket: Socket } = await import('ws');
  const { signal } = request;
  const url = api.urlOf(pathOf(request));
  url.protocol = 'wss:';
  const socket = new Socket(url, PROTOCOLS, {
    ...(await api.connection()),
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    maxPayload: MAX_MESSAGE_BYTES,
    // What is sent is compressed already, or small.
    perMessageDeflate: false,
  });
  return await new Promise<WebSocket>((resolve, reject) => {
    const abort = (): void => {
      socket.terminate();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', abort, { once: true });
    socket.once('error', (reason) => reject(api.unreachable(reason)));
    socket.once('unexpected-response', (_, response) => {
      // It is ended only then: its end is an error of its own.
      void refusalOf(response, api.endpoint).then((refusal) => {
        reject(refusal);
        socket.terminate();
      });
    });
    socket.once('open', () => {
      signal.removeEventListener('abort', abort);
      // Until the streams listen nothing may be lost.
      socket.pause();
      resolve(socket);
    });
    if (signal.aborted) abort();
  });
}

function pathOf({ namespace, pod, container, command, hasStdin }: ExecRequest): string {
  const query = new URLSearchParams({ container, stdout: 'true', stderr: 'true' });
  if (hasStdin) query.set('stdin', 'true');
  for (const word of command) query.append('command', word);
  return `/api/v1/namespaces/${namespace}/pods/${pod}/exec?${query.toString()}`;
}

async function refusalOf(response: IncomingMessage, endpoint: string): Promise<ApiRefusal> {
  const words = await text(response).catch(() => '');
  let body: unknown;
  try {
    body = JSON.parse(words);
  } catch {
    body = { message: words.trim().slice(0, 200) || undefined };
  }
  return ApiRefusal.of(response.statusCode ?? 0, body, endpoint);
}

/** The socket's messages, taken apart. */
class ExecStreams {
  readonly running: RunningExec;
  readonly #socket: WebSocket;
  readonly #outputs: ReadonlyMap<number, Readable>;
  /** Streams whose reader has to catch up first. */
  readonly #full = new Set<Readable>();
  readonly #exit = Promise.withResolvers<number>();
  readonly #ping: NodeJS.Timeout;
  #heardAt = performance.now();
  #isOver = false;

  constructor(socket: WebSocket, { hasStdin, signal }: ExecRequest) {
    this.#socket = socket;
    const [stdout, stderr] = [this.#output(), this.#output()];
    this.#outputs = new Map([
      [STDOUT, stdout],
      [STDERR, stderr],
    ]);
    // Whoever waits for the exit hears of it; nobody has to.
    this.#exit.promise.catch(() => undefined);
    const stdin = hasStdin ? this.#input() : undefined;
    this.running = { stdin, stdout, stderr, exit: this.#exit.promise };
    socket.on('message', (data: Buffer) => this.#take(data));
    socket.on('pong', () => (this.#heardAt = performance.now()));
    socket.on('error', (reason) => this.#fail(broken(messageOf(reason), reason)));
    socket.on('close', () =>
      this.#fail(broken('the connection was closed before the command ended')),
    );
    const abort = (): void => this.#fail(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    void this.#exit.promise
      .finally(() => signal.removeEventListener('abort', abort))
      .catch(() => undefined);
    this.#ping = setInterval(() => this.#keepAlive(), PING_INTERVAL_MS).unref();
    socket.resume();
  }

  #take(data: Buffer): void {
    this.#heardAt = performance.now();
    const [channel] = data;
    const output = this.#outputs.get(channel!);
    if (output !== undefined) {
      // What nobody reads any more is of no interest.
      if (data.length > 1 && !output.destroyed && !output.push(data.subarray(1))) {
        this.#full.add(output);
        this.#socket.pause();
      }
    } else if (channel === ERROR) this.#end(data.subarray(1).toString('utf8'));
  }

  #output(): Readable {
    const goOn = (): void => {
      if (this.#full.delete(stream) && this.#full.size === 0) this.#socket.resume();
    };
    const stream: Readable = new Readable({
      highWaterMark: OUTPUT_BYTES,
      read: goOn,
      destroy: (reason, done) => {
        goOn();
        done(reason);
      },
    });
    // A reader hears of it; nobody has to read.
    stream.on('error', () => undefined);
    return stream;
  }

  #input(): Writable {
    const socket = this.#socket;
    const stdin = new Writable({
      highWaterMark: STDIN_CHUNK_BYTES,
      write: (chunk: Buffer, _, done) => {
        for (let at = 0; at < chunk.length; at += STDIN_CHUNK_BYTES) {
          const part = chunk.subarray(at, at + STDIN_CHUNK_BYTES);
          const isLast = at + STDIN_CHUNK_BYTES >= chunk.length;
          socket.send(Buffer.concat([Buffer.of(STDIN), part]), (error) => {
            // It was taken; an answer has to wait until it is through.
            this.#heardAt = performance.now();
            if (isLast) done(error);
          });
        }
      },
      final: (done) => {
        if (socket.protocol === PROTOCOLS[0]) socket.send(Buffer.of(CLOSE, STDIN), done);
        else done();
      },
    });
    stdin.on('error', () => undefined);
    return stdin;
  }

  #end(status: string): void {
    try {
      this.#exit.resolve(exitCodeOf(status));
      for (const stream of this.#outputs.values()) stream.push(null);
    } catch (reason) {
      this.#fail(reason as Error);
    }
    this.#finish();
  }

  #fail(reason: Error): void {
    // What comes after its end is no news, and its output may not have been read yet.
    if (this.#isOver) return;
    this.#exit.reject(reason);
    for (const stream of this.#outputs.values()) {
      if (!stream.readableEnded) stream.destroy(reason);
    }
    this.#finish();
  }

  #finish(): void {
    this.#isOver = true;
    clearInterval(this.#ping);
    this.running.stdin?.destroy();
    this.#socket.removeAllListeners('close');
    this.#socket.close();
    // Where the other end is gone nobody answers the closing.
    setTimeout(() => this.#socket.terminate(), 1000).unref();
  }

  /**
   * A connection that was cut off says nothing. While the reader is waited for, nothing can be heard; and while something is
   * coming nobody is asked: the API server gives its answer one second to be sent, else it breaks the connection, and what is
   * before it on a slow network takes longer (gorilla/websocket, conn.go: writeWait, WriteControl).
   */
  #keepAlive(): void {
    const now = performance.now();
    if (this.#full.size > 0) this.#heardAt = now;
    const silentMs = now - this.#heardAt;
    if (silentMs > SILENCE_MAX_MS) {
      this.#fail(broken(`nothing was heard for ${SILENCE_MAX_MS / 1000} s`));
      this.#socket.terminate();
    } else if (silentMs > PING_INTERVAL_MS / 2) this.#socket.ping();
  }
}

function exitCodeOf(text: string): number {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  const { success, data } = statusSchema.safeParse(parsed);
  if (!success) throw broken('its end is not understood');
  if (data.status === 'Success') return 0;
  const code = data.details.causes.find(({ reason }) => reason === 'ExitCode')?.message;
  if (data.reason === 'NonZeroExitCode' && code !== undefined && /^\d+$/.test(code)) {
    return Number(code);
  }
  throw new EtcdkeepError('exec-failed', `cannot run a command in the pod: ${data.message}`);
}

function broken(why: string, cause?: unknown): EtcdkeepError {
  return new EtcdkeepError('exec-broken', `the connection to the pod broke: ${why}`, { cause });
}
