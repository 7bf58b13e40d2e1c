// A database that is written to a file: what comes in the order of the file is put together to larger
// writes.

import type { FileHandle } from 'node:fs/promises';
import { writeError } from '../base/errors.ts';
import type { PageTarget } from './page-target.ts';

const CHUNK_SIZE = 1024 * 1024;

export class FileTarget implements PageTarget {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #signal: AbortSignal | undefined;
  readonly #chunk = Buffer.allocUnsafe(CHUNK_SIZE);
  /** Where the chunk is to go, and how much there is of it. */
  #offset = 0;
  #filled = 0;

  /**
   * @param file open for writing; whoever opened it flushes, syncs and closes it
   * @param path of it, for errors
   * @param signal ends the writing with its own reason
   */
  constructor(file: FileHandle, path: string, signal?: AbortSignal) {
    this.#file = file;
    this.#path = path;
    this.#signal = signal;
  }

  /** @throws EtcdkeepError `disk-full`, `file-failed` */
  write(bytes: Uint8Array, offset: number): undefined | Promise<void> {
    const isNext = offset === this.#offset + this.#filled;
    if (!isNext || this.#filled + bytes.length > CHUNK_SIZE) {
      return this.#writeAfterFlush(bytes, offset);
    }
    this.#chunk.set(bytes, this.#filled);
    this.#filled += bytes.length;
    return undefined;
  }

  /** Hands what is left to the file. */
  async flush(): Promise<void> {
    const length = this.#filled;
    this.#filled = 0;
    await this.#writeAll(this.#chunk.subarray(0, length), this.#offset);
    this.#offset += length;
  }

  async #writeAfterFlush(bytes: Uint8Array, offset: number): Promise<void> {
    await this.flush();
    this.#offset = offset;
    if (bytes.length < CHUNK_SIZE) {
      this.#chunk.set(bytes);
      this.#filled = bytes.length;
      return;
    }
    await this.#writeAll(bytes, offset);
    this.#offset += bytes.length;
  }

  async #writeAll(bytes: Uint8Array, offset: number): Promise<void> {
    this.#signal?.throwIfAborted();
    try {
      for (let written = 0; written < bytes.length; ) {
        const left = bytes.length - written;
        const { bytesWritten } = await this.#file.write(bytes, written, left, offset + written);
        written += bytesWritten;
      }
    } catch (reason) {
      throw writeError(reason, 'write the file', this.#path);
    }
  }
}
