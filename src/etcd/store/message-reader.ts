// The small protobuf messages of a database, field by field, without an object for each: leases, alarms,
// users, roles. Records of bucket `key` have a reader of their own, key-value.ts.

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A varint of 64 bits takes as many bytes. */
const VARINT_SIZE_MAX = 10;

export class MessageReader {
  /** Number of the field that `next` came to. */
  field = 0;
  /** Whether it is a number; else `start` and `end` are where its bytes lie. */
  isVarint = false;
  /** The number, of 64 bits without a sign. */
  varint = 0n;
  start = 0;
  end = 0;
  /** Whether `next` ended because the bytes are no message. */
  isMalformed = false;
  #bytes: Uint8Array = new Uint8Array(0);
  #position = 0;
  #limit = 0;

  /** Begins with a message in the bytes. */
  open(bytes: Uint8Array, start = 0, end = bytes.length): this {
    this.#bytes = bytes;
    this.#position = start;
    this.#limit = end;
    this.isMalformed = false;
    return this;
  }

  /** Goes to the next field, over fixed ones, of which etcd has none here. @returns false at the end */
  next(): boolean {
    while (this.#position < this.#limit) {
      if (!this.#readField()) {
        this.isMalformed = true;
        return false;
      }
      if (this.field > 0) return true;
    }
    return false;
  }

  #readField(): boolean {
    if (!this.#readVarint()) return false;
    const type = Number(this.varint & 7n);
    const field = Number(this.varint >> 3n);
    if (field < 1 || field >= 2 ** 29) return false;
    this.field = field;
    this.isVarint = type === VARINT;
    if (type === VARINT) return this.#readVarint();
    if (type === BYTES) return this.#readLength();
    if (type !== FIXED64 && type !== FIXED32) return false;
    this.field = 0;
    this.#position += type === FIXED64 ? 8 : 4;
    return this.#position <= this.#limit;
  }

  #readLength(): boolean {
    if (!this.#readVarint() || this.varint > BigInt(this.#limit - this.#position)) return false;
    this.start = this.#position;
    this.#position += Number(this.varint);
    this.end = this.#position;
    return true;
  }

  #readVarint(): boolean {
    // Two numbers of 28 bits and one of 8: a bigint for each byte would be slow.
    let [low, middle, high] = [0, 0, 0];
    for (let length = 0; length < VARINT_SIZE_MAX && this.#position < this.#limit; length += 1) {
      const byte = this.#bytes[this.#position]!;
      this.#position += 1;
      const bits = (byte & 0x7f) << (7 * (length & 3));
      if (length < 4) low += bits;
      else if (length < 8) middle += bits;
      else high += bits;
      if (byte >= 0x80) continue;
      this.varint =
        high === 0 && middle < 2 ** 25
          ? BigInt(middle * 2 ** 28 + low)
          : BigInt.asUintN(64, (BigInt(high) << 56n) | (BigInt(middle) << 28n) | BigInt(low));
      return true;
    }
    return false;
  }
}
