// What is found wrong in what etcd keeps in a database.

import type { Finding, Rule } from '../../bbolt/finding.ts';

/** The stable name of a rule that what etcd keeps breaks. */
export type StoreRule =
  /** A record of bucket `key` whose revision or value is none. */
  | 'record'
  /** A record that does not fit to itself, or to those of its key before it. */
  | 'history'
  /** A value of bucket `meta` or `cluster` that etcd could not read. */
  | 'notes';

export type StoreFinding = Finding<Rule | StoreRule>;
