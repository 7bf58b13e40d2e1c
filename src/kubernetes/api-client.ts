// Requests to an API server: how it is reached, by whom, and what its refusals mean.

import { X509Certificate } from 'node:crypto';
import { Agent, type RequestOptions, request } from 'node:https';
import { isIP } from 'node:net';
import { EtcdkeepError, messageOf, systemCodeOf } from '../base/errors.ts';
import { ApiRefusal } from './api-refusal.ts';
import { type Credentials, type PluginOptions, runCredentialPlugin } from './credential-plugin.ts';
import type { ApiAccess } from './kubeconfig.ts';

export interface ApiOptions {
  /** URL of the proxy to go through, which may hold its password; undefined to go straight. */
  readonly proxy: string | undefined;
  /** For the whole of one request. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Whether requests wait for one another on one connection; else each has its own. */
  readonly isOneConnection?: true;
  /** How the credentials plugin of a kubeconfig is run; without it such a user has none. */
  readonly plugin?: Omit<PluginOptions, 'signal'>;
}

/** How a request names its object, or changes it. */
export type ApiMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A list of objects may be long; one object is below etcd's own limit of 1.5 MiB. */
const MAX_ANSWER_BYTES = 64 << 20;

/** Credentials that end this soon are asked for anew. */
const EXPIRY_MARGIN_MS = 10_000;

/** What a connection to the API server needs, as node:https takes it. */
export interface ApiConnection {
  readonly agent: Agent;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: false;
}

interface ApiRequest {
  readonly method: ApiMethod;
  readonly path: string;
  readonly body: object | undefined;
  readonly signal: AbortSignal;
  /** Defaults to whole objects, as JSON. */
  readonly accept?: string;
  /** Defaults to that of every request. */
  readonly timeoutMs?: number;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  /** The server's clock, as it wrote it. */
  readonly date?: string | undefined;
}

/** Of each object of a list its metadata alone (kubernetes.io, "Receiving resources as Tables" and on; from 1.15 on). */
const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

export class ApiClient {
  readonly access: ApiAccess;
  readonly #options: ApiOptions;
  readonly #agent: Agent;
  #credentials: Credentials | undefined;
  #serverTime: Date | undefined;

  /** @throws EtcdkeepError `proxy-invalid` */
  constructor(access: ApiAccess, options: ApiOptions) {
    this.access = access;
    this.#options = options;
    this.#agent = agentFor(options);
  }

  /**
   * The same user at one server of several: all goes over one connection, which a load balancer gives to one of them.
   * @param server an address of its own, behind the same name; undefined for what the load balancer gives
   */
  atOne(server?: URL): ApiClient {
    const { serverName, server: named } = this.access;
    // No certificate is asked for by an address (RFC 6066, section 3): that of the server is for its own, then.
    const name = isIP(named.hostname) === 0 ? named.hostname : undefined;
    const own = server && { server, serverName: serverName ?? name };
    return new ApiClient({ ...this.access, ...own }, { ...this.#options, isOneConnection: true });
  }

  /** As users are shown it. */
  get endpoint(): string {
    return this.access.server.origin;
  }

  /** Its clock, at the last answer; undefined if it has not told. */
  get serverTime(): Date | undefined {
    return this.#serverTime;
  }

  /**
   * Gets one object.
   * @param path `/apis/config.openshift.io/v1/clusteroperators/etcd`
   * @returns its JSON, parsed
   * @throws EtcdkeepError `api-unreachable`; ApiRefusal; the signal's reason
   */
  get(path: string): Promise<unknown> {
    return this.request('GET', path);
  }

  /**
   * Gets an object, or a list, with nothing but metadata in it.
   * @throws as `get`
   */
  getMetadata(path: string, kind: 'object' | 'list'): Promise<unknown> {
    const accept = kind === 'list' ? METADATA_LIST : METADATA;
    const { signal } = this.#options;
    return this.#request({ method: 'GET', path, body: undefined, signal, accept });
  }

  /**
   * Gets text, whether it is an answer of success or not: of `/readyz?verbose`.
   * @param timeoutMs if not that of every request
   * @throws EtcdkeepError `api-unreachable`, `api-unauthorized`, `api-forbidden`, `credential-plugin-failed`; the signal's reason
   */
  async getText(
    path: string,
    timeoutMs = this.#options.timeoutMs,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const { signal } = this.#options;
    const wanted = { method: 'GET', path, body: undefined, accept: '*/*' } as const;
    const request = { ...wanted, signal, timeoutMs };
    const { status, text } = await this.#sendAsKnown(request);
    if (status !== 401 && status !== 403) return { status, text };
    throw ApiRefusal.of(status, parseJson(text), this.endpoint);
  }

  /**
   * Sends one request. With credentials of a plugin that are refused it is sent once more, with new ones.
   * @returns the JSON of the answer, parsed
   * @throws EtcdkeepError `api-unreachable`, `credential-plugin-failed`; ApiRefusal; the signal's reason
   */
  request(method: ApiMethod, path: string, body?: object): Promise<unknown> {
    return this.#request({ method, path, body, signal: this.#options.signal });
  }

  /**
   * The same, also when all else was told to stop: for what cleans up.
   * @throws EtcdkeepError `api-unreachable`, `credential-plugin-failed`; ApiRefusal
   */
  requestAnyway(method: ApiMethod, path: string, body?: object): Promise<unknown> {
    return this.#request({ method, path, body, signal: new AbortController().signal });
  }

  async #request(request: ApiRequest): Promise<unknown> {
    const { status, text } = await this.#sendAsKnown(request);
    const parsed = parseJson(text);
    if (status >= 200 && status < 300 && parsed !== undefined) return parsed;
    throw await this.#refusal(status, parsed);
  }

  /** Of credentials that are not accepted, what can be seen from here of why. */
  async #refusal(status: number, body: unknown): Promise<ApiRefusal> {
    const { cert } = status === 401 ? await this.#currentCredentials() : { cert: undefined };
    return ApiRefusal.of(status, body, this.endpoint, cert && expiryWords(cert));
  }

