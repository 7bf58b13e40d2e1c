// The records of bucket `key` one after the other, in the order of their revisions, as the walk reaches
// them. No record is an object: one shows where each lies in the bytes of its page.

import { databaseDamaged } from '../../bbolt/damage.ts';
import type { LeafPage } from '../../bbolt/page.ts';
import { KeyValueReader } from './key-value.ts';
import {
  isTombstone,
  mainNumber,
  mainRevision,
  revisionDefect,
  subNumber,
} from './revision-key.ts';

export const KEY_BUCKET = Buffer.from('key');

export class RecordReader {
  bytes: Uint8Array = new Uint8Array(0);
  /** Of the revision, which the value follows. */
  start = 0;
  valueStart = 0;
  valueEnd = 0;
  /** Main revision, exact up to 2^53. */
  main = 0;
  isTombstone = false;
  /** What the value says; its key is empty in the marker of a revision bump. */
  readonly keyValue = new KeyValueReader();

  /** Sub revision, exact up to 2^53. */
  get sub(): number {
    return subNumber(this.bytes, this.start);
  }

  get exactMain(): bigint {
    const { buffer, byteOffset } = this.bytes;
    return mainRevision(new DataView(buffer, byteOffset), this.start);
  }

  /** @returns what is wrong, as a sentence, if the element is no record */
  read(leaf: LeafPage, index: number, page: number): string | undefined {
    const { bytes } = leaf;
    this.bytes = bytes;
    this.start = leaf.keyStart(index);
    this.valueStart = leaf.keyEnd(index);
    this.valueEnd = leaf.valueEnd(index);
    const defect = revisionDefect(bytes, this.start, this.valueStart);
    if (defect !== undefined) {
      return `the revision in element ${index} of page ${page} ${defect}`;
    }
    this.main = mainNumber(bytes, this.start);
    this.isTombstone = isTombstone(bytes, this.start, this.valueStart);
    if (leaf.isBucket(index) || !this.keyValue.read(bytes, this.valueStart, this.valueEnd)) {
      return `the value of revision ${this.exactMain} is no key-value`;
    }
    return undefined;
  }

  /** @throws EtcdkeepError `database-damaged` if the element is no record */
  demand(leaf: LeafPage, index: number, page: number): void {
    const defect = this.read(leaf, index, page);
    if (defect === undefined) return;
    const hasRevision = revisionDefect(this.bytes, this.start, this.valueStart) === undefined;
    throw databaseDamaged(defect, { page, ...(hasRevision ? { revision: this.exactMain } : {}) });
  }
}
