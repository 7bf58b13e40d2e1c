// One block of page-aligned memory that WebAssembly can read too: chunks of a file are received
// into it, checksummed where they lie, and written from it with O_DIRECT, which refuses buffers
// that do not start at a page. The memory of a WebAssembly.Memory does; a Buffer's or a
// SharedArrayBuffer's need not.
//
//   0                16 KiB              52 KiB                    64 KiB                  64 MiB
//   | CRC-32C tables | CRC-32C workspace | bytes from elsewhere | what reserve() hands out ... |

/** What a reservation starts at and is rounded up to: the largest page of a kernel we run on. */
export const ALIGNMENT = 65_536;

/** Where the tables of CRC-32C lie; crc32c.wat knows this address and that of its workspace. */
export const CRC32C_TABLES_OFFSET = 0;
/** Where bytes from outside the memory are copied to be checksummed. */
export const SCRATCH_OFFSET = 52 * 1024;
export const SCRATCH_SIZE = ALIGNMENT - SCRATCH_OFFSET;

/** Address space only: a page that is never touched costs no memory, but the collector reckons with it. */
const MEMORY_SIZE = 64 * 1024 * 1024;

/** Page-aligned memory that checksums can be computed in; see the layout above. */
export class AlignedMemory {
  readonly wasm: WebAssembly.Memory;
  /** All of the memory, from offset 0. It never moves: the memory does not grow. */
  readonly bytes: Buffer<ArrayBuffer>;
  #reservedEnd = ALIGNMENT;

  /** @param size of all of it, in bytes: a multiple of ALIGNMENT */
  constructor(size = MEMORY_SIZE) {
    const pages = size / 65_536;
    this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.bytes = Buffer.from(this.wasm.buffer);
  }

  /**
   * Hands out `length` bytes that nothing else uses; they are never given back.
   * @returns their offset in the memory, a multiple of ALIGNMENT
   */
  reserve(length: number): number {
    const offset = this.#reservedEnd;
    const end = offset + Math.ceil(length / ALIGNMENT) * ALIGNMENT;
    if (end > this.bytes.length) throw new RangeError(`cannot reserve ${length} bytes`);
    this.#reservedEnd = end;
    return offset;
  }

  /** The bytes at an offset, as a view. */
  view(offset: number, length: number): Buffer<ArrayBuffer> {
    return this.bytes.subarray(offset, offset + length);
  }
}
