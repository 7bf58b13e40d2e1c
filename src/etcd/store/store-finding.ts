// What is found wrong in what etcd keeps in a database.

import type { Finding, Rule } from '../../bbolt/finding.ts';
import type { ContentsRule, Severity } from './contents-finding.ts';

/** The stable name of a rule that what etcd keeps breaks. */
export type StoreRule =
  /** A record of bucket `key` whose revision or value is none. */
  | 'record'
  /** A record that does not fit to itself, or to those of its key before it. */
  | 'history'
  | ContentsRule;

const RULES = ['record', 'history', 'notes', 'lease', 'member', 'alarm', 'auth'] as const;

/** Whether a rule is about what etcd keeps; the others are about the structure. */
export function isStoreRule(rule: Rule | StoreRule): rule is StoreRule {
  return RULES.some((known: StoreRule) => known === rule);
}

export interface StoreFinding extends Finding<Rule | StoreRule> {
  /** `warning`: it is worth to know, and etcd works with it. */
  readonly severity?: Severity;
}

export function isError({ severity }: StoreFinding): boolean {
  return severity !== 'warning';
}

/** A part of a bucket that cannot be read. */
export interface LostRange {
  readonly page: number;
  readonly bucket: string;
  /** The first and the last revision that may have been there, in bucket `key`; undefined where nothing bounds it. */
  readonly from: bigint | undefined;
  readonly to: bigint | undefined;
  /** How many records were there; undefined where not even that can be read. */
  readonly records: number | undefined;
}
