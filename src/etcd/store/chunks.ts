// The pieces of memory that a file is read into. Most often one of them is enough: it is free again as soon as it was
// looked at. Where its bytes are written elsewhere meanwhile, the next ones are read into another.

import type { AlignedMemory } from '../../base/aligned-memory.ts';

export class Chunks implements AsyncDisposable {
  readonly #memory: AlignedMemory;
  readonly #size: number;
  /** How many more there may be. */
  #left: number;
  readonly #free: number[] = [];
  /** What is done with the others, in the order in which that began. */
  readonly #busy = new Map<number, Promise<void>>();

  /** @param size of each, in bytes @param count of them at most */
  constructor(memory: AlignedMemory, size: number, count: number) {
    this.#memory = memory;
    this.#size = size;
    this.#left = count;
  }

  /** @returns the offset of one in the memory, or undefined if all are busy */
  free(): number | undefined {
    const chunk = this.#free.pop();
    if (chunk !== undefined || this.#left === 0) return chunk;
    this.#left -= 1;
    return this.#memory.reserve(this.#size);
  }

  /** Waits for the one that has been busy longest. @throws what has kept it busy and failed */
  async nextFree(): Promise<number> {
    const [longest] = this.#busy;
    const [chunk, use] = longest!;
    await use;
    this.#busy.delete(chunk);
    return chunk;
  }

  /** @param use after which it is free again; undefined if that is now */
  release(chunk: number, use: Promise<void> | undefined): void {
    if (use === undefined) {
      this.#free.push(chunk);
      return;
    }
    // Whoever waits for it hears of a failure; until then nobody has to.
    use.catch(() => undefined);
    this.#busy.set(chunk, use);
  }

  /** Waits until none is busy. @throws the first failure */
  async settle(): Promise<void> {
    await Promise.all(this.#busy.values());
    this.#busy.clear();
  }

  /** Whatever has happened, nobody reads from the memory any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#busy.values());
  }
}
