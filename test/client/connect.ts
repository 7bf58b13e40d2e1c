// What the tests of the client have in common: its options with short limits, sinks, and the error
// that something ends in.
import { readFileSync } from 'node:fs';
import { EtcdkeepError } from '../../src/base/errors.ts';
import { type ClientOptions, EtcdClient } from '../../src/etcd/client/client.ts';
import { parseEndpoint } from '../../src/etcd/client/endpoint.ts';
import type { SnapshotSink, StreamedSnapshot } from '../../src/etcd/client/snapshot-assembly.ts';
import type { SnapshotOptions } from '../../src/etcd/client/snapshot-stream.ts';

export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Options with limits that are short for a test and long for a busy machine. */
export function clientOptions(
  endpoint: string,
  files: TlsFiles = {},
  overrides: Partial<ClientOptions> = {},
): ClientOptions {
  const read = (path: string | undefined): Buffer | undefined =>
    path === undefined ? undefined : readFileSync(path);
  const [ca, cert, key] = [files.ca, files.cert, files.key].map(read);
  return {
    endpoint: parseEndpoint(endpoint, false),
    credentials: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
    insecureSkipVerify: false,
    dialTimeoutMs: 2000,
    keepaliveTimeMs: 10_000,
    keepaliveTimeoutMs: 6000,
    signal: new AbortController().signal,
    login: undefined,
    commandTimeoutMs: 5000,
    ...overrides,
  };
}

export function snapshotOptions(
  overrides: Partial<SnapshotOptions> = {},
): Omit<SnapshotOptions, 'token'> {
  return {
    idleTimeoutMs: 10_000,
    timeoutMs: undefined,
    rateLimit: undefined,
    signal: new AbortController().signal,
    ...overrides,
  };
}

/** Keeps what it is given; `onWrite` may ask for a pause. */
export class CollectingSink implements SnapshotSink {
  totalBytes = 0;
  receivedBytes = 0;
  readonly #pieces: Buffer[] = [];
  readonly #onWrite: (receivedBytes: number) => Promise<void> | undefined;

  constructor(onWrite: (receivedBytes: number) => Promise<void> | undefined = () => undefined) {
    this.#onWrite = onWrite;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  begin(totalBytes: number): void {
    this.totalBytes = totalBytes;
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    this.#pieces.push(Buffer.from(bytes));
    this.receivedBytes += bytes.length;
    return this.#onWrite(this.receivedBytes);
  }
}

/** Connects, takes a snapshot and closes the connection. */
export async function takeSnapshot(
  client: ClientOptions,
  sink: SnapshotSink = new CollectingSink(),
  options: Partial<SnapshotOptions> = {},
): Promise<StreamedSnapshot> {
  await using connection = await connect(client);
  return await connection.client.snapshot(sink, snapshotOptions(options));
}

/** Connects; the connection is closed with the scope. */
export async function connect(
  options: ClientOptions,
): Promise<AsyncDisposable & { readonly client: EtcdClient }> {
  const client = await EtcdClient.connect(options);
  return {
    client,
    [Symbol.asyncDispose]: () => {
      client.close();
      return Promise.resolve();
    },
  };
}

/** The error of ours that a promise is rejected with. Anything else is thrown on. */
export async function errorOf(promise: Promise<unknown>): Promise<EtcdkeepError> {
  const outcome = await promise.then(
    (value: unknown) => ({ value }),
    (reason: unknown) => ({ reason }),
  );
  if ('reason' in outcome && outcome.reason instanceof EtcdkeepError) return outcome.reason;
  if ('reason' in outcome) throw outcome.reason;
  throw new Error('it succeeded');
}
