// The sub revisions of a transaction: its changes are counted from 0 (etcd, server/storage/mvcc/kvstore_txn.go, put and
// delete). Where nothing is compacted none is missing.

import type { RecordReader } from './records.ts';

export class SubOrder {
  readonly #compactRevision: number;
  /** NaN where it is not known. */
  #main = 0;
  #sub = 0;

  /** @param compactRevision up to it records may be gone */
  constructor(compactRevision: bigint) {
    this.#compactRevision = Number(compactRevision);
  }

  /** What is wrong with a record that is not what can follow, as a sentence without its subject. */
  get gap(): string {
    return `has a change ${this.#sub} without the one before it`;
  }

  /** What comes next may be anything: records before it are lost. */
  forget(): void {
    this.#main = Number.NaN;
  }

  /** Takes a record whatever came before it. */
  begin({ main, sub }: RecordReader): boolean {
    this.set(main, sub);
    return true;
  }

  set(main: number, sub: number): void {
    this.#main = main;
    this.#sub = sub;
  }

  /** Whether a record is what can follow the one before; it is the one before the next. */
  isNext({ main, sub }: RecordReader): boolean {
    return this.follows(main, sub);
  }

  follows(main: number, sub: number): boolean {
    const isKnown = !Number.isNaN(this.#main);
    const expected = main === this.#main ? this.#sub + 1 : 0;
    this.set(main, sub);
    return !isKnown || main <= this.#compactRevision || sub === expected;
  }
}
