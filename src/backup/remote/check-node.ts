// The checks before a backup from a workstation: all that such a backup asks, with nothing taken.

import type { ControlPlaneNode } from '../../controlplane/cluster-nodes.ts';
import { roomOfNodes } from '../../controlplane/node-room.ts';
import type { CheckedHost } from '../check.ts';
import type { MemberState } from './choose-node.ts';
import { membersSeenFrom } from './members.ts';
import { type PlaceRequest, placeOn } from './place-on-node.ts';
import {
  type ApiReachRequest,
  type ReachedNode,
  type ReachRequest,
  withNodeThroughApi,
  withNodeThroughSsh,
} from './reach-node.ts';
import { checkOnNode } from './run-on-node.ts';

/** A node of the control plane, as far as it is known. */
export interface NodeState {
  readonly name: string;
  /** Undefined where no API was asked. */
  readonly node: ControlPlaneNode | undefined;
  /** Its own; undefined if it has none, or it could not be asked. */
  readonly member: MemberState | undefined;
  readonly freeBytes: number | undefined;
}

export interface CheckedNode {
  readonly host: CheckedHost;
  readonly nodes: readonly NodeState[];
}

/**
 * Makes them through the API server.
 * @throws EtcdkeepError `permission-missing` with all that is missing, and as a backup does before it begins; nothing is left
 * on the node
 */
export function checkThroughApi(
  request: PlaceRequest & Omit<ApiReachRequest, 'isBackup'>,
): Promise<CheckedNode> {
  return withNodeThroughApi({ ...request, isBackup: false }, async (node) => {
    const names = node.nodes.filter(({ isReady }) => isReady).map(({ name }) => name);
    return checkOn(node, request, await roomOfNodes(request.api, names, request.signal));
  });
}

/** Makes them through ssh. @throws EtcdkeepError as `checkThroughApi` */
export function checkThroughSsh(
  request: PlaceRequest & ReachRequest & { readonly destination: string },
): Promise<CheckedNode> {
  return withNodeThroughSsh(request, (node) => checkOn(node, request, new Map()));
}

async function checkOn(
  node: ReachedNode,
  request: PlaceRequest & ReachRequest,
  room: ReadonlyMap<string, number>,
): Promise<CheckedNode> {
  const host = await checkOnNode({
    ...node,
    ...placeOn(node, request),
    report: request.report,
  });
  const isServing = host.results.some(
    ({ name, result }) => name === 'member-serves' && result === 'passed',
  );
  // Without its own member a host knows of no others.
  const members = isServing ? await membersSeenFrom(node.shell, node.executable) : [];
  const names = new Set([...node.nodes, ...members].map(({ name }) => name));
  const nodes = [...names].toSorted().map((name) => ({
    name,
    node: node.nodes.find((one) => one.name === name),
    member: members.find((one) => one.name === name),
    freeBytes: room.get(name),
  }));
  return { host, nodes };
}
