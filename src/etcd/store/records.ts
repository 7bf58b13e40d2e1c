// The records of bucket `key` one after the other, in the order of their revisions, as the walk reaches
// them. No record is an object: one shows where each lies in the bytes of its page.

import { databaseDamaged } from '../../bbolt/damage.ts';
import type { LeafPage } from '../../bbolt/page.ts';
import type { TreeVisitor } from '../../bbolt/walk.ts';
import { KeyValueReader } from './key-value.ts';
import { isTombstone, mainRevision, revisionDefect } from './revision-key.ts';

export const KEY_BUCKET = Buffer.from('key');

export class RecordReader {
  bytes: Uint8Array = new Uint8Array(0);
  /** Of the revision, which the value follows. */
  start = 0;
  valueStart = 0;
  valueEnd = 0;
  main = 0n;
  isTombstone = false;
  /** What the value says; its key is empty in the marker of a revision bump. */
  readonly keyValue = new KeyValueReader();

  /** @returns what is wrong, as a sentence, if the element is no record */
  read(leaf: LeafPage, index: number, page: number): string | undefined {
    const { bytes, view } = leaf;
    this.bytes = bytes;
    this.start = leaf.keyStart(index);
    this.valueStart = leaf.keyEnd(index);
    this.valueEnd = leaf.valueEnd(index);
    const defect = revisionDefect(bytes, this.start, this.valueStart);
    if (defect !== undefined) {
      return `the revision in element ${index} of page ${page} ${defect}`;
    }
    this.main = mainRevision(view, this.start);
    this.isTombstone = isTombstone(bytes, this.start, this.valueStart);
    if (leaf.isBucket(index) || !this.keyValue.read(bytes, this.valueStart, this.valueEnd)) {
      return `the value of revision ${this.main} is no key-value`;
    }
    return undefined;
  }

  /** @throws EtcdkeepError `database-damaged` if the element is no record */
  demand(leaf: LeafPage, index: number, page: number): void {
    const defect = this.read(leaf, index, page);
    if (defect === undefined) return;
    const hasRevision = revisionDefect(this.bytes, this.start, this.valueStart) === undefined;
    throw databaseDamaged(defect, { page, ...(hasRevision ? { revision: this.main } : {}) });
  }
}

/** Shows the records to a function, and nothing else of the database. */
export class RecordVisitor implements TreeVisitor {
  readonly #take: (record: RecordReader, number: number) => void;
  readonly #record = new RecordReader();
  #number = 0;

  /** @param take is given each record, and its number, counted from 1 */
  constructor(take: (record: RecordReader, number: number) => void) {
    this.#take = take;
  }

  enterBucket(name: Uint8Array, depth: number): boolean {
    return depth === 1 && KEY_BUCKET.equals(name);
  }

  scannedLeaf(): void {
    throw new Error('no page was scanned');
  }

  /** @throws EtcdkeepError `database-damaged` */
  leaf(leaf: LeafPage, page: number, depth: number): void {
    if (depth !== 1) return;
    for (let index = 0; index < leaf.count; index += 1) {
      this.#record.demand(leaf, index, page);
      this.#number += 1;
      this.#take(this.#record, this.#number);
    }
  }
}
