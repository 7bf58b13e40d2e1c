// What is wrong with a record by itself, and with the history of each key: what etcd's own store takes for
// granted and nothing else looks at.

import type { NewestRecords } from './newest-records.ts';
import type { RecordColumns } from './record-columns.ts';
import type { RecordReader } from './records.ts';

/** etcd's first write has revision 2 (server/storage/mvcc/kvstore.go, NewStore). */
const FIRST_REVISION = 2;

/** Told of what is wrong with a revision, as a sentence without its subject. */
type Told = (sentence: string) => void;

/**
 * Whether a record agrees with itself: what its value says with its revision.
 * @param told of each disagreement, if it is wanted to know more
 */
export function isPlausible(record: RecordReader, told?: Told): boolean {
  const { main, isTombstone, keyValue } = record;
  const { createRevision, modRevision, version } = keyValue;
  const isFirst = version === 1;
  let isSound = true;
  const require = (holds: boolean, sentence: () => string): void => {
    if (holds) return;
    isSound = false;
    told?.(sentence());
  };
  require(main >= FIRST_REVISION, () => "is none of etcd's, which begin with 2");
  // The marker of a revision bump has nothing but its revision.
  if (keyValue.keyStart === keyValue.keyEnd) return isSound;
  if (isTombstone) {
    const isBare = createRevision === 0 && modRevision === 0 && version === 0;
    require(isBare, () => 'is a deletion and says more than its key');
    return isSound;
  }
  require(modRevision === main, () => `says that it is revision ${modRevision}`);
  require(version >= 1, () => `has version ${version}`);
  require(createRevision <= main, () => `is older than its key, of ${createRevision}`);
  const isFirstOfKey = !isFirst || createRevision === main;
  require(isFirstOfKey, () => `is its key's first, and the key is of ${createRevision}`);
  return isSound;
}

export class HistoryCheck {
  readonly #columns: RecordColumns;
  readonly #newest: NewestRecords;
  readonly #isCompacting: boolean;
  /** Whether records are known to be lost. What follows on them is their fault. */
  hasGaps = false;

  /** @param isCompacting whether a compaction has begun, and removed some of its records and not others */
  constructor(columns: RecordColumns, newest: NewestRecords, isCompacting: boolean) {
    this.#columns = columns;
    this.#newest = newest;
    this.#isCompacting = isCompacting;
  }

  /** Follows the next record, and holds it against the one of its key before it. */
  follow(index: number, told: Told): void {
    const columns = this.#columns;
    const previous = this.#newest.follow(index);
    if (columns.isMarker(index)) return;
    const isAlive = previous >= 0 && !columns.isTombstone(previous);
    if (isAlive) this.#compare(index, previous, told);
    else if (!columns.isCompacted(index)) this.#checkFirst(index, told);
    if (!this.#isCompacting && columns.isCompacted(index) && this.#isLeftOver(index, isAlive)) {
      const { compactRevision } = columns;
      told(
        `should be gone: its key has an older record that the compaction to ${compactRevision} left`,
      );
    }
  }

  #checkFirst(index: number, told: Told): void {
    if (this.hasGaps) return;
    const version = this.#columns.version(index);
    if (this.#columns.isTombstone(index)) told('deletes a key that is not there');
    else if (version !== 1) told(`has version ${version}, and no record comes before it`);
  }

  #compare(index: number, previous: number, told: Told): void {
    const columns = this.#columns;
    if (columns.isTombstone(index)) return;
    const version = columns.version(index);
    const before = columns.version(previous);
    const created = columns.createRevision(index);
    const createdBefore = columns.createRevision(previous);
    const isNewKey = created > columns.main(previous);
    if (this.hasGaps && (isNewKey || version > before + 1)) return;
    if (version !== before + 1) told(`has version ${version} after version ${before}`);
    if (created !== createdBefore) told(`has a key of ${created} that is of ${createdBefore}`);
  }

  /** A compaction leaves each key one record at most; a deletion only where it is the revision itself. */
  #isLeftOver(index: number, isAlive: boolean): boolean {
    return isAlive || (this.#columns.isTombstone(index) && !this.#columns.isAtCompaction(index));
  }
}
