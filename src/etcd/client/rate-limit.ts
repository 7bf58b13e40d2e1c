// Keeps a transfer at a rate, by saying how long to wait.

/** Bytes that may go through at once: a burst no longer than this many seconds of the rate. */
const BURST_SECONDS = 0.1;

export class RateLimit {
  readonly #bytesPerMs: number;
  readonly #now: () => number;
  #paidUntil: number;

  /** @param now a clock in milliseconds that never goes back */
  constructor(bytesPerSecond: number, now: () => number = () => performance.now()) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#now = now;
    this.#paidUntil = now();
  }

  /** Counts bytes that went through, and gives the milliseconds to wait before the next ones. */
  take(bytes: number): number {
    const now = this.#now();
    this.#paidUntil = Math.max(this.#paidUntil, now) + bytes / this.#bytesPerMs;
    const ahead = this.#paidUntil - now;
    return ahead > BURST_SECONDS * 1000 ? ahead : 0;
  }

  /** Waits that long, and for the other one. */
  static async sleep(milliseconds: number, other: Promise<void> | undefined): Promise<void> {
    const slept = new Promise((resolve) => {
      // A transfer that is given up must not keep the process for the rest of a long wait.
      setTimeout(resolve, milliseconds).unref();
    });
    await Promise.all([slept, other]);
  }
}
