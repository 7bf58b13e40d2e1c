// A database in memory that counts what is read of it, so that work without end is found without a clock.
import type { PageSource } from '../../src/bbolt/page-source.ts';
import { Fault } from './target.ts';

/**
 * What a reader may read, in sizes of the file: it scans the file once, reads its branch pages ahead, walks the
 * notes and the rest, and each of these meets a page once.
 */
const READS_OF_SIZE_MAX = 8;
/** Metas, of which every possible place is looked at, and headers. */
const READS_MORE_MAX = 4096;

export class CountingSource implements PageSource {
  readonly size: number;
  bytesRead = 0;
  readonly #bytes: Uint8Array;
  readonly #limit: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.size = bytes.length;
    this.#limit = READS_OF_SIZE_MAX * bytes.length + READS_MORE_MAX;
  }

  read(into: Uint8Array, offset: number): undefined {
    if (!(offset >= 0 && offset + into.length <= this.size)) {
      throw new Fault(`${into.length} bytes are read at ${offset} of ${this.size}`);
    }
    this.bytesRead += into.length;
    if (this.bytesRead > this.#limit)
      throw new Fault(`${this.bytesRead} bytes of ${this.size} are read`);
    into.set(this.#bytes.subarray(offset, offset + into.length));
    return undefined;
  }
}
