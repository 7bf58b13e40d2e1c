// Many cases, several at a time: each lane has a host of its own, since a host has one backup at a time.

import { createOpenshiftHost, type OpenshiftHost } from '../fixtures/openshift-host.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import type { EtcdCluster } from '../servers/etcd.ts';

/** On two cores three runs at a time are done soonest: each waits a part of its time. */
const LANES = 3;

export interface Lane {
  readonly host: OpenshiftHost;
  /** A directory for what the cases need. */
  readonly work: string;
}

/** Makes the lanes for as long as they are used. */
export async function withLanes(
  cluster: EtcdCluster,
  use: (lanes: readonly Lane[]) => Promise<void>,
): Promise<void> {
  const lanes: Lane[] = [];
  try {
    for (let count = 0; count < LANES; count += 1) {
      lanes.push({ host: await createOpenshiftHost(cluster), work: temporaryDirectory() });
    }
    await use(lanes);
  } finally {
    for (const { host, work } of lanes) {
      host.remove();
      removeTemporaryDirectory(work);
    }
  }
}

/**
 * Tries every case in one of the lanes.
 * @param nameOf what a case is called when it fails
 * @throws Error that names every case that failed, and why
 */
export async function tryAll<Case>(
  lanes: readonly Lane[],
  cases: readonly Case[],
  nameOf: (one: Case) => string,
  attempt: (lane: Lane, one: Case) => Promise<void>,
): Promise<void> {
  const waiting = [...cases];
  const failures: string[] = [];
  const work = async (lane: Lane): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      try {
        await attempt(lane, one);
      } catch (reason) {
        failures.push(
          `${nameOf(one)}: ${reason instanceof Error ? reason.message : String(reason)}`,
        );
      }
    }
  };
  await Promise.all(lanes.map(work));
  if (failures.length === 0) return;
  throw new Error(`${failures.length} of ${cases.length} cases failed:\n${failures.join('\n')}`);
}
