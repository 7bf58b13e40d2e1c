// A node that is reached through a debug pod: made, waited for, kept alive while its client lives, and removed.

import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { ErrorCode } from '../base/error-codes.ts';
import { EtcdkeepError } from '../base/errors.ts';
import type { ApiClient } from '../kubernetes/api-client.ts';
import { ApiRefusal, isNotFound } from '../kubernetes/api-refusal.ts';
import { execInPod } from '../kubernetes/pod-exec.ts';
import type { ControlPlaneNode } from './cluster-nodes.ts';
import {
  CONTAINER,
  type DebugPodRequest,
  debugPod,
  EXPIRES,
  lifelineCommand,
  onHost,
  POD_LABELS,
} from './debug-pod-manifest.ts';
import { endOf, hasEnded, type Pod, podSchema, waitOf } from './debug-pod-state.ts';
import type { LayoutName } from './host.ts';
import { leftBehindWords, NODE_DIRECTORIES } from './node-directory.ts';
import { isDiskFull, type NodeShell, type RunningCommand } from './node-shell.ts';

export interface DebugPodOptions {
  readonly node: ControlPlaneNode;
  readonly layout: LayoutName;
  readonly namespace: string;
  /** One that the node has, or can pull. */
  readonly image: string;
  readonly owner: string;
  readonly now: () => Date;
  /** Hears what is left when it could not be removed. */
  readonly leftBehind: (words: string) => void;
  readonly signal: AbortSignal;
}

/** The pod ends by itself after it, whatever has become of its client. */
const DEADLINE_MS = 4 * 3600_000;

/** For the node to start it. */
const START_TIMEOUT_MS = 120_000;
const POLL_MS = 500;

/** For it to be gone, once it was deleted: it has ten seconds to clean up. */
const END_TIMEOUT_MS = 20_000;

/** For it to be told to go: an API server that was restarted is back by then. */
const DELETE_TIMEOUT_MS = 30_000;

const RECONNECT_MS = 2000;

/** For its end to be known in the API, once its kubelet was seen to know of it. */
const SETTLE_MS = 5000;

/** What is seen of a pod that is there no more; and how long it may take until the API says so too. */
const OF_THE_POD: Readonly<Partial<Record<ErrorCode, number>>> = {
  'exec-broken': 0,
  'node-command-failed': 0,
  // What runs in it is told to end before it is.
  terminated: 0,
  // The kubelet's own words: of a container that is gone, or has ended under its hands.
  'api-refused': SETTLE_MS,
  'exec-failed': SETTLE_MS,
  'debug-pod-failed': SETTLE_MS,
};

export class DebugPod implements NodeShell {
  readonly way: string;
  /** On the host; everything in it is gone with the pod. */
  readonly directory: string;
  readonly #api: ApiClient;
  readonly #path: string;
  readonly #request: DebugPodRequest;
  readonly #leftBehind: DebugPodOptions['leftBehind'];
  readonly #signal: AbortSignal;
  /** Ends what is run in it. */
  readonly #closing = new AbortController();
  #lifeline: Promise<void> | undefined;

  private constructor(
    api: ApiClient,
    request: DebugPodRequest,
    { signal, leftBehind }: Pick<DebugPodOptions, 'signal' | 'leftBehind'>,
  ) {
    this.#api = api;
    this.#request = request;
    this.#leftBehind = leftBehind;
    this.#signal = AbortSignal.any([signal, this.#closing.signal]);
    this.#path = `${podsPath(request.namespace)}/${request.name}`;
    this.way = `the debug pod ${request.namespace}/${request.name}`;
    this.directory = request.directory;
  }

