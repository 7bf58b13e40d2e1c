// Takes a backup of a control-plane host from a workstation: reaches the host, lets etcdkeep take the backup there, and brings
// it home. Nothing is left on the host but what was asked for.

import { EtcdkeepError } from '../../base/errors.ts';
import {
  type ControlPlaneNode,
  controlPlaneNodes,
  etcdNamespace,
  layoutOfCluster,
} from '../../controlplane/cluster-nodes.ts';
import { describeClusterProxy } from '../../controlplane/cluster-proxy.ts';
import { DebugPod, sweepDebugPods } from '../../controlplane/debug-pod.ts';
import type { LayoutName } from '../../controlplane/host.ts';
import { demandOutput, type NodeShell, shellScript } from '../../controlplane/node-shell.ts';
import { SshShell } from '../../controlplane/ssh.ts';
import { missingPermissions, permissionWords } from '../../kubernetes/access-review.ts';
import type { ApiClient } from '../../kubernetes/api-client.ts';
import { takeClusterLease, unguarded } from '../cluster-lease.ts';
import type { Backup } from '../take.ts';
import { type Target, targetOf, withTarget } from '../target.ts';
import { bringHome } from './bring-home.ts';
import { candidates, chooseNode, namedNode } from './choose-node.ts';
import type { RemoteReport } from './events.ts';
import { membersSeenFrom } from './members.ts';
import type { NodeBackup } from './messages.ts';
import { backUpOnNode } from './node-backup.ts';
import { sendExecutable } from './node-executable.ts';
import { neededPermissions, type PermissionScope, wantedPermissions } from './permissions.ts';

/** What lies beside what is judged where it stays. */
const NOT_STAYING = '--skip-check=keys-apart=the backup does not stay on the host';

export interface RemoteRequest {
  /** Where the backup goes here; undefined if it stays on the node. */
  readonly directory: string | undefined;
  /** Where its archive goes, in the same place, if not beside the snapshot. */
  readonly resourcesDirectory: string | undefined;
  /** Where it goes on the node, if it stays there. */
  readonly leaveOnNode: string | undefined;
  /** Flags of `etcdkeep backup`, for the run on the node. */
  readonly flags: readonly string[];
  /** An executable that a machine of this architecture can run, as Go names it. */
  readonly executableFor: (architecture: string) => Promise<string>;
  readonly tool: string;
  readonly now: () => Date;
  readonly report: RemoteReport;
  readonly signal: AbortSignal;
}

export interface ApiRequest extends RemoteRequest {
  readonly api: ApiClient;
  /** A node's name; undefined to choose one. */
  readonly node: string | undefined;
  /** Where the debug pod is made, if not beside etcd's own. */
  readonly podNamespace: string | undefined;
  /** The debug pod's, if not that of etcd. */
  readonly image: string | undefined;
  /** Who does it, in words. */
  readonly owner: string;
}

/** On the node, or here as well. */
export type RemoteBackup =
  | { readonly kind: 'home'; readonly backup: Backup }
  | { readonly kind: 'node'; readonly backup: NodeBackup; readonly directory: string };

/**
 * Takes it through the API server.
 * @throws EtcdkeepError; nothing new is left, neither here nor on the node, and earlier backups are as they were
 */
export async function takeThroughApi(request: ApiRequest): Promise<RemoteBackup> {
  return withHome(request, async (target) => {
    const { api, report, signal, now } = request;
    const layout = await layoutOfCluster(api);
    const etcd = etcdNamespace(layout);
    const scope = { layout, etcdNamespace: etcd, podNamespace: request.podNamespace ?? etcd };
    await demandPermissions(api, scope, report);
    if (layout === 'openshift') {
      const words = await describeClusterProxy(api).catch((reason: unknown) => {
        signal.throwIfAborted();
        return `unknown: ${inWords(reason)}`;
      });
      report({ kind: 'cluster-proxy', words });
    }
    const release = await fly(request);
    try {
      await sweepDebugPods(api, scope.podNamespace, now());
      const nodes = await controlPlaneNodes(api, layout);
      signal.throwIfAborted();
      return await takeFromOne(request, target, { layout, nodes, namespace: scope.podNamespace });
    } finally {
      await release();
    }
  });
}

/** Takes it through ssh. @throws EtcdkeepError as `takeThroughApi` */
export async function takeThroughSsh(
  request: RemoteRequest & { readonly destination: string },
): Promise<RemoteBackup> {
  return withHome(request, async (target) => {
    const { destination, report, signal } = request;
    report({ kind: 'reaching-node' });
    await using shell = new SshShell({ destination, leftBehind: warner(report), signal });
    const machine = await demandOutput(shell, shellScript('uname -m'), 'ask what it is');
    // What cannot be sent is known before anything is made.
    const architecture = goArchitecture(machine.trim());
    await request.executableFor(architecture);
    await shell.hold();
    report({ kind: 'node-reached', way: shell.way });
    const arrived = await arrive(request, shell, shell.directory, architecture);
    return await takeThrough(request, target, { ...arrived, node: destination });
  });
}

interface Places {
  readonly layout: LayoutName;
  readonly nodes: readonly ControlPlaneNode[];
  readonly namespace: string;
}

