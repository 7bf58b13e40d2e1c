// Where a backup is taken to on the node, by what is asked for here; and what of it may not stay there where it was not finished.

import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { sweepStaging } from '../staging.ts';
import type { Target } from '../target.ts';
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

const placeSchema = z.object({ directory: z.string(), resources: z.string() });

/** Where the node is told of a place outside of the run's own directory (controlplane/node-directory.ts). */
export function placeFileIn({ directory }: Pick<ReachedNode, 'directory'>): string {
  return `${directory}/place`;
}

/** On the node: whoever cleans up after the run finds what it has left, also if it was killed. */
export async function rememberPlace(file: string, target: Target): Promise<void> {
  await writeFile(file, JSON.stringify(target), { mode: 0o600 });
}

/** On the node: removes it. @throws EtcdkeepError as `sweepStaging` */
export async function sweepPlace(file: string): Promise<void> {
  await sweepStaging(placeSchema.parse(JSON.parse(await readFile(file, 'utf8'))));
}
