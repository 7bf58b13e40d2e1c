// Reads from an API server.

import { Agent, type RequestOptions, request } from 'node:https';
import { EtcdkeepError, messageOf, systemCodeOf } from '../base/errors.ts';
import type { ApiAccess } from './kubeconfig.ts';

export interface ApiOptions {
  /** URL of the proxy to go through, which may hold its password; undefined to go straight. */
  readonly proxy: string | undefined;
  /** For the whole of one request. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** An object of the API is below etcd's own limit of 1.5 MiB. */
const MAX_ANSWER_BYTES = 4 << 20;

export class ApiClient {
  readonly #access: ApiAccess;
  readonly #options: ApiOptions;
  readonly #agent: Agent;

  /** @throws EtcdkeepError `proxy-invalid` */
  constructor(access: ApiAccess, options: ApiOptions) {
    this.#access = access;
    this.#options = options;
    this.#agent = agentFor(options.proxy);
  }

  /**
   * Gets one object.
   * @param path `/apis/config.openshift.io/v1/clusteroperators/etcd`
   * @returns its JSON, parsed
   * @throws EtcdkeepError `api-unreachable`, `api-refused`; the signal's reason
   */
  async get(path: string): Promise<unknown> {
    const { status, text } = await this.#request(path);
    const body = parseJson(text);
    if (status === 200 && body !== undefined) return body;
    // meta/v1 Status, which is also how errors of a proxy in between do not look.
    const { message } = (body ?? {}) as { message?: unknown };
    const words = typeof message === 'string' ? message : 'no answer of an API server';
    throw new EtcdkeepError('api-refused', `the API server answered ${status}: ${words}`, {
      endpoint: this.#access.server.origin,
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  async #request(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const { signal, timeoutMs } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      return await exchange(
        new URL(path, this.#access.server),
        this.#requestOptions(AbortSignal.any([signal, timeout])),
      );
    } catch (reason) {
      signal.throwIfAborted();
      const why = timeout.aborted ? `no answer within ${timeoutMs / 1000} s` : wordsFor(reason);
      const { origin } = this.#access.server;
      throw new EtcdkeepError('api-unreachable', `cannot ask the API server at ${origin}: ${why}`, {
        endpoint: origin,
        cause: reason,
      });
    }
  }

  #requestOptions(signal: AbortSignal): RequestOptions {
    const { ca, cert, key, token, serverName } = this.#access;
    return {
      agent: this.#agent,
      signal,
      headers: {
        accept: 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(serverName === undefined ? {} : { servername: serverName }),
    };
  }
}

/** Node's own errors quote the URL, password and all. */
function agentFor(proxy: string | undefined): Agent {
  if (proxy === undefined) return new Agent();
  try {
    return new Agent({ proxyEnv: { HTTPS_PROXY: proxy } });
  } catch {
    throw new EtcdkeepError('proxy-invalid', 'cannot use the proxy: its URL cannot be understood');
  }
}

function exchange(url: URL, options: RequestOptions) {
  return new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
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
        });
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
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
