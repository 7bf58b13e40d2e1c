// What is wrong with the buckets beside `key`: the shape of a finding, its rules and its weight.

import type { Finding } from '../../bbolt/finding.ts';

/** The stable name of a rule that a bucket beside `key` breaks. */
export type ContentsRule =
  /** Bucket `lease`, and the leases of keys. */
  | 'lease'
  /** Buckets `members` and `members_removed`, and raft's list of members. */
  | 'member'
  /** Bucket `alarm`. */
  | 'alarm'
  /** Buckets `auth`, `authUsers` and `authRoles`. */
  | 'auth'
  /** A value of bucket `meta` or `cluster`. */
  | 'notes';

/**
 * `error`: etcd could not work with it, or the data are wrong. `warning`: a real etcd leaves it behind, and who
 * restores the database should know.
 */
export type Severity = 'error' | 'warning';

export interface ContentsFinding extends Finding<ContentsRule> {
  readonly severity: Severity;
}

/** Told of each finding as it is met. */
export type ContentsFound = (finding: ContentsFinding) => void;

/** Where something lies in the file. */
export interface Place {
  readonly page: number;
  /** Of the page, in bytes. */
  readonly offset: number;
}

export function contentsError(rule: ContentsRule, message: string, place: Place): ContentsFinding {
  return { rule, severity: 'error', message, page: place.page, offset: place.offset };
}

export function contentsWarning(
  rule: ContentsRule,
  message: string,
  place: Place,
): ContentsFinding {
  return { rule, severity: 'warning', message, page: place.page, offset: place.offset };
}
