// Loads many writes through the gateway, a transaction at a time and several transactions at once.
import { type Gateway, toBuffer, type Write } from './gateway.ts';

/** etcd's --max-txn-ops, and two thirds of its --max-request-bytes. */
const MAX_OPERATIONS = 128;
const MAX_BYTES = 1024 * 1024;

export interface LoadOptions {
  /** Transactions under way at once; the gateway's own concurrency bounds it too. */
  readonly concurrency?: number;
  /** Writes per transaction: 1 gives every write a revision of its own. */
  readonly operations?: number;
}

/**
 * Applies writes. Writes to one key land in the order given; others may overtake each other unless
 * the concurrency is 1.
 */
export async function load(
  gateway: Gateway,
  writes: Iterable<Write>,
  options: LoadOptions = {},
): Promise<void> {
  const concurrency = options.concurrency ?? 4;
  const underWay = new Set<Promise<void>>();
  // Keys that were sent since the last moment at which nothing was under way.
  const pending = new Set<string>();
  const drain = async (): Promise<void> => {
    await Promise.all(underWay);
    pending.clear();
  };
  for (const { batch, keys } of batches(writes, options.operations ?? MAX_OPERATIONS)) {
    if (keys.some((key) => pending.has(key))) await drain();
    if (underWay.size >= concurrency) await Promise.race(underWay);
    for (const key of keys) pending.add(key);
    const sent: Promise<void> = gateway.transaction(batch).then(() => {
      underWay.delete(sent);
    });
    underWay.add(sent);
  }
  await drain();
}

interface Batch {
  readonly batch: Write[];
  readonly keys: string[];
}

/** Cuts writes into transactions that etcd accepts: small enough, and no key twice. */
function* batches(writes: Iterable<Write>, operations: number): Generator<Batch> {
  let batch: Write[] = [];
  let keys = new Set<string>();
  let size = 0;
  for (const write of writes) {
    const key = toBuffer(write.key).toString('latin1');
    const bytes = key.length + ('value' in write ? Buffer.byteLength(write.value) : 0);
    if (batch.length >= operations || keys.has(key) || (size > 0 && size + bytes > MAX_BYTES)) {
      yield { batch, keys: [...keys] };
      batch = [];
      keys = new Set();
      size = 0;
    }
    batch.push(write);
    keys.add(key);
    size += bytes;
  }
  if (batch.length > 0) yield { batch, keys: [...keys] };
}
