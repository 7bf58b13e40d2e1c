// The Lease by which one backup of a cluster runs at a time, wherever it was started: on a host, in a pod, from a workstation.

import { EtcdkeepError } from '../base/errors.ts';
import type { ApiClient } from '../kubernetes/api-client.ts';
import { leaseHolder, takeLease } from '../kubernetes/lease.ts';

/** Where it is. */
export const LEASE = { namespace: 'kube-system', name: 'etcdkeep-backup' };

export interface ClusterLeaseRequest {
  /** Who takes the backup, in words: others are told. */
  readonly holder: string;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  /** A renewal that failed: another backup could begin meanwhile. */
  readonly renewalFailed: (reason: EtcdkeepError) => void;
}

/** Ours until it is released; or somebody else's; or one that could not be written, as where etcd has no space left. */
export type ClusterLease =
  | { readonly kind: 'held'; readonly release: () => Promise<void> }
  | { readonly kind: 'other'; readonly words: string }
  | { readonly kind: 'unknown'; readonly reason: EtcdkeepError };

/** Takes it, if nobody has it. @throws the signal's reason */
export async function takeClusterLease(
  api: ApiClient,
  request: ClusterLeaseRequest,
): Promise<ClusterLease> {
  const { signal, renewalFailed } = request;
  try {
    const taken = await takeLease(api, {
      ...LEASE,
      ...request,
      renewalFailed: (reason) => {
        // A renewal that was told to stop as well is no news.
        if (!signal.aborted) renewalFailed(onlyOurs(reason));
      },
    });
    if (taken.isHeld) return { kind: 'held', release: taken.release };
    return { kind: 'other', words: wordsOf(taken) };
  } catch (reason) {
    signal.throwIfAborted();
    return { kind: 'unknown', reason: onlyOurs(reason) };
  }
}

/**
 * Who takes a backup of the cluster now, in words.
 * @returns undefined if nobody does
 * @throws EtcdkeepError `api-unreachable`, ApiRefusal; the signal's reason
 */
export async function whoHoldsClusterLease(
  api: ApiClient,
  request: Pick<ClusterLeaseRequest, 'now' | 'signal'>,
): Promise<string | undefined> {
  const found = await leaseHolder(api, { ...LEASE, ...request });
  return found === undefined ? undefined : wordsOf(found);
}

/** What a Lease means that was not written. */
export function unguarded({ message }: EtcdkeepError): string {
  return `another backup could begin meanwhile: ${message}`;
}

function wordsOf({
  holder,
  since,
}: {
  readonly holder: string;
  readonly since: Date | undefined;
}): string {
  const moment = since === undefined ? '' : `, since ${since.toISOString()}`;
  return `a backup of this cluster is being taken by ${holder}${moment}`;
}

/** What is no error of ours is a defect. */
function onlyOurs(reason: unknown): EtcdkeepError {
  if (reason instanceof EtcdkeepError) return reason;
  throw reason;
}
