// All that a node is made of, found or made: programs, the system, the images.
import { findRelease, prepareRelease } from '../binaries.ts';
import { findPart, type Part, preparePart } from '../parts.ts';
import { SYSTEM } from './debian.ts';
import { images } from './images.ts';
import { BUILT, NODE_ETCD_VERSION, type NodeProgram, type NodePrograms } from './programs.ts';

export interface NodeParts {
  readonly programs: NodePrograms;
  /** A root directory with what Debian has. */
  readonly system: string;
  /** An OCI layout (images.ts). */
  readonly images: string;
}

/** What there is, or one sentence that says what is lacking. */
export type FoundNodeParts = NodeParts | { readonly reason: string };

/** All parts, if they are there already. Takes milliseconds and makes nothing. */
export function findNodeParts(): Promise<FoundNodeParts> {
  return collect({ part: findPart, release: findRelease });
}

/**
 * All parts, made if need be: a quarter of an hour, once.
 * @param tell is told of each where it came from
 */
export function prepareNodeParts(tell: (line: string) => void): Promise<FoundNodeParts> {
  return collect({ part: preparePart, release: prepareRelease }, tell);
}

interface Ways {
  readonly part: typeof findPart;
  readonly release: typeof findRelease;
}

class Missing extends Error {}

async function collect(
  ways: Ways,
  tell: (line: string) => void = () => undefined,
): Promise<FoundNodeParts> {
  const get = async (part: Part): Promise<string> => {
    const start = performance.now();
    const found = await ways.part(part);
    if ('reason' in found) throw new Missing(`${part.name}: ${found.reason}`);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    tell(`${part.name} ${part.version}: from ${found.source}, ${seconds} s`);
    return found.path;
  };
  try {
    const built: Partial<Record<NodeProgram, string>> = {};
    for (const part of BUILT) built[part.name] = await get(part);
    const release = await ways.release(NODE_ETCD_VERSION);
    if ('reason' in release) throw new Missing(`etcd ${NODE_ETCD_VERSION}: ${release.reason}`);
    const { etcd, etcdctl, etcdutl } = release.binaries;
    const programs = { ...built, etcd, etcdctl, etcdutl } as NodePrograms;
    const system = await get(SYSTEM);
    return { programs, system, images: await get(images(system, programs)) };
  } catch (error) {
    if (error instanceof Missing) return { reason: error.message };
    throw error;
  }
}
