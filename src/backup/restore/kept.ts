// What a restore has kept of the time before it.

import { lstat, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { namesIn } from '../../base/directory-names.ts';
import { systemCodeOf } from '../../base/errors.ts';
import type { Host } from '../../controlplane/host.ts';
import { KEPT_BY_CLUSTER_RESTORE } from '../../controlplane/stopped-etcd.ts';
import { stoppedManifest } from './manifest.ts';
import type { RestorePlan } from './plan.ts';

export interface Kept {
  /** As the host knows it. */
  readonly path: string;
  /** `data`: with it one could go back; `resources`, `manifest`: what was replaced. */
  readonly kind: 'data' | 'resources' | 'manifest';
  /** What it takes on the disk. */
  readonly bytes: number;
}

/**
 * All that is kept of a restore and still there. It is safe to delete once the cluster has recovered: every operator is
 * available, every node ready, and a new backup was taken and proven.
 */
export async function keptOf(host: Host, plan: RestorePlan): Promise<readonly Kept[]> {
  const { data, etcd, stamp, keptResources } = plan;
  const places: Omit<Kept, 'bytes'>[] = [
    ...(data.kept === undefined ? [] : [{ path: data.kept, kind: 'data' } as const]),
    ...(await namedAfter(host, data.directory, `member-meanwhile-${stamp}`)).map(
      (path) => ({ path, kind: 'data' }) as const,
    ),
    ...(plan.method === 'vendor'
      ? await namedAfter(host, dirname(KEPT_BY_CLUSTER_RESTORE), 'member')
      : []
    ).map((path) => ({ path, kind: 'data' }) as const),
    { path: keptResources, kind: 'resources' },
    ...(
      await namedAfter(host, etcd.stopped, basename(stoppedManifest(plan)).replace(/\.[^.]+$/, ''))
    ).map((path) => ({ path, kind: 'manifest' }) as const),
  ];
  const kept: Kept[] = [];
  for (const place of places) {
    const bytes = await bytesOf(host.realPath(place.path));
    if (bytes !== undefined) kept.push({ ...place, bytes });
  }
  return kept;
}

async function namedAfter(host: Host, directory: string, start: string): Promise<string[]> {
  const names = await namesIn(host.realPath(directory));
  return names.filter((name) => name.startsWith(start)).map((name) => join(directory, name));
}

/** @returns undefined if it is not there */
async function bytesOf(path: string): Promise<number | undefined> {
  try {
    const found = await lstat(path);
    let bytes = found.blocks * 512;
    if (!found.isDirectory()) return bytes;
    for (const name of await readdir(path)) bytes += (await bytesOf(join(path, name))) ?? 0;
    return bytes;
  } catch (reason) {
    if (systemCodeOf(reason) === 'ENOENT') return undefined;
    throw reason;
  }
}