  /**
   * Makes one on a node, and waits until it runs.
   * @throws EtcdkeepError `debug-pod-forbidden`, `debug-pod-failed`, `api-unreachable`, `exec-failed`, `exec-broken`; ApiRefusal;
   * the signal's reason; nothing is left
   */
  static async create(api: ApiClient, options: DebugPodOptions): Promise<DebugPod> {
    const { node, namespace, now, layout, image, owner } = options;
    const name = podName(node.name);
    const request = {
      name,
      namespace,
      layout,
      image,
      owner,
      node: node.name,
      architecture: node.architecture,
      directory: `${NODE_DIRECTORIES}/${name}`,
      deadlineMs: DEADLINE_MS,
      expires: new Date(now().getTime() + DEADLINE_MS),
    };
    await api.request('POST', podsPath(namespace), debugPod(request)).catch(orForbidden(namespace));
    const pod = new DebugPod(api, request, options);
    try {
      await pod.#waitUntilRunning();
      await pod.explain(() => pod.#hold());
      return pod;
    } catch (reason) {
      await pod[Symbol.asyncDispose]();
      throw reason;
    }
  }

  run(
    command: readonly string[],
    { hasStdin }: { readonly hasStdin: boolean },
  ): Promise<RunningCommand> {
    return this.#exec(onHost(...command), hasStdin);
  }

  /**
   * Does something in it.
   * @throws EtcdkeepError `debug-pod-failed` where it has failed because the pod was deleted, or has ended; else as `work`
   */
  async explain<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (reason) {
      this.#signal.throwIfAborted();
      if (!(reason instanceof EtcdkeepError)) throw reason;
      const patienceMs = OF_THE_POD[reason.code];
      const why = patienceMs === undefined ? undefined : await this.#whyGone(patienceMs);
      if (why === undefined) throw reason;
      throw failed(`${this.way} ${why}`, reason);
    }
  }

