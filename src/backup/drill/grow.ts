// Adds a second member to a cluster that was made of a snapshot. That a restored member serves proves little: a data
// directory that was made wrong serves as well, and gives a new member nothing but what was written since. So it is added
// before much is: since 3.6, etcd drops its log after some hundred writes, and then sends all that it has to anybody.

import { EtcdkeepError } from '../../base/errors.ts';
import type { EtcdClient } from '../../etcd/client/client.ts';
import { type ComparedMembers, compareMembers, pause } from './compare-members.ts';
import type { MemberPlace, ScratchMember } from './scratch-member.ts';

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

/**
 * Adds the second one as a learner, lets it vote when it has caught up, and compares it.
 * @throws Shortfall; EtcdkeepError of the client; the signal's reason
 */
export async function grow(request: GrowRequest): Promise<ComparedMembers> {
  const { client, first, place, second, key, signal } = request;
  const id = await client.addLearner(place.peerUrl);
  second.start([first]);
  await promote(client, id, second, signal);
  // From now on, a write has to be in both logs.
  const revision = await client.put(key, Buffer.from('both'));
  return compareMembers(client, second, revision, signal);
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
