// A Lease that one run holds at a time, whichever machine it runs on (coordination.k8s.io/v1). It is renewed while the run
// lives; one that is not renewed ends by itself.

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { EtcdkeepError } from '../base/errors.ts';
import { hasEnded, processLabel } from '../base/process-label.ts';
import type { ApiClient } from './api-client.ts';
import { isConflict, isNotFound } from './api-refusal.ts';

export interface LeaseRequest {
  readonly namespace: string;
  readonly name: string;
  /** Who holds it, in words: others are told. */
  readonly holder: string;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  /** A renewal that failed; the run goes on. */
  readonly renewalFailed?: (reason: unknown) => void;
  /** For tests. */
  readonly times?: Partial<LeaseTimes>;
}

/** What is needed to look at it. */
type LeaseLook = Pick<LeaseRequest, 'namespace' | 'name' | 'now' | 'signal' | 'times'>;

export interface LeaseTimes {
  readonly durationMs: number;
  readonly renewalMs: number;
}

export interface LeaseHolder {
  readonly holder: string;
  readonly since: Date | undefined;
}

/** Ours; or somebody else's, who lives. */
export type LeaseOutcome =
  | { readonly isHeld: true; readonly release: () => Promise<void> }
  | ({ readonly isHeld: false } & LeaseHolder);

/** The process that renews it: on its own machine it is known at once whether it still does. */
const PROCESS = 'etcdkeep/process';

const TIMES: LeaseTimes = { durationMs: 60_000, renewalMs: 15_000 };

// coordination.k8s.io/v1, LeaseSpec; every field may be absent.
const schema = z.looseObject({
  metadata: z.looseObject({
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).nullish(),
  }),
  spec: z
    .looseObject({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.number().nullish(),
      acquireTime: z.iso.datetime({ offset: true }).nullish(),
      renewTime: z.iso.datetime({ offset: true }).nullish(),
    })
    .default({}),
});
type Lease = z.infer<typeof schema>;

/**
 * Takes it, if nobody holds it or its holder is gone.
 * @throws EtcdkeepError `api-unreachable`, ApiRefusal (also where etcd takes no more writes); the signal's reason
 */
export async function takeLease(api: ApiClient, request: LeaseRequest): Promise<LeaseOutcome> {
  for (;;) {
    const found = await readLease(api, request);
    const other = found && (await livingHolder(api, request, found));
    if (other !== undefined) return { isHeld: false, ...other };
    try {
      await writeLease(api, request, found);
      return { isHeld: true, release: keepRenewed(api, request) };
    } catch (reason) {
      // Somebody was quicker; whoever it was is looked at.
      if (!isConflict(reason)) throw reason;
    }
  }
}

/**
 * Who holds it, and lives.
 * @returns undefined if nobody does
 * @throws EtcdkeepError `api-unreachable`, ApiRefusal; the signal's reason
 */
export async function leaseHolder(
  api: ApiClient,
  request: LeaseLook,
): Promise<LeaseHolder | undefined> {
  const found = await readLease(api, request);
  return found && (await livingHolder(api, request, found));
}

async function livingHolder(
  api: ApiClient,
  request: LeaseLook,
  found: Lease,
): Promise<LeaseHolder | undefined> {
  const { holderIdentity: holder, acquireTime } = found.spec;
  if (!holder || !(await lives(api, request, found))) return undefined;
  return { holder, since: acquireTime ? new Date(acquireTime) : undefined };
}

/**
 * Whether the holder may live. Clocks of two machines differ: what has ended by ours is watched for a while, and a holder
 * who renews it then lives.
 */
async function lives(api: ApiClient, request: LeaseLook, found: Lease): Promise<boolean> {
  const { renewTime, leaseDurationSeconds } = found.spec;
  if (!renewTime || hasEnded(found.metadata.annotations?.[PROCESS] ?? '')) return false;
  const ends = Date.parse(renewTime) + (leaseDurationSeconds ?? 0) * 1000;
  if (request.now().getTime() < ends) return true;
  const { renewalMs } = { ...TIMES, ...request.times };
  await sleep(renewalMs * 1.2, undefined, { signal: request.signal }).catch(() => undefined);
  request.signal.throwIfAborted();
  const later = await readLease(api, request);
  return (
    later !== undefined && later.spec.renewTime !== renewTime && Boolean(later.spec.holderIdentity)
  );
}

function keepRenewed(api: ApiClient, request: LeaseRequest): () => Promise<void> {
  const { renewalMs } = { ...TIMES, ...request.times };
  const isOurs = (found: Lease | undefined): found is Lease =>
    found?.spec.holderIdentity === request.holder;
  const renew = async (): Promise<void> => {
    const found = await readLease(api, request);
    if (!isOurs(found)) throw taken(request);
    await writeLease(api, request, found, found.spec.acquireTime);
  };
  let last: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    last = last.then(renew).catch((reason: unknown) => request.renewalFailed?.(reason));
  }, renewalMs).unref();
  return async () => {
    clearInterval(timer);
    await last;
    try {
      // Also when all else was told to stop.
      const found = schema.parse(await api.requestAnyway('GET', pathOf(request)));
      if (isOurs(found)) await removeLease(api, request, found);
    } catch {
      // It ends by itself.
    }
  };
}

async function readLease(api: ApiClient, request: LeaseLook): Promise<Lease | undefined> {
  try {
    const answer = await api.get(pathOf(request));
    const { data } = schema.safeParse(answer);
    if (data !== undefined) return data;
  } catch (reason) {
    if (isNotFound(reason)) return undefined;
    throw reason;
  }
  throw new EtcdkeepError('api-refused', `the Lease ${request.name} is not understood`, {
    endpoint: api.endpoint,
  });
}

/** @param found what it replaces, which nobody may have changed meanwhile; undefined to make one */
async function writeLease(
  api: ApiClient,
  request: LeaseRequest,
  found: Lease | undefined,
  acquired?: string | null,
): Promise<void> {
  const { name, namespace, holder } = request;
  const { durationMs } = { ...TIMES, ...request.times };
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name,
      namespace,
      resourceVersion: found?.metadata.resourceVersion,
      annotations: { [PROCESS]: processLabel() },
    },
    spec: {
      holderIdentity: holder,
      leaseDurationSeconds: Math.ceil(durationMs / 1000),
      acquireTime: acquired ?? microTime(request.now()),
      renewTime: microTime(request.now()),
    },
  };
  if (found === undefined) await api.request('POST', collectionOf(request), lease);
  else await api.request('PUT', pathOf(request), lease);
}

async function removeLease(api: ApiClient, request: LeaseRequest, found: Lease): Promise<void> {
  const { resourceVersion } = found.metadata;
  await api.requestAnyway('DELETE', pathOf(request), {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    preconditions: { resourceVersion },
  });
}

function taken({ name }: LeaseRequest): EtcdkeepError {
  return new EtcdkeepError('api-refused', `the Lease ${name} has another holder now`);
}

function collectionOf({ namespace }: LeaseLook): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
}

function pathOf(request: LeaseLook): string {
  return `${collectionOf(request)}/${request.name}`;
}

/** meta/v1 MicroTime wants six digits. */
function microTime(moment: Date): string {
  return moment.toISOString().replace('Z', '000Z');
}
