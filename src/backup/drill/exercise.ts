// Tries whether a member that was made of a snapshot works as any other: it takes writes, forgets the past, and makes its
// database smaller. The keys are the drill's own; those of the snapshot stay as they are.

import { randomBytes } from 'node:crypto';
import { EtcdkeepError } from '../../base/errors.ts';
import type { EtcdClient } from '../../etcd/client/client.ts';
import { withPrefix } from '../../etcd/store/key-index.ts';
import { Shortfall } from './shortfall.ts';

const KEYS = 1000;
const VALUE_BYTES = 256;
/** Requests under way at once. */
const BATCH = 50;

/** Keys that were written, and what was written to them. */
export interface WrittenKeys {
  readonly prefix: Buffer;
  readonly values: readonly Buffer[];
}

export interface Exercised {
  readonly written: WrittenKeys;
  /** Up to where it is compacted now. */
  readonly compactRevision: bigint;
  /** Size of the database before and after it was defragmented. */
  readonly bytesBefore: bigint;
  readonly bytesAfter: bigint;
}

/**
 * Writes, compacts between what it wrote, defragments, and reads what it wrote.
 * @param revision of the snapshot, which is compacted too
 * @throws Shortfall; EtcdkeepError of the client
 */
export async function exercise(client: EtcdClient, revision: bigint): Promise<Exercised> {
  const written = await write(client);
  await demandWritten(client, written);
  const { header, dbSize: bytesBefore } = await client.status();
  const compactRevision = header!.revision - BigInt(KEYS / 2);
  await client.compact(compactRevision);
  await demandCompacted(client, revision);
  await client.defragment();
  await demandWritten(client, written);
  const { dbSize: bytesAfter } = await client.status();
  return { written, compactRevision, bytesBefore, bytesAfter };
}

async function demandWritten(client: EtcdClient, { prefix, values }: WrittenKeys): Promise<void> {
  const rangeEnd = Buffer.from(withPrefix(prefix).upper!);
  const { kvs } = await client.range(prefix, { rangeEnd });
  const isSame = kvs.every(({ value }, number) => values[number]?.equals(value) === true);
  if (isSame && kvs.length === values.length) return;
  throw new Shortfall('bad', `of ${values.length} keys that were written, not all are there`);
}

async function write(client: EtcdClient): Promise<WrittenKeys> {
  // 128 bits: it is nobody else's.
  const prefix = Buffer.from(`etcdkeep-drill/${randomBytes(16).toString('hex')}/`);
  const values = Array.from({ length: KEYS }, () => randomBytes(VALUE_BYTES));
  for (let first = 0; first < KEYS; first += BATCH) {
    const batch = values.slice(first, first + BATCH);
    await Promise.all(
      batch.map((value, index) => {
        const number = `${first + index}`.padStart(6, '0');
        return client.put(Buffer.concat([prefix, Buffer.from(number)]), value);
      }),
    );
  }
  return { prefix, values };
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
