// The values of bucket `key`: mvccpb.KeyValue.
//   1 key, 2 create_revision, 3 mod_revision, 4 version, 5 value, 6 lease

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** Field numbers that are varints, as bits; the others below 7 are bytes. */
const VARINT_FIELDS = (1 << 2) | (1 << 3) | (1 << 4) | (1 << 6);
const LAST_FIELD = 6;

/** Reads one record after the other, without an object for each. */
export class KeyValueReader {
  /** The user's key in the bytes; empty in the marker of a revision bump. */
  keyStart = 0;
  keyEnd = 0;
  // The rest is 0 in a tombstone; the numbers are exact up to 2^53.
  createRevision = 0;
  modRevision = 0;
  /** Changes of the key since it was created. */
  version = 0;
  /** The user's value in the bytes; both 0 where it is empty. */
  userValueStart = 0;
  userValueEnd = 0;
  #createStart = -1;
  #leaseStart = -1;
  #bytes: Uint8Array = new Uint8Array(0);
  #position = 0;
  #end = 0;

  /** @returns whether the bytes are a well-formed message */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    this.#bytes = bytes;
    this.#position = start;
    this.#end = end;
    this.keyStart = start;
    this.keyEnd = start;
    this.createRevision = 0;
    this.modRevision = 0;
    this.version = 0;
    this.userValueStart = 0;
    this.userValueEnd = 0;
    this.#createStart = -1;
    this.#leaseStart = -1;
    while (this.#position < end) {
      if (!this.#readField()) return false;
    }
    return true;
  }

  get hasLease(): boolean {
    return this.#leaseStart >= 0;
  }

  /** Id of the lease, of 63 bits; 0 if the key has none. */
  get lease(): bigint {
    return this.#exact(this.#leaseStart);
  }

  /** `createRevision`, exact beyond 2^53 as well. */
  get exactCreateRevision(): bigint {
    const { createRevision } = this;
    return Number.isSafeInteger(createRevision)
      ? BigInt(createRevision)
      : this.#exact(this.#createStart);
  }

  #exact(start: number): bigint {
    if (start < 0) return 0n;
    let value = 0n;
    for (let at = start, shift = 0n; ; at += 1, shift += 7n) {
      const byte = this.#bytes[at]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
  }

  #readField(): boolean {
    const tag = this.#readVarint();
    const field = Math.floor(tag / 8);
    const type = tag % 8;
    // Also refuses the -1 of a varint that is cut off.
    if (field < 1) return false;
    if (field <= LAST_FIELD && type !== ((VARINT_FIELDS >> field) & 1 ? VARINT : BYTES)) {
      return false;
    }
    switch (type) {
      case VARINT: {
        if (field === 2) this.#createStart = this.#position;
        if (field === 6) this.#leaseStart = this.#position;
        const value = this.#readVarint();
        if (field === 2) this.createRevision = value;
        if (field === 3) this.modRevision = value;
        if (field === 4) this.version = value;
        return value >= 0;
      }
      case BYTES: {
        const length = this.#readVarint();
        const start = this.#position;
        if (length < 0 || length > this.#end - start) return false;
        this.#position += length;
        if (field === 1) {
          this.keyStart = start;
          this.keyEnd = this.#position;
        }
        if (field === 5) {
          this.userValueStart = start;
          this.userValueEnd = this.#position;
        }
        return true;
      }
      case FIXED64:
        this.#position += 8;
        return this.#position <= this.#end;
      case FIXED32:
        this.#position += 4;
        return this.#position <= this.#end;
      default:
        return false;
    }
  }

  /** @returns the number, exact up to 2^53; -1 if the bytes end or it is longer than 64 bits */
  #readVarint(): number {
    let value = 0;
    let factor = 1;
    for (let length = 0; length < 10 && this.#position < this.#end; length += 1) {
      const byte = this.#bytes[this.#position]!;
      this.#position += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    return -1;
  }
}
