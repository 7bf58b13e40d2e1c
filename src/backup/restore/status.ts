// How far a restored cluster has recovered, as far as one of its hosts can see: from "etcd serves" on. What cannot be asked
// is unknown, and nothing is ever approved or changed.

import { EtcdkeepError } from '../../base/errors.ts';
import type { Host } from '../../controlplane/host.ts';
import { openLocalApi } from '../../controlplane/local-api.ts';
import type { EtcdClient } from '../../etcd/client/client.ts';
import { type ApiStatus, askApi } from './api-status.ts';
import { isUnfinished, type JournalEntry, type KnownRestore } from './journal.ts';
import { type Kept, keptOf } from './kept.ts';
import { findRestore } from './known-restores.ts';
import { connectToMember } from './member-client.ts';
import type { RestorePlan } from './plan.ts';
import { ask, onlyOurs, type Seen } from './seen.ts';

/** `started`: etcd was told to start on the restored data, and nobody has seen it serve. */
export type RestorePhase = 'unfinished' | 'started' | 'served' | 'rolling back' | 'rolled back';

export interface MemberStatus {
  readonly version: string;
  readonly revision: bigint;
  readonly members: readonly {
    /** Empty as long as it has not started. */
    readonly name: string;
    readonly peerUrls: readonly string[];
    readonly isLearner: boolean;
  }[];
  readonly alarms: number;
}

export interface RestoreStatus {
  readonly plan: RestorePlan;
  readonly phase: RestorePhase;
  readonly journal: readonly JournalEntry[];
  readonly etcd: Seen<MemberStatus>;
  readonly api: ApiStatus;
  readonly kept: readonly Kept[];
}

export interface StatusOptions {
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

/** For one request of the API server. */
const API_TIMEOUT_MS = 10_000;

/**
 * Looks at a restore and at what has become of it.
 * @param stamp of the restore; that of the newest if undefined
 * @throws EtcdkeepError `restore-not-found`, `restore-journal-invalid`, `file-failed`; the signal's reason
 */
export async function statusOf(
  host: Host,
  stamp: string | undefined,
  options: StatusOptions,
): Promise<RestoreStatus> {
  const known = await findRestore(host, stamp, () => true);
  const { plan, entries: journal } = known;
  const { signal } = options;
  const client = await connectToMember({ host, plan, ...options }).catch(onlyOurs);
  const api = await openLocalApi(host, API_TIMEOUT_MS, signal).catch(onlyOurs);
  try {
    return {
      plan,
      phase: phaseOf(known),
      journal,
      etcd:
        client instanceof EtcdkeepError
          ? { unknown: client.message }
          : await ask(() => askMember(client)),
      api: await askApi(api, client, { layout: host.layout, now: options.now }),
      kept: await keptOf(host, plan),
    };
  } finally {
    if (!(client instanceof EtcdkeepError)) client.close();
    if (!(api instanceof EtcdkeepError)) api.close();
  }
}

function phaseOf({ state }: KnownRestore): RestorePhase {
  if (state.rollback === 'done') return 'rolled back';
  if (state.rollback === 'begun') return 'rolling back';
  if (isUnfinished(state)) return 'unfinished';
  return state.done.has('serve') ? 'served' : 'started';
}

async function askMember(client: EtcdClient): Promise<MemberStatus> {
  const { version, header } = await client.status();
  const members = await client.memberList();
  return {
    version,
    revision: header!.revision,
    members: members.map(({ name, peerURLs: peerUrls, isLearner }) => ({
      name,
      peerUrls,
      isLearner,
    })),
    alarms: (await client.alarmList()).length,
  };
}
