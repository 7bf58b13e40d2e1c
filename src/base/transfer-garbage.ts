// Keeps the memory of a long transfer flat. What passes through lies in short-lived buffers outside
// of V8's heap, and V8 frees them when its own small heap is full: now after 10 MB, now after 100.
// Collected by the bytes that passed, the peak of a save is the same in every run (about 120 MB
// instead of 120 to 220), for about 8 % of its CPU time.

/** Buffers are freed by collecting the young objects that hold them. */
const MINOR_BYTES = 4 << 20;
/** What was alive at two such moments is freed by collecting everything, which takes some 10 ms. */
const MAJOR_BYTES = 96 << 20;

export class TransferGarbage {
  readonly #collect = globalThis.gc;
  #sinceMinor = 0;
  #sinceMajor = 0;

  /** Counts bytes that passed through. Does nothing where Node runs without --expose-gc. */
  passed(bytes: number): void {
    this.#sinceMinor += bytes;
    this.#sinceMajor += bytes;
    if (this.#sinceMinor < MINOR_BYTES) return;
    const isMajor = this.#sinceMajor >= MAJOR_BYTES;
    this.#collect?.({ type: isMajor ? 'major' : 'minor', execution: 'sync' });
    this.#sinceMinor = 0;
    if (isMajor) this.#sinceMajor = 0;
  }
}
