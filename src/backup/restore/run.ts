// What every step of a restore works with.

import { exists } from '../../base/exists.ts';
import type { Host } from '../../controlplane/host.ts';
import type { RestoreReport } from './events.ts';
import type { Journal } from './journal.ts';
import type { Kept } from './kept.ts';
import type { RestorePlan } from './plan.ts';
import type { Served } from './serve.ts';

/** What the data directory is made of. */
export interface BuildRequest {
  readonly plan: RestorePlan;
  /** The new data directory, as it is seen from here: empty, and `member` is made in it. */
  readonly directory: string;
  readonly progress: (bytes: number, totalBytes: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Makes a data directory from the snapshot of a plan.
 * @returns the live keys in it, where they were counted
 */
export type BuildData = (request: BuildRequest) => Promise<{ readonly keys: number | undefined }>;

/** What of the outside world a run depends on, so that a test can bend it. */
export interface RunOptions {
  readonly build: BuildData;
  readonly report: RestoreReport;
  readonly now: () => Date;
  /** Aborted when the run is told to stop. */
  readonly signal: AbortSignal;
  /** How long etcd may take until it has stopped, in milliseconds; two minutes if left out. */
  readonly stopTimeoutMs?: number;
  /** How often is looked whether it has stopped, or serves; a second if left out. */
  readonly pollMs?: number;
}

export interface Run extends RunOptions {
  readonly host: Host;
  readonly plan: RestorePlan;
  readonly journal: Journal;
}

/** What came of it. */
export interface Restored {
  readonly plan: RestorePlan;
  readonly served: Served;
  /** What is left of the time before. It may be deleted when the cluster has recovered, and is never deleted by us. */
  readonly kept: readonly Kept[];
}

export const POLL_MS = 1000;

/** The first of `path`, `path-2`, `path-3`, ... that nothing has; as the host knows it. */
export async function freeName(host: Host, path: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? path : `${path}-${number}`;
    if (!(await exists(host.realPath(name)))) return name;
  }
}
