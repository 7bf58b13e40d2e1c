// Adds a second member to a cluster that was made of a snapshot. That a restored member serves proves little: a data
// directory that was made wrong serves as well, and gives a new member nothing but what was written since.

import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdkeepError } from '../../base/errors.ts';
import type { EtcdClient } from '../../etcd/client/client.ts';
import type { PeerHash } from './peer-hash.ts';
import type { MemberPlace, ScratchMember } from './scratch-member.ts';
import { Shortfall } from './shortfall.ts';

const INTERVAL_MS = 50;

export interface GrowRequest {
  readonly client: EtcdClient;
  /** Where the first member is. */
  readonly first: MemberPlace;
  /** Where the new one is to be, with nothing in it yet. */
  readonly place: MemberPlace;
  readonly second: ScratchMember;
  /** To write when the new member votes. */
  readonly key: Uint8Array;
  readonly signal: AbortSignal;
}

export interface Grown {
  /** HashKV of both, at a revision and with the same compact revision. */
  readonly hashKV: number;
  readonly revision: bigint;
  readonly compactRevision: bigint;
}

/**
 * Adds the second one as a learner, lets it vote when it has caught up, and compares it.
 * @throws Shortfall; EtcdkeepError of the client; the signal's reason
 */
export async function grow(request: GrowRequest): Promise<Grown> {
  const { client, first, place, second, key, signal } = request;
  const id = await client.addLearner(place.peerUrl);
  second.start([first]);
  await promote(client, id, second, signal);
  // From now on, a write has to be in both logs.
  const revision = await client.put(key, Buffer.from('both'));
  const { hash, compactRevision } = await client.hashKV(revision);
  const added = await peerHash(second, revision, signal);
  compare(revision, { hash, compactRevision }, added);
  return { hashKV: hash, revision, compactRevision };
}

/** Until it has caught up, it may not vote. */
async function promote(
  client: EtcdClient,
  id: bigint,
  second: ScratchMember,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    second.demandRunning();
    try {
      await client.promote(id);
      return;
    } catch (reason) {
      const isBehind =
        reason instanceof EtcdkeepError && /in sync with leader/.test(reason.message);
      if (!isBehind) throw reason;
    }
    await pause(signal);
  }
}

async function peerHash(
  second: ScratchMember,
  revision: bigint,
  signal: AbortSignal,
): Promise<PeerHash> {
  for (;;) {
    second.demandRunning();
    const answer = await second.peerHash(revision, signal);
    if (answer !== undefined) return answer;
    await pause(signal);
  }
}

function compare(revision: bigint, first: PeerHash, second: PeerHash): void {
  if (first.compactRevision !== second.compactRevision) {
    throw new Shortfall(
      'bad',
      `a second member is compacted up to revision ${second.compactRevision}, and the first up to ${first.compactRevision}`,
    );
  }
  if (first.hash === second.hash) return;
  throw new Shortfall(
    'bad',
    `a second member got something else: HashKV at revision ${revision} is ${second.hash} there, and ${first.hash} on the first`,
  );
}

async function pause(signal: AbortSignal): Promise<void> {
  await sleep(INTERVAL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
}
