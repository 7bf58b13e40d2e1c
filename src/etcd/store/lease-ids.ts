// A set of lease ids, 8 bytes each: a cluster may have hundreds of thousands of them.

/** 80 MB; no etcd holds as many leases. */
export const LEASE_IDS_MAX = 10_000_000;

export class LeaseIds {
  readonly #max: number;
  #ids: BigUint64Array<ArrayBuffer>;
  #size = 0;
  /** Whether the ids are in order, each once. */
  #isSettled = true;
  #isFull = false;

  /** @param max ids that are kept */
  constructor(max = LEASE_IDS_MAX) {
    this.#max = max;
    this.#ids = new BigUint64Array(Math.min(max, 256));
  }

  add(id: bigint): void {
    if (this.#isFull || (this.#size > 0 && id === this.#ids[this.#size - 1])) return;
    if (this.#size === this.#ids.length && !this.#makeRoom()) {
      this.#isFull = true;
      return;
    }
    if (this.#size > 0 && id < this.#ids[this.#size - 1]!) this.#isSettled = false;
    this.#ids[this.#size] = id;
    this.#size += 1;
  }

  get size(): number {
    this.#settle();
    return this.#size;
  }

  /** Whether some ids were too many to be kept. */
  get isFull(): boolean {
    return this.#isFull;
  }

  has(id: bigint): boolean {
    this.#settle();
    let [low, high] = [0, this.#size];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ids[middle]! < id) low = middle + 1;
      else high = middle;
    }
    return low < this.#size && this.#ids[low] === id;
  }

  /** In order. */
  *values(): Generator<bigint> {
    this.#settle();
    for (let index = 0; index < this.#size; index += 1) yield this.#ids[index]!;
  }

  #makeRoom(): boolean {
    this.#settle();
    const { length } = this.#ids;
    if (this.#size <= length / 2) return true;
    if (length >= this.#max) return this.#size < length * 0.9;
    const larger = new BigUint64Array(Math.min(2 * length, this.#max));
    larger.set(this.#ids);
    this.#ids = larger;
    return true;
  }

  #settle(): void {
    if (this.#isSettled) return;
    const ids = this.#ids.subarray(0, this.#size).sort();
    let size = 0;
    for (const id of ids) {
      if (size > 0 && ids[size - 1] === id) continue;
      ids[size] = id;
      size += 1;
    }
    this.#size = size;
    this.#isSettled = true;
  }
}
