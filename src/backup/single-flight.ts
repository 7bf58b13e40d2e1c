// What keeps two backups of a cluster from running at once: a note on the host, and a Lease in the cluster. The note is looked
// at first, so that of two runs on one host that begin together just one gives way.

import { EtcdkeepError } from '../base/errors.ts';
import { formatMoment, formatSpan } from '../base/units.ts';
import type { Host } from '../controlplane/host.ts';
import { openLocalApi } from '../controlplane/local-api.ts';
import type { ApiClient } from '../kubernetes/api-client.ts';
import {
  type ClusterLeaseRequest,
  takeClusterLease,
  whoHoldsClusterLease,
} from './cluster-lease.ts';
import { type BackupNote, noteBackup, runningBackups, sweepNotes } from './running-backups.ts';

/** An API server that hangs must not keep a backup waiting. */
const TIMEOUT_MS = 5000;

/** What is known of other backups of the cluster. */
export interface OtherFlights {
  /** Such a backup, in words; undefined if none is known. */
  readonly other: string | undefined;
  /** Why not all could be asked or told, in words; undefined if all were. */
  readonly unasked: string | undefined;
}

/** Ends with the backup: then others may begin. */
export type Flight = OtherFlights & AsyncDisposable;

export interface FlightRequest extends Omit<ClusterLeaseRequest, 'holder'> {
  /** Where the backup goes. */
  readonly directory: string;
  /** Of the Lease, in words; undefined if whoever asks for the backup from elsewhere has seen to it. */
  readonly holder: string | undefined;
}

/**
 * Tells others of this backup, if none runs. A host whose /run cannot be written, or that reaches no API server, is backed up
 * all the same.
 * @throws EtcdkeepError `file-failed` where the notes cannot be read; the signal's reason
 */
export async function beginFlight(host: Host, request: FlightRequest): Promise<Flight> {
  await using ending = new AsyncDisposableStack();
  const note = await leaveNote(host, request.directory);
  const isLeft = !(note instanceof EtcdkeepError);
  if (isLeft) ending.defer(note.remove);
  const unnoted = isLeft ? undefined : note.message;
  const onHost = await otherOnHost(host, isLeft ? note.order : undefined, request.now());
  const { holder } = request;
  const { other, unasked } =
    onHost !== undefined || holder === undefined
      ? { other: onHost, unasked: undefined }
      : await takeLease(host, { ...request, holder }, ending);
  const ends = ending.move();
  return { other, unasked: unnoted ?? unasked, [Symbol.asyncDispose]: () => ends.disposeAsync() };
}

/**
 * Looks at the others, for who takes no backup.
 * @throws EtcdkeepError `file-failed` where the notes cannot be read; the signal's reason
 */
export async function lookAtFlights(
  host: Host,
  request: Pick<FlightRequest, 'now' | 'signal'>,
): Promise<OtherFlights> {
  const onHost = await otherOnHost(host, undefined, request.now());
  if (onHost !== undefined) return { other: onHost, unasked: undefined };
  try {
    using opened = new DisposableStack();
    const api = await openApi(host, request.signal, opened);
    return { other: await whoHoldsClusterLease(api, request), unasked: undefined };
  } catch (reason) {
    request.signal.throwIfAborted();
    if (reason instanceof EtcdkeepError) return unasked(reason);
    throw reason;
  }
}

async function takeLease(
  host: Host,
  request: ClusterLeaseRequest,
  ending: AsyncDisposableStack,
): Promise<OtherFlights> {
  try {
    const api = await openApi(host, request.signal, ending);
    const lease = await takeClusterLease(api, request);
    if (lease.kind === 'unknown') return unasked(lease.reason);
    if (lease.kind === 'other') return { other: lease.words, unasked: undefined };
    ending.defer(lease.release);
    return { other: undefined, unasked: undefined };
  } catch (reason) {
    if (reason instanceof EtcdkeepError && !request.signal.aborted) return unasked(reason);
    throw reason;
  }
}

async function openApi(
  host: Host,
  signal: AbortSignal,
  ending: Pick<DisposableStack, 'defer'>,
): Promise<ApiClient> {
  const api = await openLocalApi(host, TIMEOUT_MS, signal);
  ending.defer(() => api.close());
  return api;
}

function unasked({ message }: EtcdkeepError): OtherFlights {
  const words = `no other backup is running on this host; elsewhere is not known: ${message}`;
  return { other: undefined, unasked: words };
}

async function leaveNote(host: Host, directory: string): Promise<BackupNote | EtcdkeepError> {
  try {
    const note = await noteBackup(host, directory);
    await sweepNotes(host);
    return note;
  } catch (reason) {
    if (reason instanceof EtcdkeepError) return reason;
    throw reason;
  }
}

/** @param before of this run's own note: only those that were there before it; undefined for all */
async function otherOnHost(
  host: Host,
  before: bigint | undefined,
  now: Date,
): Promise<string | undefined> {
  const [other] = await runningBackups(host, before);
  if (other === undefined) return undefined;
  const span = formatSpan(now.getTime() - other.since.getTime());
  return `a backup ${other.what}, has run for ${span}, since ${formatMoment(other.since)}`;
}
