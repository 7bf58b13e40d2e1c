// The archive of the static resources, taken again when the host changed under our feet.

import { rm } from 'node:fs/promises';
import { EtcdkeepError } from '../base/errors.ts';
import { type Archive, writeArchive } from '../controlplane/archive.ts';
import type { Host } from '../controlplane/host.ts';
import { lookAtStaticResources, type StaticResources } from '../controlplane/static-resources.ts';
import type { Report } from './events.ts';

/** A rollout changes the four pods one after the other, minutes apart; this is for its edges. */
const MAX_ATTEMPTS = 3;

export interface ArchivedResources {
  readonly looked: StaticResources;
  readonly archive: Archive;
}

/**
 * Writes the archive, looks at the host again, and repeats if it is no longer the same.
 * @param firstLook what was reported before the snapshot was taken
 * @throws EtcdkeepError `resources-changing` after three attempts, and what writeArchive throws
 */
export async function archiveResources(
  host: Host,
  firstLook: StaticResources,
  path: string,
  { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
): Promise<ArchivedResources> {
  report({ kind: 'archive-started' });
  let reported = firstLook;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const looked = await lookAtStaticResources(host);
    reportChanged(reported, looked, report);
    reported = looked;
    const archive = await attemptArchive(host, looked, path, signal);
    if (archive !== undefined) return { looked, archive };
    report({ kind: 'archive-outdated', attempt });
    await rm(path, { force: true });
  }
  throw new EtcdkeepError(
    'resources-changing',
    `the static resources changed during each of ${MAX_ATTEMPTS} attempts to archive them`,
  );
}

/** @returns undefined if the host changed meanwhile */
async function attemptArchive(
  host: Host,
  looked: StaticResources,
  path: string,
  signal: AbortSignal,
): Promise<Archive | undefined> {
  try {
    const archive = await writeArchive(host, looked.entries, path, signal);
    const after = await lookAtStaticResources(host);
    return after.fingerprint === looked.fingerprint ? archive : undefined;
  } catch (reason) {
    if (reason instanceof EtcdkeepError && reason.code === 'resources-changing') return undefined;
    throw reason;
  }
}

function reportChanged(before: StaticResources, after: StaticResources, report: Report): void {
  for (const { name, path } of after.pods) {
    if (before.pods.some((pod) => pod.path === path)) continue;
    report({ kind: 'static-pod-found', pod: name, path });
  }
}
