// Reaches a control-plane host from a workstation: asks what the user may do, chooses the node, and puts etcdkeep on it. What is
// done there is said by whoever uses it; afterwards nothing is left.

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
import { roomOfNodes } from '../../controlplane/node-room.ts';
import { demandOutput, type NodeShell, shellScript } from '../../controlplane/node-shell.ts';
import { SshShell } from '../../controlplane/ssh.ts';
import type { ApiClient } from '../../kubernetes/api-client.ts';
import { takeClusterLease, unguarded } from '../cluster-lease.ts';
import { candidates, chooseNode, type MemberState, namedNode } from './choose-node.ts';
import type { RemoteReport } from './events.ts';
import { membersSeenFrom } from './members.ts';
import { sendExecutable } from './node-executable.ts';
import { demandPermissions } from './permissions.ts';

export interface ReachRequest {
  /** An executable that a machine of this architecture can run, as Go names it. */
  readonly executableFor: (architecture: string) => Promise<string>;
  readonly now: () => Date;
  readonly report: RemoteReport;
  readonly signal: AbortSignal;
}

export interface ApiReachRequest extends ReachRequest {
  readonly api: ApiClient;
  /** A node's name; undefined to choose one. */
  readonly node: string | undefined;
  /** Where the debug pod is made, if not beside etcd's own. */
  readonly podNamespace: string | undefined;
  /** The debug pod's, if not that of etcd. */
  readonly image: string | undefined;
  /** Who does it, in words. */
  readonly owner: string;
  /** Whether others are kept from taking a backup meanwhile. */
  readonly isBackup: boolean;
}

/** A host with etcdkeep on it. */
export interface ReachedNode {
  readonly name: string;
  readonly shell: NodeShell;
  /** etcdkeep, on the host. */
  readonly executable: string;
  /** On the host; gone afterwards. */
  readonly directory: string;
  /** Does something there; what fails because the way to it is gone is said so. */
  readonly explain: <T>(work: () => Promise<T>) => Promise<T>;
  /** The control plane's nodes; none where no API was asked. */
  readonly nodes: readonly ControlPlaneNode[];
}

interface Cluster {
  readonly layout: LayoutName;
  readonly nodes: readonly ControlPlaneNode[];
  /** Of the debug pod. */
  readonly namespace: string;
}

/**
 * Reaches one through the API server.
 * @throws EtcdkeepError, and as `use`
 */
export async function withNodeThroughApi<T>(
  request: ApiReachRequest,
  use: (node: ReachedNode) => Promise<T>,
): Promise<T> {
  const { api, signal, now } = request;
  const layout = await layoutOfCluster(api);
  const etcd = etcdNamespace(layout);
  const namespace = request.podNamespace ?? etcd;
  await demandPermissions(api, { layout, etcdNamespace: etcd, podNamespace: namespace }, request);
  if (layout === 'openshift') await sayProxy(request);
  await using ending = new AsyncDisposableStack();
  if (request.isBackup) ending.defer(await guard(request));
  await sweepDebugPods(api, namespace, now());
  const nodes = await controlPlaneNodes(api, layout);
  signal.throwIfAborted();
  const reached = await reachOne(request, { layout, nodes, namespace }, ending);
  return await reached.explain(() => use(reached));
}

/** Reaches one by ssh. @throws EtcdkeepError, and as `use` */
export async function withNodeThroughSsh<T>(
  request: ReachRequest & { readonly destination: string },
  use: (node: ReachedNode) => Promise<T>,
): Promise<T> {
  const { destination, report, signal } = request;
  report({ kind: 'reaching-node' });
  await using shell = new SshShell({ destination, leftBehind: warner(report), signal });
  const machine = await demandOutput(shell, shellScript('uname -m'), 'ask what it is');
  // What cannot be sent is known before anything is made.
  const architecture = goArchitecture(machine.trim());
  await request.executableFor(architecture);
  await shell.hold();
  report({ kind: 'node-reached', way: shell.way });
  const executable = await arrive(request, shell, architecture);
  const { directory } = shell;
  const explain = <T>(work: () => Promise<T>): Promise<T> => work();
  return await use({ name: destination, shell, executable, directory, explain, nodes: [] });
}

