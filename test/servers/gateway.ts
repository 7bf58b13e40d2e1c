// A small client of etcd's JSON gateway (/v3/...), for loading data and for reading it back. It shares
// no code with the product's gRPC client, on purpose: what both of them say can be compared.
// Paths and field names: the google.api.http annotations of etcd's api/etcdserverpb/rpc.proto.
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { createInterface } from 'node:readline';

/** Files for TLS; without `cert` and `key` no client certificate is shown. */
export interface GatewayTls {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
}

/** What a watch is told first. */
export interface WatchAnswer {
  readonly canceled?: boolean;
  readonly compact_revision?: string;
  readonly events?: readonly {
    readonly kv: { readonly mod_revision: string; readonly value?: string };
  }[];
}

export interface GatewayOptions {
  readonly tls?: GatewayTls;
  /** How many requests are under way at once, at most. */
  readonly concurrency?: number;
}

/** Text stands for its UTF-8. */
export type Bytes = string | Uint8Array;

export interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  readonly version: bigint;
  /** 0 if it has no lease. */
  readonly lease: bigint;
}

export interface Put {
  readonly key: Bytes;
  readonly value: Bytes;
  readonly lease?: bigint;
}

export interface Deletion {
  readonly key: Bytes;
  readonly deleted: true;
}

export type Write = Put | Deletion;

/** An answer that is not 200: the gRPC code and message, as the gateway passes them on. */
export class GatewayError extends Error {
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.name = 'GatewayError';
    this.status = status;
    this.code = code;
  }
}

/** The gateway's JSON has 64-bit integers as strings and leaves zeros out. */
type Json = Record<string, unknown>;
interface RangeAnswer {
  readonly kvs?: readonly Readonly<Record<string, string>>[];
  readonly count?: string;
}

const REQUEST_TIMEOUT_MS = 30_000;

export class Gateway {
  readonly endpoint: string;
  readonly #agent: HttpAgent | HttpsAgent;
  #token: string | undefined;

  constructor(endpoint: string, options: GatewayOptions = {}) {
    this.endpoint = endpoint;
    const { tls } = options;
    const sockets = { keepAlive: true, maxSockets: options.concurrency ?? 4 };
    this.#agent =
      tls === undefined
        ? new HttpAgent(sockets)
        : new HttpsAgent({ ...sockets, ...readTls(tls), ALPNProtocols: ['http/1.1'] });
  }

  /** Closes the connections. */
  close(): void {
    this.#agent.destroy();
  }

  /** Logs in; later calls carry the token. */
  async authenticate(name: string, password: string): Promise<void> {
    const { token } = await this.call('/v3/auth/authenticate', { name, password });
    this.#token = token as string;
  }

  /** Forgets the token; a restarted member does not know it any more. */
  logOut(): void {
    this.#token = undefined;
  }

  /** Puts one key. @returns the store's revision after it */
  async put(key: Bytes, value: Bytes, lease = 0n): Promise<bigint> {
    return revisionOf(await this.call('/v3/kv/put', putBody({ key, value, lease })));
  }

  /** Deletes one key. @returns the store's revision after it */
  async delete(key: Bytes): Promise<bigint> {
    return revisionOf(await this.call('/v3/kv/deleterange', { key: base64(key) }));
  }

  /** One key as it is now or was at a revision, or undefined. */
  async get(key: Bytes, revision = 0n): Promise<KeyValue | undefined> {
    const answer = await this.call('/v3/kv/range', { key: base64(key), revision: `${revision}` });
    return keyValues(answer)[0];
  }

  /** All keys that start with a prefix, in order; the empty prefix means all keys. */
  async list(prefix: string, revision = 0n): Promise<KeyValue[]> {
    const answer = await this.call('/v3/kv/range', { ...range(prefix), revision: `${revision}` });
    return keyValues(answer);
  }

  /** How many keys start with a prefix. */
  async count(prefix = ''): Promise<bigint> {
    const answer = await this.call('/v3/kv/range', { ...range(prefix), countOnly: true });
    return BigInt((answer as RangeAnswer).count ?? 0);
  }

  /** Several writes in one transaction, hence at one main revision. @returns that revision */
  async transaction(writes: readonly Write[]): Promise<bigint> {
    return revisionOf(await this.call('/v3/kv/txn', { success: writes.map(operation) }));
  }

  /** Compacts, and waits until the compaction is in the database. */
  async compact(revision: bigint): Promise<void> {
    await this.call('/v3/kv/compaction', { revision: `${revision}`, physical: true });
  }

  /** Grants a lease. @param id 0 lets etcd choose. @returns its id */
  async grantLease(ttlSeconds: number, id = 0n): Promise<bigint> {
    const answer = await this.call('/v3/lease/grant', { TTL: `${ttlSeconds}`, ID: `${id}` });
    return BigInt(answer.ID as string);
  }

