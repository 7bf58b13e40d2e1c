// Where the plan of a restore is tried: real members, the host of the first one with its data directory, and a backup of it.
import { rename, rmdir, symlink } from 'node:fs/promises';
import { expect, onTestFinished } from 'vitest';
import type { CheckResult } from '../../src/backup/checks/result.ts';
import type { RestoreCheckName } from '../../src/backup/restore/check-catalog.ts';
import type { RestorePlan } from '../../src/backup/restore/plan.ts';
import { runCli } from '../cli/run.ts';
import { directoryForTest } from '../cli/scene.ts';
import { listingOf } from '../cli/untouched.ts';
import {
  createKubeadmHost,
  type KubeadmHost,
  type KubeadmOptions,
} from '../fixtures/kubeadm-host.ts';
import {
  createOpenshiftHost,
  type HostOptions,
  type OpenshiftHost,
} from '../fixtures/openshift-host.ts';
import type { CommandResult } from '../servers/command.ts';
import type { EtcdCluster } from '../servers/etcd.ts';
import { etcdForTest } from '../servers/for-vitest.ts';
import type { EtcdVersion } from '../servers/versions.ts';
import { type ClusterFacts, putKubeadm, putOpenshift } from './cluster-objects.ts';

export const VERSION = '3.6.16';
export const NODE = 'ip-10-0-1-2.ec2.internal';
/** Of three masters, as their members are called on OpenShift. */
export const NODES = [NODE, 'ip-10-0-1-3.ec2.internal', 'ip-10-0-1-4.ec2.internal'] as const;

type AnyHost = Pick<OpenshiftHost, 'path'>;

export interface Scene<Host = OpenshiftHost> {
  readonly etcd: EtcdCluster;
  readonly host: Host;
  /** A directory with one backup of the host. */
  readonly backup: string;
}

interface CommonOptions extends ClusterFacts {
  readonly size?: 1 | 3;
  readonly etcdVersion?: EtcdVersion;
  /** Puts more, before the backup. */
  readonly fill?: (etcd: EtcdCluster) => Promise<void>;
}

export type SceneOptions = CommonOptions & HostOptions;

/** An OpenShift host with its backup, for one test. */
export async function openshiftScene(options: SceneOptions = {}): Promise<Scene> {
  const etcd = await members(NODES, options);
  await putOpenshift(etcd.gateway, options);
  await options.fill?.(etcd);
  const host = await createOpenshiftHost(etcd, { encrypted: false, ...options });
  onTestFinished(() => host.remove());
  await giveData(host, etcd);
  return { etcd, host, backup: await backUp(host) };
}

/** The same for a host that kubeadm set up. */
export async function kubeadmScene(
  options: CommonOptions & Pick<KubeadmOptions, 'encrypted'> = {},
): Promise<Scene<KubeadmHost>> {
  const etcd = await members(['cp-1', 'cp-2', 'cp-3'], options);
  await putKubeadm(etcd.gateway, options);
  await options.fill?.(etcd);
  const { encrypted = false } = options;
  const host = await createKubeadmHost(etcd, { encrypted });
  onTestFinished(() => host.remove());
  await giveData(host, etcd);
  return { etcd, host, backup: await backUp(host) };
}

function members(
  names: readonly string[],
  { size = 1, etcdVersion = VERSION }: CommonOptions,
): Promise<EtcdCluster> {
  return etcdForTest({ version: etcdVersion, tls: 'mutual', size, names: names.slice(0, size) });
}

/** Moves the member's data into the data directory of its host, and starts it there. */
async function giveData(host: AnyHost, { member }: EtcdCluster): Promise<void> {
  const directory = host.path('var/lib/etcd');
  await member.kill();
  await rmdir(directory);
  await rename(member.dataDir, directory);
  await symlink(directory, member.dataDir);
  await member.restart();
}

export async function backUp(host: { readonly root: string }): Promise<string> {
  const directory = directoryForTest();
  const { code, stderr } = await runCli(['backup', `--root=${host.root}`, directory]);
  expect(code, stderr).toBe(0);
  return directory;
}

/** What `restore --plan --output json` says. */
export interface PlanDocument {
  readonly host: { readonly name: string; readonly layout: string };
  readonly running?: { readonly version: string; readonly revision: string };
  readonly notRunning?: string;
  readonly others: readonly {
    readonly name: string;
    readonly state: string;
    readonly seen: string;
  }[];
  readonly stopCommand: string;
  readonly encryptionKeys: readonly { readonly name: string; readonly values: number }[];
  readonly lost: { readonly revisions?: string; readonly milliseconds: number };
  readonly checks: readonly CheckResult<RestoreCheckName>[];
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  readonly plan: RestorePlan;
  readonly error?: { readonly code: string; readonly message: string; readonly advice: string };
}

export interface PlanOutcome extends CommandResult {
  readonly document: PlanDocument;
  readonly check: (name: RestoreCheckName) => Pick<CheckResult, 'result' | 'evidence'>;
}

/** Runs it, and sees that neither the host nor the backup is changed by it. */
export async function plan(
  { host, backup }: { readonly host: { readonly root: string }; readonly backup: string },
  ...flags: readonly string[]
): Promise<PlanOutcome> {
  const before = [await listingOf(host.root), await listingOf(backup)];
  const line = ['restore', '--plan', '--output=json', `--root=${host.root}`, ...flags, backup];
  const outcome = await runCli(line);
  if (outcome.stdout === '') throw new Error(outcome.stderr);
  const document = JSON.parse(outcome.stdout) as PlanDocument;
  const after = [await listingOf(host.root), await listingOf(backup)];
  const isRunning = document.running !== undefined;
  const ours = (listings: Record<string, string>[]) =>
    listings.map((listing) => (isRunning ? withoutMember(listing) : listing));
  expect(ours(after)).toEqual(ours(before));
  const check = (name: RestoreCheckName) => {
    const found = document.checks.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no check ${name}: ${outcome.stderr}`);
    return { result: found.result, evidence: found.evidence };
  };
  return { ...outcome, document, check };
}

/** A member that runs writes its own files whenever it likes. */
function withoutMember(listing: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(listing).filter(([name]) => !/^var\/lib\/etcd\/member\/(snap|wal)\//.test(name)),
  );
}