  /**
   * What a connection of one's own to it needs.
   * @throws EtcdkeepError `credential-plugin-failed`; the signal's reason
   */
  async connection(): Promise<ApiConnection> {
    const { ca, serverName, isInsecure, basic, impersonate } = this.access;
    const { cert, key, token } = await this.#currentCredentials();
    return {
      agent: this.#agent,
      headers: {
        ...authorization(token, basic),
        ...(impersonate === undefined ? {} : { 'impersonate-user': impersonate.user }),
        ...(impersonate?.uid === undefined ? {} : { 'impersonate-uid': impersonate.uid }),
        ...(impersonate === undefined || impersonate.groups.length === 0
          ? {}
          : { 'impersonate-group': [...impersonate.groups] }),
      },
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...(isInsecure ? { rejectUnauthorized: false } : {}),
    };
  }

  /** Where it is asked for; the server may lie below a path of a proxy in front of it. */
  urlOf(path: string): URL {
    const { server } = this.access;
    return new URL(server.pathname.replace(/\/$/, '') + path, server);
  }

  close(): void {
    this.#agent.destroy();
  }

  /** The error of a connection that failed, or broke. */
  unreachable(reason: unknown, why = wordsFor(reason)): EtcdkeepError {
    const { endpoint } = this;
    return new EtcdkeepError(
      'api-unreachable',
      `cannot ask the API server at ${endpoint}: ${why}`,
      { endpoint, cause: reason },
    );
  }

  /** Once more with new credentials where a plugin gives them. */
  async #sendAsKnown(request: ApiRequest): Promise<Answer> {
    let answer = await this.#send(request);
    if (answer.status === 401 && this.access.plugin !== undefined) {
      this.#credentials = undefined;
      answer = await this.#send(request);
    }
    const time = new Date(answer.date ?? '');
    if (!Number.isNaN(time.getTime())) this.#serverTime = time;
    return answer;
  }

  async #send(request: ApiRequest): Promise<Answer> {
    const { method, path, body, signal, accept = 'application/json' } = request;
    const { timeoutMs = this.#options.timeoutMs } = request;
    const connection = await this.connection();
    const timeout = AbortSignal.timeout(timeoutMs);
    const headers = {
      ...connection.headers,
      accept,
      ...contentType(method, body),
    };
    try {
      const options = {
        ...connection,
        method,
        headers,
        signal: AbortSignal.any([signal, timeout]),
      };
      return await exchange(this.urlOf(path), options, body);
    } catch (reason) {
      signal.throwIfAborted();
      if (timeout.aborted) throw this.unreachable(reason, `no answer within ${timeoutMs / 1000} s`);
      throw this.unreachable(reason);
    }
  }

  async #currentCredentials(): Promise<Omit<Credentials, 'expires'>> {
    const { access } = this;
    const { plugin: options, signal } = this.#options;
    if (access.plugin === undefined || options === undefined) return access;
    const { expires } = this.#credentials ?? {};
    const isEnding = expires !== undefined && expires.getTime() < Date.now() + EXPIRY_MARGIN_MS;
    if (this.#credentials === undefined || isEnding) {
      this.#credentials = await runCredentialPlugin(access, access.plugin, { ...options, signal });
    }
    return { ...access, ...this.#credentials };
  }
}

function authorization(
  token: string | undefined,
  basic: ApiAccess['basic'],
): Record<string, string> {
  if (token !== undefined) return { authorization: `Bearer ${token}` };
  if (basic === undefined) return {};
  const pair = Buffer.from(`${basic.username}:${basic.password}`).toString('base64');
  return { authorization: `Basic ${pair}` };
}

/** @param cert PEM @returns undefined if it has not expired, or cannot be read */
function expiryWords(cert: string): string | undefined {
  try {
    const { validToDate } = new X509Certificate(cert);
    if (validToDate.getTime() > Date.now()) return undefined;
    return `the client certificate has expired, on ${validToDate.toISOString()}`;
  } catch {
    return undefined;
  }
}

function contentType(method: ApiMethod, body: object | undefined): Record<string, string> {
  if (body === undefined) return {};
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  return { 'content-type': type };
}

/** Node's own errors quote the URL, password and all. */
function agentFor({ proxy, isOneConnection }: ApiOptions): Agent {
  const connections = isOneConnection === true ? { keepAlive: true, maxSockets: 1 } : {};
  if (proxy === undefined) return new Agent(connections);
  try {
    return new Agent({ ...connections, proxyEnv: { HTTPS_PROXY: proxy } });
  } catch {
    throw new EtcdkeepError('proxy-invalid', 'cannot use the proxy: its URL cannot be understood');
  }
}

function exchange(url: URL, options: RequestOptions, body: object | undefined) {
  return new Promise<Answer>((resolve, reject) => {
    const outgoing = request(url, options, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES) response.destroy(new Error('the answer is too long'));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(chunks).toString('utf8'),
          date: response.headers.date,
        });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function wordsFor(reason: unknown): string {
  return systemCodeOf(reason) === 'ECONNREFUSED' ? 'connection refused' : messageOf(reason);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
