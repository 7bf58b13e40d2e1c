// Tries whether a cluster that was made of a snapshot works as any other: it takes writes and forgets the past. The keys
// are the drill's own; those of the snapshot stay as they are.

import { randomBytes } from 'node:crypto';
import { EtcdkeepError } from '../../base/errors.ts';
import type { EtcdClient } from '../../etcd/client/client.ts';
import { withPrefix } from '../../etcd/store/key-index.ts';
import { Shortfall } from './shortfall.ts';

const KEYS = 1000;
const VALUE_BYTES = 256;
/** Requests under way at once. */
const BATCH = 50;

export interface Exercised {
  /** Keys that were written, and read back. */
  readonly keys: number;
  /** After all of it. */
  readonly revision: bigint;
  /** Up to where it is compacted now. */
  readonly compactRevision: bigint;
}

/** What the drill writes begins with it. Of 128 random bits: it is nobody else's. */
export function ownPrefix(): Buffer {
  return Buffer.from(`etcdkeep-drill/${randomBytes(16).toString('hex')}/`);
}

/**
 * Writes, compacts between what it wrote, and reads what it wrote.
 * @param revision of the snapshot, which is compacted too
 * @throws Shortfall; EtcdkeepError of the client
 */
export async function exercise(
  client: EtcdClient,
  prefix: Buffer,
  revision: bigint,
): Promise<Exercised> {
  const own = Buffer.concat([prefix, Buffer.from('written/')]);
  const values = Array.from({ length: KEYS }, () => randomBytes(VALUE_BYTES));
  await write(client, own, values);
  const { header } = await client.status();
  const compactRevision = header!.revision - BigInt(KEYS / 2);
  await client.compact(compactRevision);
  await demandCompacted(client, revision);
  await demandWritten(client, own, values);
  // In every log it comes behind the compaction.
  const last = await client.put(Buffer.concat([prefix, Buffer.from('compacted')]), Buffer.of());
  return { keys: KEYS, revision: last, compactRevision };
}

async function write(client: EtcdClient, prefix: Buffer, values: readonly Buffer[]): Promise<void> {
  for (let first = 0; first < KEYS; first += BATCH) {
    const batch = values.slice(first, first + BATCH);
    await Promise.all(
      batch.map((value, index) => {
        const number = `${first + index}`.padStart(6, '0');
        return client.put(Buffer.concat([prefix, Buffer.from(number)]), value);
      }),
    );
  }
}

async function demandWritten(
  client: EtcdClient,
  prefix: Buffer,
  values: readonly Buffer[],
): Promise<void> {
  const rangeEnd = Buffer.from(withPrefix(prefix).upper!);
  const { kvs } = await client.range(prefix, { rangeEnd });
  const isSame = kvs.every(({ value }, number) => values[number]?.equals(value) === true);
  if (isSame && kvs.length === values.length) return;
  throw new Shortfall('bad', `of ${values.length} keys that were written, not all are there`);
}

/** etcd must know that the past is gone; what is left of it is told by HashKV. */
async function demandCompacted(client: EtcdClient, revision: bigint): Promise<void> {
  try {
    await client.range(Buffer.of(0), { revision, limit: 1 });
  } catch (reason) {
    if (reason instanceof EtcdkeepError && /has been compacted/.test(reason.message)) return;
    throw reason;
  }
  throw new Shortfall('bad', `etcd still reads revision ${revision} after that was compacted`);
}
