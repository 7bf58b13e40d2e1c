// Takes a backup on a control-plane host: the snapshot first, the static resources after it (the
// encryption keys must not be older than the data), and the record last, which makes it a backup.

import { writeFileDurably } from '../base/durable-files.ts';
import { findHost, type Host } from '../controlplane/host.ts';
import type { LocalEtcd } from '../controlplane/layout.ts';
import { layoutOf } from '../controlplane/layouts.ts';
import { describeProxy } from '../controlplane/proxy.ts';
import { lookAtStaticResources, type StaticResources } from '../controlplane/static-resources.ts';
import { EtcdClient } from '../etcd/client/client.ts';
import { encodeRecord } from '../record/record.ts';
import type { BackupRecord } from '../record/schema.ts';
import { type BackupFiles, backupFiles, stampOf } from '../record/stamp.ts';
import { archiveResources } from './archive-resources.ts';
import { buildRecord } from './build-record.ts';
import { checkThrough, type HostRequest, requireRoot } from './check.ts';
import { BACKUP_CHECKS } from './checks/catalog.ts';
import { type CheckResult, refusalOf } from './checks/result.ts';
import { unguarded } from './cluster-lease.ts';
import type { Report } from './events.ts';
import { findFreeMoment } from './free-stamp.ts';
import { receiveSnapshot, type Snapshot, type TransferLimits } from './save.ts';
import { beginFlight } from './single-flight.ts';
import { StagedFiles } from './staged-files.ts';
import { sweepStaging } from './staging.ts';
import { type Target, targetOf, withTarget } from './target.ts';

export interface TakeRequest extends HostRequest {
  /** Where the backup goes; made if it does not exist. */
  readonly directory: string;
  /** Where the archive goes, which holds the keys, if not to the same place. */
  readonly resourcesDirectory: string | undefined;
  /** Who takes it, in words: others are told. Undefined if whoever asks for it from elsewhere has told them. */
  readonly owner: string | undefined;
  /** Refuse nothing, and mark the files as possibly dirty, as OpenShift's --force does. */
  readonly force: boolean;
  /** Program and version, for the record. */
  readonly tool: string;
  readonly limits: TransferLimits;
  readonly report: Report;
}

/** A backup on the disk. */
export interface Backup {
  readonly target: Target;
  readonly files: BackupFiles;
  readonly snapshot: Snapshot;
  readonly record: BackupRecord;
}

/**
 * Takes a backup of the host.
 * @throws EtcdkeepError; nothing new is left in the directory, and earlier backups are as they were
 */
export async function takeBackup(request: TakeRequest): Promise<Backup> {
  requireRoot(request.uid, 'backed up');
  const target = targetOf(request.directory, request.resourcesDirectory);
  return withTarget(target, () => takeFromHost(request, target));
}

async function takeFromHost(request: TakeRequest, target: Target): Promise<Backup> {
  const host = await findHost(request.root);
  const member = await layoutOf(host).findLocalEtcd(host, request.hostName);
  const proxy = await describeProxy(host);
  request.report({ kind: 'host-found', name: member.name, layout: host.layout, proxy });
  const firstLook = await lookAtStaticResources(host);
  const options = await request.connectTo(host, member);
  const client = await EtcdClient.connect(options);
  try {
    const { policy, now, signal } = request;
    await using flights = await beginFlight(host, {
      ...request,
      holder: request.owner,
      renewalFailed: (reason) => request.report({ kind: 'warning', words: unguarded(reason) }),
    });
    const resources = firstLook;
    const facts = { host, local: member, resources, target, flights, now: now(), signal };
    const checks = await checkThrough(client, options, facts, policy);
    request.report({ kind: 'checks-made', checks, skipped: policy.skipped });
    const refusal = refusalOf(checks, BACKUP_CHECKS);
    if (refusal !== undefined && !request.force) throw refusal;
    return await takeInto(request, target, { host, member, client, firstLook, checks });
  } finally {
    client.close();
  }
}

interface Source {
  readonly host: Host;
  readonly member: LocalEtcd;
  readonly client: EtcdClient;
  readonly firstLook: StaticResources;
  readonly checks: readonly CheckResult[];
}

async function takeInto(
  request: TakeRequest,
  target: Target,
  { host, member, client, firstLook, checks }: Source,
): Promise<Backup> {
  const { report, signal } = request;
  await sweepStaging(target);
  const started = await findFreeMoment(request, target);
  const stamp = stampOf(started);
  const files = backupFiles(stamp, { possiblyDirty: request.force });
  await using staged = await StagedFiles.create(target, files);
  for (const { name, path } of firstLook.pods)
    report({ kind: 'static-pod-found', pod: name, path });
  const snapshot = await receiveSnapshot(client, staged.snapshot.staged, request);
  const resources = await archiveResources(host, firstLook, staged.resources.staged, request);
  signal.throwIfAborted();
  const record = buildRecord({
    stamp,
    files,
    target,
    tool: request.tool,
    hostName: member.name,
    layout: host.layout,
    snapshot,
    resources,
    checks,
    skipped: request.policy.skipped,
    started,
    finished: request.now(),
  });
  await writeFileDurably(staged.record.staged, encodeRecord(record));
  await staged.publish();
  return { target, files, snapshot, record };
}
