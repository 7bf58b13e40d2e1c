// Holds a second member against the first one, by HashKV at a revision: it is over every record that both have.

import { setTimeout as sleep } from 'node:timers/promises';
import type { EtcdClient } from '../../etcd/client/client.ts';
import type { PeerHash } from './peer-hash.ts';
import type { ScratchMember } from './scratch-member.ts';
import { Shortfall } from './shortfall.ts';

const INTERVAL_MS = 50;

export interface ComparedMembers {
  /** Of both. */
  readonly hashKV: number;
  readonly revision: bigint;
  /** Of both; -1 if the past was never compacted. */
  readonly compactRevision: bigint;
}

/**
 * Compares them, once the second one has come so far.
 * @param revision above the one that is compacted: of that one, etcd gives no hash
 * @throws Shortfall; EtcdkeepError of the client; the signal's reason
 */
export async function compareMembers(
  client: EtcdClient,
  second: ScratchMember,
  revision: bigint,
  signal: AbortSignal,
): Promise<ComparedMembers> {
  const { hash, compactRevision } = await client.hashKV(revision);
  const { raftAppliedIndex } = await client.status();
  const added = await hashOf(second, revision, raftAppliedIndex, signal);
  if (compactRevision !== added.compactRevision) {
    throw new Shortfall(
      'bad',
      `a second member is compacted up to revision ${added.compactRevision}, and the first one up to ${compactRevision}`,
    );
  }
  if (hash !== added.hash) {
    throw new Shortfall(
      'bad',
      `a second member got something else: HashKV at revision ${revision} is ${added.hash} there, and ${hash} on the first one`,
    );
  }
  return { hashKV: hash, revision, compactRevision };
}

/**
 * Waits for the second member. One that was sent the log and not what is before it never comes to the revision: it counts
 * its own from 1.
 */
async function hashOf(
  second: ScratchMember,
  revision: bigint,
  appliedIndex: bigint,
  signal: AbortSignal,
): Promise<PeerHash> {
  let revisionAtEnd: bigint | undefined;
  for (;;) {
    second.demandRunning();
    const answer = await second.peerHash(revision, signal);
    if (answer !== undefined) return answer;
    if (revisionAtEnd !== undefined) {
      throw new Shortfall(
        'bad',
        `a second member has all of the log, and is at revision ${revisionAtEnd} and not at ${revision}: it was not sent what the snapshot holds`,
      );
    }
    // Asked for the hash once more after this: the revision may be read a moment before the index.
    revisionAtEnd = await second.revisionAt(appliedIndex, signal);
    await pause(signal);
  }
}

/** @throws the signal's reason */
export async function pause(signal: AbortSignal): Promise<void> {
  await sleep(INTERVAL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
}
