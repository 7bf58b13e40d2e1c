// The values of bucket `lease`: leasepb.Lease. Its keys are the ids, as 8 bytes, big-endian.
//   1 ID, 2 TTL, 3 RemainingTTL (since 3.4), in seconds
// Source: etcd, server/storage/schema/lease.go, server/lease/leasepb/lease.proto.

import { MessageReader } from './message-reader.ts';

/** etcd refuses longer ones (server/lease/lessor.go, MaxLeaseTTL). */
export const TTL_MAX = 9_000_000_000n;

/** Reads one lease after the other, without an object for each. */
export class LeaseReader {
  id = 0n;
  /** In seconds. */
  ttl = 0n;
  /** What was left of it at the last checkpoint, in seconds; 0 where the leader makes none. */
  remainingTtl = 0n;
  readonly #message = new MessageReader();

  /** @returns what is wrong, as a sentence without a subject, if the bytes are no lease */
  read(bytes: Uint8Array, start = 0, end = bytes.length): string | undefined {
    this.id = 0n;
    this.ttl = 0n;
    this.remainingTtl = 0n;
    const message = this.#message.open(bytes, start, end);
    while (message.next()) {
      if (message.field <= 3 && !message.isVarint) return 'is no lease';
      if (message.field === 1) this.id = message.varint;
      if (message.field === 2) this.ttl = BigInt.asIntN(64, message.varint);
      if (message.field === 3) this.remainingTtl = BigInt.asIntN(64, message.varint);
    }
    return message.isMalformed ? 'is no lease' : undefined;
  }
}
