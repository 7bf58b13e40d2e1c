// Takes a backup of a control-plane host from a workstation: lets etcdkeep take it there, and brings it home. Nothing is left on
// the host but what was asked for.

import type { Backup } from '../take.ts';
import { type Target, targetOf, withTarget } from '../target.ts';
import { bringHome } from './bring-home.ts';
import type { NodeBackup } from './messages.ts';
import { type PlaceRequest, placeFileIn, placeOn } from './place-on-node.ts';
import {
  type ApiReachRequest,
  type ReachedNode,
  type ReachRequest,
  withNodeThroughApi,
  withNodeThroughSsh,
} from './reach-node.ts';
import { backUpOnNode } from './run-on-node.ts';

export interface RemoteRequest extends ReachRequest, PlaceRequest {
  /** Where the backup goes here; undefined if it stays on the node. */
  readonly directory: string | undefined;
  readonly tool: string;
}

/** On the node, or here as well. */
export type RemoteBackup =
  | { readonly kind: 'home'; readonly backup: Backup }
  | { readonly kind: 'node'; readonly backup: NodeBackup; readonly directory: string };

/**
 * Takes it through the API server.
 * @throws EtcdkeepError; nothing new is left, neither here nor on the node, and earlier backups are as they were
 */
export function takeThroughApi(
  request: RemoteRequest & Omit<ApiReachRequest, 'isBackup'>,
): Promise<RemoteBackup> {
  return withHome(request, (target) =>
    withNodeThroughApi({ ...request, isBackup: true }, (node) => takeOn(node, request, target)),
  );
}

/** Takes it through ssh. @throws EtcdkeepError as `takeThroughApi` */
export function takeThroughSsh(
  request: RemoteRequest & { readonly destination: string },
): Promise<RemoteBackup> {
  return withHome(request, (target) =>
    withNodeThroughSsh(request, (node) => takeOn(node, request, target)),
  );
}

async function takeOn(
  node: ReachedNode,
  request: RemoteRequest,
  target: Target | undefined,
): Promise<RemoteBackup> {
  const there = placeOn(node, request);
  const { report, leaveOnNode } = request;
  const remembered = leaveOnNode === undefined ? [] : [`--place-file=${placeFileIn(node)}`];
  const flags = [...there.flags, ...remembered];
  const taken = await backUpOnNode({ ...node, ...there, flags, report });
  const { directory: from } = there;
  if (target === undefined) return { kind: 'node', backup: taken, directory: from };
  const { shell, executable } = node;
  const backup = await bringHome(taken, { ...request, shell, executable, from, target });
  return { kind: 'home', backup };
}

function withHome<T>(
  { directory, resourcesDirectory }: RemoteRequest,
  take: (target: Target | undefined) => Promise<T>,
): Promise<T> {
  if (directory === undefined) return take(undefined);
  const target = targetOf(directory, resourcesDirectory);
  return withTarget(target, () => take(target));
}
