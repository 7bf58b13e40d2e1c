// Finds out everything that a restore on this host depends on, and changes nothing: the files of the backup, the host, its
// etcd, the other members, the cluster that both are of.

import { join } from 'node:path';
import { EtcdkeepError } from '../../base/errors.ts';
import type { ArchiveInspection } from '../../controlplane/archive-inspection.ts';
import { CLUSTER_RESTORE } from '../../controlplane/stopped-etcd.ts';
import type { HostRequest } from '../check.ts';
import { requireRoot } from '../check.ts';
import type { SkippedCheck } from '../checks/result.ts';
import { DIGEST_SIZE, hasDigest } from '../digest.ts';
import { type Verification, verifyBackup } from '../verify.ts';
import type { Bump } from './bump.ts';
import type { RestoreCheckName } from './check-catalog.ts';
import { asReason, openStoredData, type StoredData } from './cluster-data.ts';
import { type ClusterIdentity, identify } from './cluster-identity.ts';
import { type DataDirectory, lookAtDataDirectory } from './data-directory.ts';
import { decideKeys, type KeyDecision, usedKeys } from './encryption-keys.ts';
import { type Here, lookHere } from './here.ts';
import { isConfigReplaced, readLiveEncryption } from './live-encryption.ts';
import { dialOthers, type OtherMember, othersOf } from './other-members.ts';
import { findRestoredHost, lookAtOwnHost, type OwnHost } from './own-host.ts';
import { compareResources, takingConfig } from './placed-resources.ts';
import type { PlacedResource, RestorePlan } from './plan.ts';
import { demandNotOwnData, findRestoreSource, type RestoreSource } from './restore-source.ts';
import { settleBump } from './seen-revisions.ts';
import { demandSuitedTopology } from './topology.ts';

export interface LookRequest extends Omit<HostRequest, 'policy'> {
  /** BACKUP, as it was named. */
  readonly backup: string;
  readonly stamp: string | undefined;
  /** Where the archive lies that is kept apart from the snapshot. */
  readonly resourcesDirectory: string | undefined;
  /** Names of members that the administrator has seen stopped. */
  readonly membersStopped: readonly string[];
  readonly method: RestorePlan['method'];
  /** Whether alarms of the snapshot are to go. */
  readonly clearAlarms: boolean;
  readonly skipped: readonly SkippedCheck<RestoreCheckName>[];
  /** Program and version. */
  readonly tool: string;
  readonly report: (event: LookEvent) => void;
}

/** What takes its time: the snapshot is read, then everything else is looked at. */
export type LookEvent =
  | { readonly kind: 'verifying'; readonly bytes: number; readonly totalBytes: number }
  | { readonly kind: 'looking' };

/** What was found. */
export interface RestoreFacts {
  readonly own: OwnHost;
  readonly source: RestoreSource;
  readonly verification: Verification;
  /** Main revision of the snapshot's last record. */
  readonly revision: bigint;
  readonly snapshot: {
    readonly identity: ClusterIdentity;
    readonly notes: StoredData['notes'];
    readonly alarms: StoredData['alarms'];
  };
  readonly here: Here;
  readonly others: readonly OtherMember[];
  readonly data: DataDirectory;
  readonly keys: KeyDecision;
  readonly resources: readonly PlacedResource[];
  readonly bump: Bump;
  readonly now: Date;
}

/**
 * Looks at everything once. Nothing is written, neither on the host nor beside the backup.
 * @throws EtcdkeepError `not-root`, `topology-unsuited`, `usage`, `backup-bad` where the snapshot cannot be read at all, and
 * whatever keeps the host or the backup from being found
 */
