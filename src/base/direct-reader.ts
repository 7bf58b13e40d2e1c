// A file that is read around the page cache where the file system can (O_DIRECT). What direct-file.ts has written is not in there:
// to read a gigabyte of it through the cache costs 0.7 s of system time on two idle cores, and twice that on busy ones; 0.05 s so.

import { constants, type FileHandle, open } from 'node:fs/promises';
import { DIRECT_ALIGNMENT, isDirectRefused } from './direct-file.ts';

/** A file that is there; it is not written meanwhile. */
export class DirectReader implements AsyncDisposable {
  readonly size: number;
  readonly #buffered: FileHandle;
  #direct: FileHandle | undefined;

  private constructor(size: number, buffered: FileHandle, direct: FileHandle | undefined) {
    this.size = size;
    this.#buffered = buffered;
    this.#direct = direct;
  }

  /** @throws the errors of node:fs */
  static async open(path: string): Promise<DirectReader> {
    const buffered = await open(path);
    try {
      const { size } = await buffered.stat();
      const direct = await open(path, constants.O_RDONLY | constants.O_DIRECT).catch(
        () => undefined,
      );
      return new DirectReader(size, buffered, direct);
    } catch (reason) {
      await buffered.close();
      throw reason;
    }
  }

  /**
   * Fills bytes from an offset on. Only page-aligned memory (aligned-memory.ts), multiples of 4096 of it, is filled around the page
   * cache, and only from such an offset.
   * @returns how many there were: fewer than asked for at the file's end, if nowhere else
   * @throws the errors of node:fs
   */
  async read(bytes: Uint8Array, offset: number): Promise<number> {
    let filled = await this.#readDirect(bytes, offset);
    for (;;) {
      const rest = bytes.length - filled;
      if (rest === 0 || offset + filled >= this.size) return filled;
      const { bytesRead } = await this.#buffered.read(bytes, filled, rest, offset + filled);
      if (bytesRead === 0) return filled;
      filled += bytesRead;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#buffered.close(), this.#direct?.close()]);
  }

  async #readDirect(bytes: Uint8Array, offset: number): Promise<number> {
    const isAligned = [bytes.byteOffset, bytes.length, offset].every(
      (number) => number % DIRECT_ALIGNMENT === 0,
    );
    if (this.#direct === undefined || !isAligned) return 0;
    try {
      const { bytesRead } = await this.#direct.read(bytes, 0, bytes.length, offset);
      return bytesRead;
    } catch (reason) {
      if (!isDirectRefused(reason)) throw reason;
      await this.#direct.close();
      this.#direct = undefined;
      return 0;
    }
  }
}