  /**
   * Watches a key from a revision on, until there is something to tell of.
   * @returns the first answer with events, or the one that cancels
   */
  async watch(key: Bytes, revision: bigint): Promise<WatchAnswer> {
    const watch = { create_request: { key: base64(key), start_revision: `${revision}` } };
    const response = await this.#open('POST', '/v3/watch', JSON.stringify(watch));
    try {
      for await (const line of createInterface({ input: response })) {
        const { result } = JSON.parse(line) as { result: WatchAnswer & { created?: boolean } };
        if (result.created !== true) return result;
      }
    } finally {
      response.destroy();
    }
    throw new Error('the watch ended without an answer');
  }

  /** The member's status (Maintenance.Status). */
  status(): Promise<Json> {
    return this.call('/v3/maintenance/status', {});
  }

  /** The store's revision. */
  async revision(): Promise<bigint> {
    return revisionOf(await this.status());
  }

  /** What /health says; false as well if nothing answers. */
  async isHealthy(): Promise<boolean> {
    const answer = await this.#request('GET', '/health').catch(() => undefined);
    if (answer?.status !== 200) return false;
    return (JSON.parse(answer.body) as { health?: string }).health === 'true';
  }

  /** Posts to a path of the gateway. Throws GatewayError, or the socket's error. */
  async call(path: string, body: Json): Promise<Json> {
    const { status, body: text } = await this.#request('POST', path, JSON.stringify(body));
    if (status === 200) return JSON.parse(text) as Json;
    const failure = parseFailure(text);
    throw new GatewayError(status, failure.code, `${path}: ${failure.message}`);
  }

  async #request(method: string, path: string, body = '') {
    const response = await this.#open(method, path, body);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() };
  }

  /** Sends a request, and leaves the answer to be read. */
  #open(method: string, path: string, body: string): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const send = this.#agent instanceof HttpsAgent ? requestHttps : requestHttp;
    const headers: Record<string, string | number> = { 'content-length': Buffer.byteLength(body) };
    if (this.#token !== undefined) headers.authorization = this.#token;
    const request = send(new URL(path, this.endpoint), {
      agent: this.#agent,
      method,
      headers,
      timeout: REQUEST_TIMEOUT_MS,
    });
    request.on('timeout', () => request.destroy(new Error(`${path}: no answer in time`)));
    request.on('error', reject);
    request.on('response', resolve);
    request.end(body);
    return promise;
  }
}

function readTls(tls: GatewayTls) {
  return {
    ca: readFileSync(tls.ca),
    ...(tls.cert !== undefined && { cert: readFileSync(tls.cert) }),
    ...(tls.key !== undefined && { key: readFileSync(tls.key) }),
  };
}

/** The bytes as a Buffer, not copied if they are bytes already. */
export function toBuffer(bytes: Bytes): Buffer {
  if (typeof bytes === 'string') return Buffer.from(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function base64(bytes: Bytes): string {
  return toBuffer(bytes).toString('base64');
}

/** The range of a prefix; of the empty one, from the zero key to the end as etcd writes it. */
function range(prefix: string): { key: string; range_end: string } {
  if (prefix === '') return { key: base64('\0'), range_end: base64('\0') };
  const end = Buffer.from(prefix);
  // No prefix of the tests ends in 0xff, after which it would have to carry.
  end[end.length - 1]! += 1;
  return { key: base64(prefix), range_end: base64(end) };
}

function putBody({ key, value, lease = 0n }: Put): Json {
  return { key: base64(key), value: base64(value), lease: `${lease}` };
}

function operation(write: Write): Json {
  return 'deleted' in write
    ? { requestDeleteRange: { key: base64(write.key) } }
    : { requestPut: putBody(write) };
}

function keyValues(answer: RangeAnswer): KeyValue[] {
  return (answer.kvs ?? []).map((kv) => ({
    key: Buffer.from(kv.key ?? '', 'base64'),
    value: Buffer.from(kv.value ?? '', 'base64'),
    createRevision: BigInt(kv.create_revision ?? 0),
    modRevision: BigInt(kv.mod_revision ?? 0),
    version: BigInt(kv.version ?? 0),
    lease: BigInt(kv.lease ?? 0),
  }));
}

function revisionOf(answer: Json): bigint {
  return BigInt((answer.header as { revision?: string } | undefined)?.revision ?? 0);
}

/** 3.4 and 3.5 answer `{error, code}`, later ones `{message, code}`, and a refusal may be no JSON. */
function parseFailure(text: string): { code: number; message: string } {
  try {
    const failure = JSON.parse(text) as { code?: number; error?: string; message?: string };
    return { code: failure.code ?? 0, message: failure.message ?? failure.error ?? text };
  } catch {
    return { code: 0, message: text };
  }
}
