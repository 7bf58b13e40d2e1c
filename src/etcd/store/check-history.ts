// The history of each key, record by record: what etcd's own store takes for granted and nothing else
// looks at.

import { KeyTable } from './key-table.ts';
import type { RecordReader } from './records.ts';

/** What is known of a key from its records so far. Version 0 in a deleted one; 1 is added, as 0 is none. */
const [VERSION, CREATED, MAIN] = [0, 1, 2] as const;

export class HistoryCheck {
  readonly #table = new KeyTable(3);
  readonly #finished: bigint;
  /** Below it records may be gone, whether the compaction is over or not. */
  readonly #compacted: bigint;

  /** @param finished revision of the last compaction that is over; -1 if there was none */
  constructor(finished: bigint, scheduled: bigint) {
    this.#finished = finished;
    this.#compacted = finished > scheduled ? finished : scheduled;
  }

  /** Takes the next record. @returns what is wrong with it, as sentences */
  *take(record: RecordReader): Generator<string> {
    const { bytes, main, keyValue, isTombstone } = record;
    const { keyStart, keyEnd } = keyValue;
    const name = `revision ${main}`;
    if (main < 2n) yield `${name} is none of etcd's, which begin with 2`;
    // The marker of a revision bump has no key, and no history.
    if (keyStart === keyEnd) return;
    const place = this.#table.place(bytes, keyStart, keyEnd);
    const version = this.#table.get(place, VERSION) - 1;
    if (isTombstone) yield* this.#tombstone(record, name, version);
    else yield* this.#put(record, name, version, this.#table.get(place, CREATED));
    if (this.#isLeftOver(record, this.#table.get(place, MAIN))) {
      yield `${name} should be gone: its key has an older record that the compaction to ${this.#finished} left`;
    }
    const { createRevision } = keyValue;
    this.#table.set(place, (isTombstone ? 0 : keyValue.version) + 1, createRevision, Number(main));
  }

  *#tombstone({ main, keyValue }: RecordReader, name: string, version: number): Generator<string> {
    const { createRevision, modRevision, version: own } = keyValue;
    if (createRevision !== 0 || modRevision !== 0 || own !== 0) {
      yield `${name} is a deletion and says more than its key`;
    }
    if (version <= 0 && main > this.#compacted) yield `${name} deletes a key that is not there`;
  }

  *#put(
    { main, keyValue }: RecordReader,
    name: string,
    before: number,
    created: number,
  ): Generator<string> {
    const { createRevision, modRevision, version } = keyValue;
    if (modRevision !== Number(main)) yield `${name} says that it is revision ${modRevision}`;
    if (version < 1) yield `${name} has version ${version}`;
    if (createRevision > Number(main)) yield `${name} is older than its key, of ${createRevision}`;
    if (version === 1 && createRevision !== Number(main)) {
      yield `${name} is its key's first, and the key is of ${createRevision}`;
    }
    if (before > 0) {
      if (version !== before + 1) yield `${name} has version ${version} after version ${before}`;
      if (createRevision !== created) {
        yield `${name} has a key of ${createRevision} that is of ${created}`;
      }
    } else if (main > this.#compacted && version !== 1) {
      yield `${name} has version ${version}, and no record comes before it`;
    }
  }

  /** A compaction leaves each key one record at most; a deletion only where it is the revision itself. */
  #isLeftOver({ main, isTombstone }: RecordReader, before: number): boolean {
    if (main > this.#finished || this.#compacted > this.#finished) return false;
    return before > 0 || (isTombstone && main < this.#finished);
  }
}