async function takeFromOne(
  request: ApiRequest,
  target: Target | undefined,
  places: Places,
): Promise<RemoteBackup> {
  const { node: name, report } = request;
  const able = name === undefined ? candidates(places.nodes) : [namedNode(places.nodes, name)];
  const first = able[0]!;
  const isChosen = able.length === 1;
  if (isChosen) {
    const why = name === undefined ? 'the only one that can be' : 'it was named';
    report({ kind: 'node-chosen', node: first.name, layout: places.layout, why });
  }
  // What cannot be sent is known before anything is made.
  await request.executableFor(first.architecture);
  report({ kind: 'reaching-node' });
  await using pod = await podOn(request, places, first);
  report({ kind: 'node-reached', way: pod.way });
  const arrived = await arrive(request, pod, pod.directory, first.architecture);
  if (isChosen) return await takeThrough(request, target, { ...arrived, node: first.name });
  const choice = chooseNode(able, await membersSeenFrom(pod, arrived.executable));
  report({ kind: 'node-chosen', ...choice, layout: places.layout });
  if (choice.node === first.name) {
    return await takeThrough(request, target, { ...arrived, node: first.name });
  }
  await pod[Symbol.asyncDispose]();
  const better = namedNode(places.nodes, choice.node);
  await using other = await podOn(request, places, better);
  report({ kind: 'node-reached', way: other.way });
  const there = await arrive(request, other, other.directory, better.architecture);
  return await takeThrough(request, target, { ...there, node: better.name });
}

function podOn(request: ApiRequest, places: Places, node: ControlPlaneNode): Promise<DebugPod> {
  const { api, owner, now, report, signal } = request;
  const image = request.image ?? node.etcd?.image;
  if (image === undefined) {
    throw new EtcdkeepError('node-not-found', `the node ${node.name} runs no etcd`, {
      advice: 'name a node that does, or an image for the debug pod with --image',
    });
  }
  const { layout, namespace } = places;
  const leftBehind = warner(report);
  return DebugPod.create(api, { node, layout, namespace, image, owner, now, leftBehind, signal });
}

interface Arrived {
  readonly shell: NodeShell;
  readonly executable: string;
  /** On the host; gone afterwards. */
  readonly directory: string;
}

async function arrive(
  { executableFor, report }: RemoteRequest,
  shell: NodeShell,
  directory: string,
  architecture: string,
): Promise<Arrived> {
  const { path, sentBytes } = await sendExecutable(
    shell,
    await executableFor(architecture),
    directory,
  );
  report({ kind: 'executable-sent', bytes: sentBytes });
  return { shell, executable: path, directory };
}

async function takeThrough(
  request: RemoteRequest,
  target: Target | undefined,
  { shell, executable, directory, node }: Arrived & { readonly node: string },
): Promise<RemoteBackup> {
  const { leaveOnNode, report } = request;
  const from = leaveOnNode ?? `${directory}/backup`;
  const flags = [...request.flags, ...flagsOfPlace(request)];
  const taken = await backUpOnNode({ shell, node, executable, directory: from, flags, report });
  if (target === undefined) return { kind: 'node', backup: taken, directory: from };
  const backup = await bringHome(taken, { ...request, shell, executable, from, target });
  return { kind: 'home', backup };
}

function flagsOfPlace({ leaveOnNode, resourcesDirectory }: RemoteRequest): string[] {
  if (leaveOnNode === undefined) return [NOT_STAYING];
  return resourcesDirectory === undefined ? [] : [`--static-resources-dir=${resourcesDirectory}`];
}

function withHome<T>(
  { directory, resourcesDirectory }: RemoteRequest,
  take: (target: Target | undefined) => Promise<T>,
): Promise<T> {
  if (directory === undefined) return take(undefined);
  const target = targetOf(directory, resourcesDirectory);
  return withTarget(target, () => take(target));
}

/** @throws EtcdkeepError `permission-missing` */
async function demandPermissions(
  api: ApiClient,
  scope: PermissionScope,
  report: RemoteReport,
): Promise<void> {
  const missing = await missingPermissions(api, neededPermissions(scope));
  if (missing.length > 0) {
    throw new EtcdkeepError(
      'permission-missing',
      `the user may not ${missing.map(permissionWords).join(', ')}`,
      { endpoint: api.endpoint },
    );
  }
  const unknown = await missingPermissions(api, wantedPermissions(scope));
  if (unknown.length === 0) return;
  const words = unknown.map(permissionWords).join(', ');
  report({ kind: 'warning', words: `the user may not ${words}: what that is for is left out` });
}

/** Keeps others from taking a backup of the same cluster meanwhile. @returns ends it */
async function fly(request: ApiRequest): Promise<() => Promise<void>> {
  const { api, owner: holder, now, signal, report } = request;
  const renewalFailed = (reason: EtcdkeepError): void => {
    report({ kind: 'warning', words: unguarded(reason) });
  };
  const lease = await takeClusterLease(api, { holder, now, signal, renewalFailed });
  if (lease.kind === 'held') return lease.release;
  if (lease.kind === 'other') {
    throw new EtcdkeepError('backup-running', lease.words, { endpoint: api.endpoint });
  }
  renewalFailed(lease.reason);
  return () => Promise.resolve();
}

function warner(report: RemoteReport): (words: string) => void {
  return (words) => report({ kind: 'warning', words });
}

/** What is no error of ours is a defect. */
function inWords(reason: unknown): string {
  if (reason instanceof EtcdkeepError) return reason.message;
  throw reason;
}

/** uname's word for a machine, as Go has it. */
function goArchitecture(machine: string): string {
  return machine === 'x86_64' ? 'amd64' : machine === 'aarch64' ? 'arm64' : machine;
}
