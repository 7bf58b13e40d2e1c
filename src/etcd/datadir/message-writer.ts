// The bytes of raft's small protobuf messages, field by field in the order in which they are given. Those of etcd up to
// 3.6 are written by gogo/protobuf, which writes a field also where it is zero, so a library that leaves
// zeros out gives other bytes.

const VARINT = 0n;
const BYTES = 2n;

export class MessageWriter {
  readonly #bytes: number[] = [];

  /** A number of 64 bits without a sign. */
  number(field: number, value: bigint | number): this {
    this.#varint((BigInt(field) << 3n) | VARINT);
    this.#varint(BigInt.asUintN(64, BigInt(value)));
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#varint((BigInt(field) << 3n) | BYTES);
    this.#varint(BigInt(value.length));
    for (const byte of value) this.#bytes.push(byte);
    return this;
  }

  finish(): Buffer {
    return Buffer.from(this.#bytes);
  }

  #varint(value: bigint): void {
    let rest = value;
    for (; rest >= 0x80n; rest >>= 7n) this.#bytes.push(Number(rest & 0x7fn) | 0x80);
    this.#bytes.push(Number(rest));
  }
}
