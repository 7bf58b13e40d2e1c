// Where a backup is taken to on the node, by what is asked for here.

import type { ReachedNode } from './reach-node.ts';

/** What lies beside what is judged where it stays. */
const NOT_STAYING = '--skip-check=keys-apart=the backup does not stay on the host';

export interface PlaceRequest {
  /** Where it goes on the node, if it stays there. */
  readonly leaveOnNode: string | undefined;
  /** Where its archive goes, on the node or here, if not beside the snapshot. */
  readonly resourcesDirectory: string | undefined;
  /** Flags of `etcdkeep backup`, for the run on the node. */
  readonly flags: readonly string[];
}

/** The directory there, and the flags with what follows from it. */
export function placeOn(
  node: Pick<ReachedNode, 'directory'>,
  { leaveOnNode, resourcesDirectory, flags }: PlaceRequest,
): { readonly directory: string; readonly flags: readonly string[] } {
  if (leaveOnNode === undefined) {
    return { directory: `${node.directory}/backup`, flags: [...flags, NOT_STAYING] };
  }
  const apart =
    resourcesDirectory === undefined ? [] : [`--static-resources-dir=${resourcesDirectory}`];
  return { directory: leaveOnNode, flags: [...flags, ...apart] };
}
