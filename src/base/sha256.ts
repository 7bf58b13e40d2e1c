// SHA-256 of bytes that pass by. Of many of them it takes as long as all else that a reader does with them: a thread of
// its own does it in the same time, on the second core.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Pieces of memory that the two threads share; the one fills them, the other empties them. */
const SLOTS = 4;
const SLOT_SIZE = 1024 * 1024;

/** What the thread is told: a slot's bytes, or that these last ones end the stream. */
export type ToThread =
  | { readonly slot: number; readonly length: number }
  | { readonly tail: Uint8Array };

/** What it tells: a slot that is free again, or the digests in hex. */
export type FromThread = { readonly slot: number } | Digests;

export interface Digests {
  /** Of all bytes but the tail. */
  readonly body: string;
  /** Of all bytes. */
  readonly whole: string;
}

export interface ThreadData {
  readonly memory: SharedArrayBuffer;
  readonly slotSize: number;
}

export interface Sha256Stream extends AsyncDisposable {
  /** @returns when the bytes may be used again: a promise only where that is not at once */
  update(bytes: Uint8Array): Promise<void> | undefined;
  /** @param tail last bytes of the stream, which only the whole digest is of */
  finish(tail: Uint8Array): Promise<Digests>;
}

/** From how many bytes on a thread is worth its start. */
const THREAD_FROM = 32 * 1024 * 1024;

/** @param bytes that are expected */
export function startSha256(bytes: number): Sha256Stream {
  if (bytes >= THREAD_FROM) return new Sha256Thread();
  const hash = createHash('sha256');
  return {
    update: (part) => void hash.update(part),
    finish: (tail) => {
      const body = hash.copy().digest('hex');
      return Promise.resolve({ body, whole: hash.update(tail).digest('hex') });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

export class Sha256Thread implements Sha256Stream {
  readonly #worker: Worker;
  readonly #memory = new SharedArrayBuffer(SLOTS * SLOT_SIZE);
  readonly #free = Array.from({ length: SLOTS }, (_, slot) => slot);
  /** The newest bytes that are not yet handed over. */
  #pending: Promise<void> | undefined;
  #wake = (): void => undefined;
  #failure: Error | undefined;
  #digests: Digests | undefined;

  constructor() {
    const workerData: ThreadData = { memory: this.#memory, slotSize: SLOT_SIZE };
    this.#worker = new Worker(new URL('./sha256-worker.ts', import.meta.url), { workerData });
    this.#worker.on('message', (message: FromThread) => {
      if ('slot' in message) this.#free.push(message.slot);
      else this.#digests = message;
      this.#wake();
    });
    this.#worker.on('error', (reason: Error) => {
      this.#failure = reason;
      this.#wake();
    });
  }

  update(bytes: Uint8Array): Promise<void> | undefined {
    const before = this.#pending;
    if (before === undefined && bytes.length <= SLOT_SIZE && this.#free.length > 0) {
      this.#send(bytes);
      return undefined;
    }
    // One at a time waits for the thread, and the bytes stay in their order.
    const pending = (before ?? Promise.resolve())
      .then(() => this.#updateSlowly(bytes))
      .finally(() => {
        if (this.#pending === pending) this.#pending = undefined;
      });
    this.#pending = pending;
    return pending;
  }

  async #updateSlowly(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length; start += SLOT_SIZE) {
      await this.#until(() => this.#free.length > 0);
      this.#send(bytes.subarray(start, start + SLOT_SIZE));
    }
  }

  #send(bytes: Uint8Array): void {
    const slot = this.#free.pop()!;
    new Uint8Array(this.#memory, slot * SLOT_SIZE, bytes.length).set(bytes);
    this.#worker.postMessage({ slot, length: bytes.length } satisfies ToThread);
  }

  async finish(tail: Uint8Array): Promise<Digests> {
    await this.#pending;
    this.#worker.postMessage({ tail } satisfies ToThread);
    await this.#until(() => this.#digests !== undefined);
    return this.#digests!;
  }

  async #until(isMet: () => boolean): Promise<void> {
    while (!isMet()) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.#worker, 'exit');
    await this.#worker.terminate();
    await gone.catch(() => undefined);
  }
}