export async function lookBeforeRestore(request: LookRequest): Promise<RestoreFacts> {
  requireRoot(request.uid, 'restored');
  const host = await findRestoredHost(request.root);
  const source = await findRestoreSource({ ...request, path: request.backup });
  const verification = await verify(request, source);
  request.report({ kind: 'looking' });
  const { resources: inspected } = verification;
  // Nothing is put back out of one that was not read to its end.
  const archive = inspected?.isWhole === true ? inspected : undefined;
  const etcdPod = archive?.pods.findLast(({ name }) => name === 'etcd-pod')?.path;
  const own = await lookAtOwnHost(host, request.hostName, {
    path: archive?.path,
    etcdPod,
  });
  await demandSuitedRequest(request, own, source);
  using snapshot = await openSnapshot(source);
  const { members, notes, alarms } = snapshot;
  const identity = await identify(snapshot);
  const connectTo = ({ host: on, member }: OwnHost) => request.connectTo(on, member);
  const here = await lookHere(own, connectTo, request.signal);
  for (const one of [here.identity, identity]) {
    if (one?.controlPlaneTopology === undefined) continue;
    demandSuitedTopology(one.controlPlaneTopology, one.from);
  }
  const lists = [own.named, here.members, members];
  const others = await dialOthers(othersOf(own, lists), request.membersStopped, request.signal);
  const data = await lookAtDataDirectory(own);
  const revision = verification.snapshot!.status!.revision;
  const placed = await settleResources(own, archive, snapshot, request.signal);
  return {
    own,
    source,
    verification,
    revision,
    snapshot: { identity, notes, alarms },
    here,
    others,
    data,
    ...placed,
    bump: await settleBump(own, data, here, revision, request.signal),
    now: request.now(),
  };
}

/** The verdict is not recorded: a plan leaves the backup as it is, too. */
async function verify(request: LookRequest, source: RestoreSource): Promise<Verification> {
  const { tool, now, report, signal } = request;
  const verification = await verifyBackup({
    backup: { ...source.backup, recordPath: undefined },
    tool,
    now,
    skipDigest: false,
    // Nothing is unpacked: what is packed was refused.
    scratch: source.backup.directory,
    progress: (bytes, totalBytes) => report({ kind: 'verifying', bytes, totalBytes }),
    signal,
  });
  if (verification.snapshot?.status !== undefined) return verification;
  throw cannotBeRead(source, verification.reasons[0]);
}

async function openSnapshot({ snapshot, backup, ...rest }: RestoreSource): Promise<StoredData> {
  const { path, bytes } = snapshot;
  try {
    return await openStoredData(
      path,
      'the snapshot',
      hasDigest(bytes) ? bytes - DIGEST_SIZE : bytes,
    );
  } catch (reason) {
    const { code, message } = asReason(reason);
    if (code !== 'database-damaged') throw reason;
    throw cannotBeRead({ snapshot, backup, ...rest }, message);
  }
}

function cannotBeRead({ snapshot }: RestoreSource, why: string | undefined): EtcdkeepError {
  return new EtcdkeepError('backup-bad', `the snapshot cannot be read: ${why ?? 'it is damaged'}`, {
    path: snapshot.path,
  });
}

async function demandSuitedRequest(
  { method }: LookRequest,
  { host, member }: OwnHost,
  source: RestoreSource,
): Promise<void> {
  demandNotOwnData(source, host.realPath(join(member.dataDirectory, 'member/snap/db')));
  if (method === 'direct') return;
  const lacks =
    host.layout !== 'openshift'
      ? 'is for OpenShift'
      : !(await host.isFile(CLUSTER_RESTORE))
        ? `needs ${host.realPath(CLUSTER_RESTORE)}, which is not there`
        : source.kind !== 'pair' || source.backup.resources === undefined
          ? 'needs the snapshot and the static resources of one stamp'
          : undefined;
  if (lacks === undefined) return;
  throw new EtcdkeepError('usage', `--method vendor ${lacks}`, { advice: 'leave --method out' });
}

async function settleResources(
  own: OwnHost,
  archive: ArchiveInspection | undefined,
  snapshot: StoredData,
  signal: AbortSignal,
): Promise<{ readonly keys: KeyDecision; readonly resources: readonly PlacedResource[] }> {
  const { host, manifest } = own;
  const placing = archive && { host, archive, manifest };
  const resources = placing === undefined ? [] : await compareResources(placing);
  const live = await readLiveEncryption(host);
  const keys = decideKeys(await usedKeys(snapshot, host.layout, signal), {
    here: live.config,
    archived: archive?.encryption?.config,
    isReplaced: isConfigReplaced(live, resources),
  });
  if (!keys.takeArchived) return { keys, resources };
  return { keys, resources: takingConfig(resources, placing!, archive!.encryption!.path) };
}