/** The one that is named, or the only one there is; or the best of them. */
async function reachOne(
  request: ApiReachRequest,
  cluster: Cluster,
  ending: AsyncDisposableStack,
): Promise<ReachedNode> {
  const { node: name, report } = request;
  const { nodes, layout } = cluster;
  const able = name === undefined ? candidates(nodes) : [namedNode(nodes, name)];
  if (able.length > 1) return await reachBest(request, cluster, { able, ending });
  const why = name === undefined ? 'the only one that can be' : 'it was named';
  report({ kind: 'node-chosen', node: able[0]!.name, layout, why });
  return await reach(request, cluster, { node: able[0]!, ending });
}

async function reachBest(
  request: ApiReachRequest,
  cluster: Cluster,
  { able, ending }: { able: readonly ControlPlaneNode[]; ending: AsyncDisposableStack },
): Promise<ReachedNode> {
  const names = able.map(({ name }) => name);
  const room = await roomOfNodes(request.api, names, request.signal);
  const { reached, members, leave } = await askMembers(request, cluster, able);
  ending.use(leave);
  const choice = chooseNode(able, members, room);
  request.report({ kind: 'node-chosen', ...choice, layout: cluster.layout });
  if (choice.node === reached.name) return reached;
  await leave.disposeAsync();
  return await reach(request, cluster, { node: namedNode(cluster.nodes, choice.node), ending });
}

/** On one of the nodes; where that fails, on the next one. @returns that node too, until it is left */
async function askMembers(
  request: ApiReachRequest,
  cluster: Cluster,
  able: readonly ControlPlaneNode[],
): Promise<{ reached: ReachedNode; members: readonly MemberState[]; leave: AsyncDisposableStack }> {
  const { report, signal } = request;
  for (const [index, node] of able.entries()) {
    await using ending = new AsyncDisposableStack();
    try {
      const reached = await reach(request, cluster, { node, ending });
      const { shell, executable, explain } = reached;
      const members = await explain(() => membersSeenFrom(shell, executable));
      return { reached, members, leave: ending.move() };
    } catch (reason) {
      signal.throwIfAborted();
      if (index === able.length - 1 || !(reason instanceof EtcdkeepError)) throw reason;
      report({ kind: 'warning', words: `${node.name}: ${reason.message}; asking the next node` });
    }
  }
  throw new Error('there is no node to ask');
}

async function reach(
  request: ApiReachRequest,
  { layout, nodes, namespace }: Cluster,
  { node, ending }: { node: ControlPlaneNode; ending: AsyncDisposableStack },
): Promise<ReachedNode> {
  const { api, owner, now, report, signal, executableFor } = request;
  // What cannot be sent is known before anything is made.
  await executableFor(node.architecture);
  report({ kind: 'reaching-node' });
  const image = request.image ?? node.etcd?.image;
  if (image === undefined) {
    throw new EtcdkeepError('node-not-found', `the node ${node.name} runs no etcd`, {
      advice: 'name a node that does, or an image for the debug pod with --image',
    });
  }
  const leftBehind = warner(report);
  const wishes = { node, layout, namespace, image, owner, now, leftBehind, signal };
  const pod = ending.use(await DebugPod.create(api, wishes));
  ending.defer(() => report({ kind: 'leaving-node' }));
  report({ kind: 'node-reached', way: pod.way });
  const executable = await pod.explain(() => arrive(request, pod, node.architecture));
  const explain = <T>(work: () => Promise<T>): Promise<T> => pod.explain(work);
  return { name: node.name, shell: pod, executable, directory: pod.directory, explain, nodes };
}

async function arrive(
  { executableFor, report }: ReachRequest,
  shell: NodeShell & { readonly directory: string },
  architecture: string,
): Promise<string> {
  const executable = await executableFor(architecture);
  const { path, sentBytes } = await sendExecutable(shell, executable, shell.directory);
  report({ kind: 'executable-sent', bytes: sentBytes });
  return path;
}

async function sayProxy({ api, signal, report }: ApiReachRequest): Promise<void> {
  const words = await describeClusterProxy(api).catch((reason: unknown) => {
    signal.throwIfAborted();
    if (reason instanceof EtcdkeepError) return `unknown: ${reason.message}`;
    throw reason;
  });
  report({ kind: 'cluster-proxy', words });
}

/** Keeps others from taking a backup of the same cluster meanwhile. @returns ends it */
async function guard(request: ApiReachRequest): Promise<() => Promise<void>> {
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

/** uname's word for a machine, as Go has it. */
function goArchitecture(machine: string): string {
  return machine === 'x86_64' ? 'amd64' : machine === 'aarch64' ? 'arm64' : machine;
}
