// CRC-32C (Castagnoli), the checksum of everything in etcd: snapshot status, HashKV, WAL. Node has
// no such function: zlib.crc32 is of another polynomial. The work is done by crc32c.wat.

import type { AlignedMemory } from './aligned-memory.ts';
import { CRC32C_TABLES_OFFSET, SCRATCH_OFFSET, SCRATCH_SIZE } from './aligned-memory.ts';
import { CRC32C_WASM } from './crc32c.wasm.ts';

/** The polynomial with its bits reversed, x^31 in the lowest: how CRC-32C is defined (RFC 3720, B.4). */
export const POLYNOMIAL = 0x82f63b78;

type Update = (crc: number, offset: number, length: number) => number;

let compiled: WebAssembly.Module | undefined;

/** Checksums of bytes, without a copy where they lie in the memory it was made for. */
export class Crc32c {
  readonly #memory: AlignedMemory;
  readonly #update: Update;

  constructor(memory: AlignedMemory) {
    this.#memory = memory;
    fillTables(new Uint32Array(memory.bytes.buffer, CRC32C_TABLES_OFFSET, 16 * 256));
    compiled ??= new WebAssembly.Module(Buffer.from(CRC32C_WASM, 'base64'));
    const instance = new WebAssembly.Instance(compiled, { base: { memory: memory.wasm } });
    this.#update = instance.exports.update as Update;
  }

  /**
   * Goes on with a checksum over bytes of the memory.
   * @param crc what came before; 0 at the start
   * @param offset of the bytes in the memory, which they must not leave
   */
  updateAt(crc: number, offset: number, length: number): number {
    return this.#update(crc, offset, length) >>> 0;
  }

  /** Goes on with a checksum over any bytes; those outside the memory are copied through it. */
  update(crc: number, bytes: Uint8Array): number {
    if (bytes.buffer === this.#memory.bytes.buffer) {
      return this.updateAt(crc, bytes.byteOffset, bytes.length);
    }
    for (let start = 0; start < bytes.length; start += SCRATCH_SIZE) {
      const part = bytes.subarray(start, start + SCRATCH_SIZE);
      this.#memory.bytes.set(part, SCRATCH_OFFSET);
      crc = this.updateAt(crc, SCRATCH_OFFSET, part.length);
    }
    return crc;
  }
}

/** Table k holds, for each byte, the checksum of that byte followed by k zero bytes. */
function fillTables(tables: Uint32Array): void {
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    tables[byte] = crc;
  }
  for (let index = 256; index < tables.length; index += 1) {
    const before = tables[index - 256]!;
    tables[index] = (before >>> 8) ^ tables[before & 0xff]!;
  }
}
