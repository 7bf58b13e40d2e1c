// Requests to an API server as cluster-admin.
import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { kubeconfigText } from '../fixtures/kubeconfig.ts';

/** PEM. */
export interface Credentials {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** An API server ends a request after a minute; one that was taken down does not. */
const REQUEST_TIMEOUT_MS = 70_000;
const SERVED_TIMEOUT_MS = 10_000;
const SERVED_INTERVAL_MS = 100;

export class ApiRequests {
  readonly url: string;
  readonly #credentials: Credentials;

  constructor(url: string, credentials: Credentials) {
    this.url = url;
    this.#credentials = credentials;
  }

  /** A kubeconfig of a cluster-admin. @param server as it is to be reached; defaults to the address */
  kubeconfig(server = this.url): string {
    return kubeconfigText({ server, ...this.#credentials });
  }

  /** Sends a request. Throws unless it is answered with 2xx. */
  async request(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.#send(method, path, body);
    if (answer.status < 300) return answer.body;
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  /**
   * Makes an object, or makes it what is given (server-side apply). Of a kind that was defined less than two
   * seconds ago, it does not wait as a POST does.
   * @param path its own, or that of its status
   */
  apply(path: string, object: object): Promise<unknown> {
    return this.request('PATCH', `${path}?fieldManager=tests&force=true`, object);
  }

  /** Whether /readyz says so; false as well if nothing answers. */
  async isReady(): Promise<boolean> {
    const answer = await this.#send('GET', '/readyz').catch(() => undefined);
    return answer?.status === 200;
  }

  /** Defines a kind, and waits until it is served, which is a moment after it is accepted. */
  async define(kind: CustomKind): Promise<void> {
    const { plural } = kind;
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    await this.apply(`${definitions}/${plural}.${kind.group}`, definition(kind));
    const deadline = performance.now() + SERVED_TIMEOUT_MS;
    while ((await this.#send('GET', `/apis/${kind.group}/v1/${plural}`)).status !== 200) {
      if (performance.now() > deadline) throw new Error(`${plural} are not served`);
      await sleep(SERVED_INTERVAL_MS);
    }
  }

  #send(method: string, path: string, body?: unknown): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const type = method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json';
    const headers = { 'content-type': type, accept: 'application/json' };
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const options = { method, headers, signal, agent: false, ...this.#credentials } as const;
    const outgoing = request(new URL(path, this.url), options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = response.headers['content-type']?.startsWith('application/json') === true;
        resolve({ status: response.statusCode ?? 0, body: isJson ? JSON.parse(text) : text });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    return promise;
  }
}

/** A kind of somebody else's, cluster-scoped, with a status of its own. */
export interface CustomKind {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames?: readonly string[];
}

function definition({ group, kind, plural, shortNames = [] }: CustomKind): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Cluster',
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), shortNames },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: {
            openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          },
        },
      ],
    },
  };
}
