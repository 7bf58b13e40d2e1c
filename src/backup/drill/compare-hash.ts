// Holds a member's revision and HashKV against those of the snapshot that it was made of.

import type { EtcdClient } from '../../etcd/client/client.ts';
import type { Expected } from './expected.ts';
import { Shortfall } from './shortfall.ts';

type Hashes = Pick<Expected, 'revision' | 'compactRevision' | 'hashKV' | 'hasLeases'>;

/**
 * Compares both. It is asked for the newest revision first: of one that is compacted, etcd gives a hash that it kept from
 * before, or none (server/storage/mvcc/hash.go, hashStorage.HashByRev).
 * @throws Shortfall; EtcdkeepError of the client
 */
export async function compareHash(client: EtcdClient, expected: Hashes): Promise<void> {
  const { revision, compactRevision, hasLeases } = expected;
  const newest = await client.hashKV();
  const { hashRevision } = newest;
  // Before 3.6 it does not say which one it hashed.
  const at = hashRevision === 0n ? (newest.header?.revision ?? 0n) : hashRevision;
  if (at < revision || (at > revision && !hasLeases)) {
    throw new Shortfall(
      'bad',
      `etcd starts at revision ${at}, and the snapshot ends at ${revision}`,
    );
  }
  if (at > revision && revision <= compactRevision) {
    const reason = `leases ended before HashKV at revision ${revision} could be asked for`;
    throw new Shortfall('unproven', reason);
  }
  judge(at === revision ? newest : await client.hashKV(revision), expected);
}

function judge(
  answer: { readonly hash: number; readonly compactRevision: bigint },
  { revision, compactRevision, hashKV }: Hashes,
): void {
  if (never(answer.compactRevision) !== never(compactRevision)) {
    throw new Shortfall(
      'bad',
      `etcd has compacted up to revision ${answer.compactRevision}, and the snapshot up to ${compactRevision}`,
    );
  }
  if (answer.hash === hashKV) return;
  throw new Shortfall(
    'bad',
    `HashKV at revision ${revision} is ${answer.hash} by etcd, and ${hashKV} by the snapshot`,
  );
}

/** Of a store that was never compacted, versions differ in what they say: -1 or 0. */
function never(compactRevision: bigint): bigint {
  return compactRevision < 0n ? 0n : compactRevision;
}
