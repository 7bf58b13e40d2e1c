// The plan of a restore: what was found, judged by the checks, and what would be done about it.

import { randomBytes } from 'node:crypto';
import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCodeOf } from '../../base/errors.ts';
import { type Host, MANIFESTS } from '../../controlplane/host.ts';
import { stopCommand } from '../../controlplane/stopped-etcd.ts';
import type { Alarm } from '../../etcd/store/alarm.ts';
import type { Check, CheckResult } from '../checks/result.ts';
import { ask, failed, type Outcome, passed, unknown } from '../checks/result.ts';
import { judgeSpace } from '../checks/target-checks.ts';
import { checkRevisionsRise } from './bump.ts';
import { RESTORE_CHECK_NAMES, RESTORE_CHECKS, type RestoreCheckName } from './check-catalog.ts';
import { checkSameCluster, checkSameRelease } from './cluster-identity.ts';
import { checkDataDirectory, checkWritable, KEPT_PREFIX } from './data-directory.ts';
import { checkEtcdVersion } from './etcd-version.ts';
import { RESTORES } from './journal.ts';
import { type LookRequest, lookBeforeRestore, type RestoreFacts } from './look.ts';
import { checkOtherMembers } from './other-members.ts';
import { portOf } from './own-host.ts';
import { checkDrilled, checkPair, checkVerified } from './pair.ts';
import { checkStaticResources } from './placed-resources.ts';
import type { RestorePlan } from './plan.ts';

export interface PlannedRestore {
  readonly plan: RestorePlan;
  readonly facts: RestoreFacts;
  readonly checks: readonly CheckResult<RestoreCheckName>[];
  /** What is to be run on the host of each other member. */
  readonly stopCommand: string;
  /** Revisions that were made since the snapshot; undefined where this host's newest is not known. */
  readonly lostRevisions: bigint | undefined;
}

/** A segment of the write-ahead log, allocated in full, and the next one (etcd, server/storage/wal, SegmentSizeBytes). */
const WAL_BYTES = 2 * 64e6;
/** What a database grows by when it is started: pages that are rewritten before the old ones are free. */
const GROWTH = 0.1;

/** etcd reads its database once before it serves; a slow disk reads so much in a second. */
const SLOW_BYTES_PER_SECOND = 5e6;
/** For the kubelet as well, which may see only after minutes that the manifest is back (serve.ts): three were seen. */
const SERVE_BASE_MS = 600_000;

/** On OpenShift etcd's pod has these (bindata/etcd/etcd-common-tools, and the pod that restores). */
const CONTAINERS = {
  openshift: ['etcd', 'etcdctl', 'etcd-metrics', 'etcd-readyz', 'etcd-rev'],
  kubeadm: ['etcd'],
} as const;

/**
 * Makes the plan. A check that refuses leaves it to be shown; refusalOf(checks) says whether it may be carried out.
 * @throws EtcdkeepError as `lookBeforeRestore`
 */
export async function planRestore(request: LookRequest): Promise<PlannedRestore> {
  const facts = await lookBeforeRestore(request);
  const plan = await planOf(request, facts);
  const checks = await makeChecks(request, facts, plan);
  request.signal.throwIfAborted();
  const { here, revision, own } = facts;
  return {
    plan,
    facts,
    checks,
    stopCommand: await stopCommand(own.host),
    lostRevisions: here.newest === undefined ? undefined : here.newest - revision,
  };
}

async function makeChecks(
  { skipped }: LookRequest,
  facts: RestoreFacts,
  plan: RestorePlan,
): Promise<readonly CheckResult<RestoreCheckName>[]> {
  const { own, source, verification, snapshot, here, others, data, keys, resources, bump, now } =
    facts;
  const written = [data.path, MANIFESTS, plan.etcd.stopped, plan.keptResources, RESTORES];
  const checks: Readonly<Record<RestoreCheckName, Check>> = {
    topology: () => checkTopology(facts),
    'data-directory': () => checkDataDirectory(data),
    writable: () => checkWritable(own.host, written),
    'other-members': () => checkOtherMembers(others),
    pair: () => checkPair(source, verification),
    verified: () => checkVerified(verification),
    drilled: () => checkDrilled(source, now),
    'same-cluster': () => checkSameCluster(snapshot.identity, here.identity),
    'same-release': () => checkSameRelease(snapshot.identity, here.identity),
    'etcd-version': () =>
      checkEtcdVersion({ notes: snapshot.notes, record: source.backup.record, own, here }),
    alarms: () => checkAlarms(snapshot.alarms, plan.clearAlarms),
    'encryption-keys': () => keys.outcome,
    'static-resources': () => checkStaticResources(own.host, resources),
    'revisions-rise': () => checkRevisionsRise(bump),
    space: () => checkSpace(facts, plan),
  };
  const results: CheckResult<RestoreCheckName>[] = [];
  for (const name of RESTORE_CHECK_NAMES) {
    if (skipped.some((one) => one.name === name)) continue;
    results.push(await ask(name, RESTORE_CHECKS.meanings[name].severity, checks[name]));
  }
  return results;
}

