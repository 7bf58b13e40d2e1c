// Everything that is wrong in a database of etcd: its structure as bbolt's, and what etcd keeps in it.

import { EtcdkeepError } from '../../base/errors.ts';
import { type CheckedDatabase, checkDatabase } from '../../bbolt/check.ts';
import type { Finding, Rule } from '../../bbolt/finding.ts';
import { readMeta } from '../../bbolt/meta.ts';
import type { LeafPage } from '../../bbolt/page.ts';
import type { PageSource } from '../../bbolt/page-source.ts';
import type { TreeVisitor } from '../../bbolt/walk.ts';
import { HistoryCheck } from './check-history.ts';
import { KEY_BUCKET, RecordReader } from './records.ts';
import { readStoreFacts, type StoreFacts } from './store-facts.ts';

/** The stable name of a rule that what etcd keeps breaks. */
export type StoreRule =
  /** A record of bucket `key` whose revision or value is none. */
  | 'record'
  /** A record that does not fit to those of its key before it. */
  | 'history'
  /** A value of bucket `meta` or `cluster` that etcd could not read. */
  | 'notes';

const LAST_REVISION = 2n ** 63n - 1n;

export type StoreFinding = Finding<Rule | StoreRule>;

/**
 * Checks a database, to its end whatever is found.
 * @param found told of each finding as it is met
 * @throws EtcdkeepError `file-failed`
 */
export async function checkStore(
  source: PageSource,
  found: (finding: StoreFinding) => void,
): Promise<CheckedDatabase> {
  let findings = 0;
  const count = (finding: StoreFinding): void => {
    findings += 1;
    found(finding);
  };
  const facts = await factsOrDefect(source);
  const history =
    facts instanceof EtcdkeepError
      ? // What was compacted is not known: then a missing record says nothing.
        new HistoryCheck(-1n, LAST_REVISION)
      : new HistoryCheck(
          facts.finishedCompactRevision ?? -1n,
          facts.scheduledCompactRevision ?? -1n,
        );
  const checked = await checkDatabase(source, count, new StoreVisitor(history, count));
  // Else the structure is why, and that has been told of.
  if (facts instanceof EtcdkeepError && findings === 0) {
    const { page = 0, offset = 0 } = facts.position;
    count({ rule: 'notes', message: facts.message, page, offset });
  }
  return { ...checked, findings };
}

async function factsOrDefect(source: PageSource): Promise<StoreFacts | EtcdkeepError> {
  try {
    return await readStoreFacts(source, await readMeta(source));
  } catch (reason) {
    if (reason instanceof EtcdkeepError && reason.code === 'database-damaged') return reason;
    throw reason;
  }
}

class StoreVisitor implements TreeVisitor {
  readonly #history: HistoryCheck;
  readonly #found: (finding: StoreFinding) => void;
  readonly #record = new RecordReader();
  #isKeyBucket = false;

  constructor(history: HistoryCheck, found: (finding: StoreFinding) => void) {
    this.#history = history;
    this.#found = found;
  }

  enterBucket(name: Uint8Array, depth: number): boolean {
    if (depth === 1) this.#isKeyBucket = KEY_BUCKET.equals(name);
    return true;
  }

  leaf(leaf: LeafPage, page: number, depth: number, offset: number): void {
    if (depth !== 1 || !this.#isKeyBucket) return;
    for (let index = 0; index < leaf.count; index += 1) {
      const defect = this.#record.read(leaf, index, page);
      if (defect !== undefined) {
        this.#found({ rule: 'record', message: defect, page, offset });
        continue;
      }
      for (const message of this.#history.take(this.#record)) {
        this.#found({ rule: 'history', message: `${message} (page ${page})`, page, offset });
      }
    }
  }

  scannedLeaf(): void {
    throw new Error('no page was scanned');
  }
}
