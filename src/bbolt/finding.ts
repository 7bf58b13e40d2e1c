// What a check finds wrong in a database: data, in the order in which it is met. The first one is what a
// reader that needs a sound database stops at.

import { EtcdkeepError } from '../base/errors.ts';

/** The stable name of a rule that a database breaks. */
export type Rule =
  /** A meta page, or what it says of the file. */
  | 'meta'
  /** The file is shorter than its pages. */
  | 'truncated'
  /** A page refers to one that is none of the database's. */
  | 'reference'
  /** A page is reached a second time: shared, or its own ancestor. */
  | 'repeated'
  /** A page carries another number, is of another kind, or continues beyond the last. */
  | 'header'
  /** Elements that are not on their page, overlap, or have no key. */
  | 'elements'
  /** Keys of a page that do not rise. */
  | 'key-order'
  /** Keys that are not in the range that the branch above gives. */
  | 'key-range'
  /** The header or the page of an inline bucket, or a key where a bucket should be. */
  | 'bucket'
  /** More levels than any database has. */
  | 'depth'
  /** A branch page with one child: bbolt panics when it has to merge it. */
  | 'single-child'
  /** A leaf page without elements that is not all of its bucket. */
  | 'empty'
  /** A leaf page that bbolt reads, and would not have written. */
  | 'odd'
  /** The freelist, where it is kept in the file. */
  | 'freelist';

/** @typeParam R the rules of whoever checks */
export interface Finding<R extends string = Rule> {
  readonly rule: R;
  /** A sentence without a full stop. */
  readonly message: string;
  readonly page: number;
  /** Of the page, in bytes. */
  readonly offset: number;
}

/** Told of each finding; where it returns, the reader goes on as well as it can. */
export type Found = (finding: Finding) => void;

/** For who needs a sound database: the first finding is an error, `database-damaged`. */
export const stopAtFirst: Found = ({ message, page, offset }) => {
  throw new EtcdkeepError('database-damaged', message, { page, offset });
};