  /** Removes it, and what it had on the host. If it cannot that is no error: it ends by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new EtcdkeepError('exec-broken', 'the debug pod is being removed'));
    await this.#lifeline;
    const isGone = (await this.#delete()) && (await this.#waitUntilGone());
    if (!isGone) this.#leftBehind(leftBehindWords(this.way));
  }

  #exec(command: readonly string[], hasStdin: boolean): Promise<RunningCommand> {
    const { namespace, name: pod } = this.#request;
    const where = { namespace, pod, container: CONTAINER, signal: this.#signal };
    return execInPod(this.#api, { ...where, command, hasStdin });
  }

  /** Connects, and connects again each time the connection is lost. */
  async #hold(): Promise<void> {
    const connect = async (): Promise<RunningCommand> => {
      const command = lifelineCommand(this.directory, randomUUID());
      const lifeline = await this.#exec(command, true);
      const ended = lifeline.exit.then((code) => {
        throw notRunning(this.#request.node, `what holds it ended with ${code}`);
      });
      // Its first word says that the pod knows of it.
      await Promise.race([once(lifeline.stdout, 'data'), ended]);
      lifeline.stderr.resume();
      return lifeline;
    };
    const first = await connect();
    const keep = async (): Promise<void> => {
      for (let lifeline: RunningCommand | undefined = first; !this.#signal.aborted; ) {
        await lifeline?.exit.catch(() => undefined);
        await sleep(RECONNECT_MS, undefined, { signal: this.#signal }).catch(() => undefined);
        lifeline = await connect().catch(() => undefined);
      }
    };
    this.#lifeline = keep();
  }

  async #waitUntilRunning(): Promise<void> {
    const { node } = this.#request;
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const pod = await this.#read();
      const { status } = pod;
      if (status.phase === 'Running') return;
      const end = endOf(pod);
      if (end !== undefined) throw notRunning(node, `it ${end}`);
      const { why, isHopeless } = waitOf(pod);
      if (isHopeless) throw notRunning(node, why);
      if (performance.now() > deadline) {
        const seconds = START_TIMEOUT_MS / 1000;
        throw notRunning(
          node,
          `it does not run after ${seconds} s: ${why || 'its kubelet says nothing'}`,
        );
      }
      await sleep(POLL_MS, undefined, { signal: this.#signal }).catch(() => undefined);
      this.#signal.throwIfAborted();
    }
  }

  /** An API server that has gone away comes back within seconds as a rule. @returns whether it was told */
  async #delete(): Promise<boolean> {
    const deadline = performance.now() + DELETE_TIMEOUT_MS;
    for (;;) {
      const isTold = await this.#api
        .requestAnyway('DELETE', this.#path)
        .then(() => true, isNotFound);
      if (isTold || performance.now() > deadline) return isTold;
      await sleep(POLL_MS);
    }
  }

  /** @returns undefined if it is as it was, or that is not known */
  async #whyGone(patienceMs: number): Promise<string | undefined> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const found = await this.#read().catch((reason: unknown) => reason);
      if (isNotFound(found)) return 'was deleted by somebody else';
      const { data } = podSchema.safeParse(found);
      if (data?.metadata.deletionTimestamp !== undefined) return 'was deleted by somebody else';
      const why = data && endOf(data);
      if (why !== undefined || performance.now() >= deadline) return why;
      await sleep(POLL_MS, undefined, { signal: this.#signal }).catch(() => undefined);
      this.#signal.throwIfAborted();
    }
  }

  /** @returns whether it was seen to be gone */
  async #waitUntilGone(): Promise<boolean> {
    const deadline = performance.now() + END_TIMEOUT_MS;
    while (performance.now() < deadline) {
      const left = await this.#api
        .requestAnyway('GET', this.#path)
        .catch((reason: unknown) => reason);
      if (isNotFound(left)) return true;
      await sleep(POLL_MS);
    }
    return false;
  }

  async #read(): Promise<Pod> {
    const { data } = podSchema.safeParse(await this.#api.get(this.#path));
    if (data !== undefined) return data;
    throw notRunning(this.#request.node, 'the API server does not say how it is');
  }
}

/**
 * Removes the pods of runs that were killed: those that have ended, or whose time is over.
 * @throws EtcdkeepError `api-unreachable`; ApiRefusal; the signal's reason
 */
export async function sweepDebugPods(api: ApiClient, namespace: string, now: Date): Promise<void> {
  const labels = Object.entries(POD_LABELS).map(([key, value]) => `${key}=${value}`);
  const query = `labelSelector=${encodeURIComponent(labels.join(','))}`;
  const { data } = z
    .object({ items: z.array(podSchema) })
    .safeParse(await api.get(`${podsPath(namespace)}?${query}`));
  for (const { metadata, status } of data?.items ?? []) {
    const expires = Date.parse(metadata.annotations[EXPIRES] ?? '');
    if (!hasEnded(status) && !(expires < now.getTime())) continue;
    await api.request('DELETE', `${podsPath(namespace)}/${metadata.name}`).catch(unlessGone);
  }
}

function podsPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/pods`;
}

/** A name has at most 63 letters, and no dots. */
function podName(node: string): string {
  const simple = node.replaceAll('.', '').toLowerCase().slice(0, 45).replace(/-+$/, '');
  return `etcdkeep-${simple}-${randomBytes(3).toString('hex')}`;
}

function notRunning(node: string, why: string): EtcdkeepError {
  return failed(`the debug pod on ${node} does not run: ${why}`);
}

function failed(words: string, cause?: EtcdkeepError): EtcdkeepError {
  const code = isDiskFull(words) ? 'disk-full' : 'debug-pod-failed';
  return new EtcdkeepError(code, words, { cause });
}

function orForbidden(namespace: string) {
  return (reason: unknown): never => {
    if (!(reason instanceof ApiRefusal) || reason.status !== 403) throw reason;
    throw new EtcdkeepError(
      'debug-pod-forbidden',
      `no privileged pod may be made in the namespace ${namespace}: ${reason.message}`,
      { endpoint: reason.position.endpoint!, cause: reason },
    );
  };
}

function unlessGone(reason: unknown): void {
  if (!isNotFound(reason)) throw reason;
}