function checkAlarms(alarms: readonly Alarm[], areCleared: boolean): Outcome {
  if (alarms.length === 0) return passed('the snapshot holds none');
  const names = alarms.map(({ type, memberId }) => `${type} of member ${memberId.toString(16)}`);
  if (areCleared) return passed(`cleared: ${names.join(', ')}`);
  return failed(`the snapshot holds ${names.join(', ')}`);
}

/** One that does not suit has ended the run by now. */
function checkTopology({ own, snapshot, here, others }: RestoreFacts): Outcome {
  const masters = `${others.length + 1} member${others.length === 0 ? '' : 's'} known`;
  if (own.host.layout === 'kubeadm') return passed(`kubeadm with stacked etcd, ${masters}`);
  const topology = here.identity?.controlPlaneTopology ?? snapshot.identity.controlPlaneTopology;
  if (topology === undefined) {
    return unknown(
      `neither this host nor the snapshot says which topology OpenShift has; ${masters}`,
    );
  }
  return passed(`OpenShift, ${topology}, ${masters}`);
}

function checkSpace(
  { own, source, verification }: RestoreFacts,
  { data, resources }: RestorePlan,
): Promise<Outcome> {
  const placed = resources.filter(({ action }) => action !== 'leave');
  const members = verification.resources?.members ?? [];
  const bytes = members
    .filter(({ path }) => placed.some(({ member }) => `${path}/`.startsWith(`${member}/`)))
    .reduce((sum, member) => sum + member.bytes, 0);
  return judgeSpace([
    {
      directory: own.host.realPath(data.directory),
      bytes: Math.ceil(source.snapshot.bytes * (1 + GROWTH)) + WAL_BYTES,
    },
    ...(bytes === 0 ? [] : [{ directory: own.host.realPath(MANIFESTS), bytes }]),
  ]);
}

async function planOf(request: LookRequest, facts: RestoreFacts): Promise<RestorePlan> {
  const { own, source, verification, data, bump, keys, resources, revision } = facts;
  const { host, member, manifest } = own;
  const { bytes, path } = source.snapshot;
  const stamp = await freeStamp(host, data.path, request.now());
  return {
    version: 1,
    stamp,
    method: request.method,
    clearAlarms: request.clearAlarms,
    host: { root: host.root, name: member.name, layout: host.layout },
    backup: {
      stamp: source.backup.stamp,
      kind: source.kind,
      snapshot: path,
      resources: source.backup.resources?.path,
      snapshotBytes: bytes,
      revision: revision.toString(),
      sha256: verification.snapshot!.sha256!,
    },
    member: {
      name: member.name,
      peerUrls: own.peerUrls,
      clusterToken: `etcdkeep-${stamp}-${randomBytes(8).toString('hex')}`,
      endpoint: member.endpoint,
      cacert: member.cacert,
      cert: member.cert,
      key: member.key,
    },
    data: {
      directory: data.path,
      isMount: data.isMount,
      build: join(data.path, `restore-${stamp}`),
      kept: data.hasMember ? join(data.path, `${KEPT_PREFIX}${stamp}`) : undefined,
      uid: data.uid,
      gid: data.gid,
      mode: data.mode,
      selinux: data.selinux,
    },
    bump: {
      by: bump.by.toString(),
      to: bump.to.toString(),
      above: bump.above.map((seen) => ({ ...seen, revision: seen.revision.toString() })),
    },
    etcd: {
      manifest: manifest.path,
      source: manifest.source,
      stopped: dirname(manifest.stopped),
      clientPort: portOf(member.endpoint),
      peerPort: portOf(own.peerUrls[0]!),
      containers: CONTAINERS[host.layout],
    },
    resources,
    encryptionKeys: keys.used.map(({ name }) => name),
    keptResources: keptResources(stamp),
    serveTimeoutMs: SERVE_BASE_MS + Math.ceil((bytes / SLOW_BYTES_PER_SECOND) * 1000),
  };
}

/** Beside what it replaces, so that it is renamed there: on RHCOS /etc and /var are mounts of their own. */
function keptResources(stamp: string): string {
  return `/etc/kubernetes/etcdkeep-before-${stamp}`;
}

/** The moment in UTC, or the next second for which nothing is there yet: an earlier safety copy is never overwritten. */
async function freeStamp(host: Host, dataDirectory: string, now: Date): Promise<string> {
  for (let second = 0; ; second += 1) {
    const moment = new Date(now.getTime() + second * 1000).toISOString();
    const stamp = moment.slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
    const names = [
      join(dataDirectory, `restore-${stamp}`),
      join(dataDirectory, `${KEPT_PREFIX}${stamp}`),
      join(RESTORES, stamp),
      keptResources(stamp),
    ];
    const taken = await Promise.all(names.map((name) => isThere(host.realPath(name))));
    if (!taken.includes(true)) return stamp;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (reason) {
    // Whatever else is the matter with it is found where it is written.
    return !['ENOENT', 'ENOTDIR'].includes(systemCodeOf(reason) ?? 'ENOENT');
  }
}
