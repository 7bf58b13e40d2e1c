// Adds a second member to a cluster that was made of a snapshot. That a restored member serves proves little: a data
// directory that was made wrong serves as well, and gives a new member nothing but what was written since.

import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdkeepError } from '../../base/errors.ts';
import type { EtcdClient } from '../../etcd/client/client.ts';
import { demandWritten, type WrittenKeys } from './exercise.ts';
import type { MemberPlace, ScratchMember } from './scratch-member.ts';
import { Shortfall } from './shortfall.ts';

const INTERVAL_MS = 100;

export interface GrowRequest {
  readonly client: EtcdClient;
  /** Where the first member is. */
  readonly first: MemberPlace;
  /** Where the new one is to be, with nothing in it yet. */
  readonly place: MemberPlace;
  readonly second: ScratchMember;
  readonly written: WrittenKeys;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface Grown {
  /** HashKV of both, at a revision and with the same compact revision. */
  readonly hashKV: number;
  readonly revision: bigint;
  readonly compactRevision: bigint;
  /** Alive on both. */
  readonly keys: bigint;
}

/**
 * Adds the second one as a learner, lets it vote when it has caught up, and compares it.
 * @throws Shortfall; EtcdkeepError of the client; the signal's reason
 */
export async function grow(request: GrowRequest): Promise<Grown> {
  const { client, first, place, second, written, timeoutMs, signal } = request;
  const id = await client.addLearner(place.peerUrl);
  second.start([first]);
  const newcomer = await second.connect(timeoutMs, signal);
  try {
    await promote(client, id, signal);
    const { header } = await client.status();
    const revision = header!.revision;
    await untilVoterAt(newcomer, revision, signal);
    const grown = await compareMembers([client, newcomer], revision);
    await demandWritten(newcomer, written);
    return grown;
  } finally {
    newcomer.close();
  }
}

/** A learner may not be asked for its hash. Until it has caught up, it may not vote either. */
async function promote(client: EtcdClient, id: bigint, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await client.promote(id);
      return;
    } catch (reason) {
      const isBehind =
        reason instanceof EtcdkeepError && /in sync with leader/.test(reason.message);
      if (!isBehind) throw reason;
    }
    await sleep(INTERVAL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function untilVoterAt(
  client: EtcdClient,
  revision: bigint,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const { header, isLearner } = await client.status();
    if (!isLearner && header!.revision >= revision) return;
    await sleep(INTERVAL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function compareMembers(members: readonly EtcdClient[], revision: bigint): Promise<Grown> {
  const [old, added] = await Promise.all(members.map((member) => askMember(member, revision)));
  const words = (Object.keys(FIELDS) as (keyof typeof FIELDS)[])
    .filter((field) => old![field] !== added![field])
    .map((field) => `${FIELDS[field]} ${added![field]}, and the first one ${old![field]}`);
  if (words.length === 0) return { ...old!, revision };
  const [what] = words;
  throw new Shortfall('bad', `a second member has at revision ${revision} ${what}`);
}

/** What two members must agree on. */
const FIELDS = { compactRevision: 'compact revision', keys: 'keys:', hashKV: 'HashKV' } as const;

async function askMember(member: EtcdClient, revision: bigint) {
  const all = { rangeEnd: Buffer.of(0), countOnly: true, serializable: true };
  const { count: keys } = await member.range(Buffer.of(0), { ...all, revision });
  const { hash: hashKV, compactRevision } = await member.hashKV(revision);
  return { keys, hashKV, compactRevision };
}
