// What is remembered of a log while its records pass by: of each entry one byte, the terms as runs, and the changes
// of members. Entries that a later leader has replaced are forgotten.

import {
  changedMembers,
  type Entry,
  type MemberChange,
  parseMemberChanges,
  type RaftMembers,
  type SnapshotPosition,
} from './raft-reader.ts';
import { RequestReader } from './request-kind.ts';

const KINDS = { other: 0, write: 1, v2: 2 } as const;

/** Changes of members that are kept; in the log of a cluster there are a few. */
const CHANGES_MAX = 100_000;

interface TermRun {
  /** Index of its first entry. */
  readonly index: bigint;
  readonly term: bigint;
}

interface Change {
  readonly index: bigint;
  readonly changes: readonly MemberChange[];
}

export class RaftLog {
  /** Index before the first entry. */
  #base = 0n;
  /** By the distance to the base, less 1. */
  #kinds = new Uint8Array(1024);
  #count = 0;
  #terms: TermRun[] = [];
  #changes: Change[] = [];
  readonly #requests = new RequestReader();

  /** Index of the first entry, if there is one. */
  get firstIndex(): bigint {
    return this.#base + 1n;
  }

  /** Index of the last entry; one less than the first where there is none. */
  get lastIndex(): bigint {
    return this.#base + BigInt(this.#count);
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Term of an entry that is there; undefined of any other. */
  termAt(index: bigint): bigint | undefined {
    if (index <= this.#base || index > this.lastIndex) return undefined;
    let low = 0;
    let high = this.#terms.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#terms[middle]!.index <= index) low = middle + 1;
      else high = middle;
    }
    return this.#terms[low - 1]?.term;
  }

  /**
   * Takes an entry; those at and behind its index are no more (server/storage/wal/wal.go, ReadAll).
   * @param snapshot the last one that the log has told of: behind it, it may go on after a gap, as where a leader has
   * sent its state instead of entries
   * @returns what is wrong, as a sentence without a subject; undefined if nothing is
   */
  append(entry: Entry, snapshot: bigint): string | undefined {
    const { index, term, type, data } = entry;
    if (index === 0n) return 'has the index 0';
    const isFirst = this.#count === 0 && this.#base === 0n;
    const hasGap = !isFirst && index > this.lastIndex + 1n;
    if (hasGap && snapshot < index - 1n) return `has the index ${index} after ${this.lastIndex}`;
    const termBefore = this.termAt(index - 1n);
    if (termBefore !== undefined && term < termBefore) {
      return `of index ${index} has the term ${term} after ${termBefore}`;
    }
    const changes = parseMemberChanges(entry);
    if (typeof changes === 'string') return `changes members and ${changes}`;
    if (this.#changes.length >= CHANGES_MAX) return 'is one of too many that change members';
    // An entry that is refused has changed nothing.
    if (isFirst || hasGap || index <= this.#base) this.#restart(index);
    this.#truncate(index);
    if (this.#terms.at(-1)?.term !== term) this.#terms.push({ index, term });
    this.#push(type === 'normal' ? KINDS[this.#requests.kindOf(data)] : KINDS.other);
    if (type !== 'normal') this.#changes.push({ index, changes });
    return undefined;
  }

  /** How many entries from one index to another, both included, may have made a revision. */
  writes(from: bigint, to: bigint): number {
    return this.#countKind(KINDS.write, from, to);
  }

  /** How many of them only an etcd before 3.6 can have written. */
  v2Requests(from: bigint, to: bigint): number {
    return this.#countKind(KINDS.v2, from, to);
  }

  /**
   * The members at an index and after each later change.
   * @param start where they are known; undefined for the beginning of the log, where there are none
   * @returns undefined where the log does not reach back to the start, or its members are not known
   */
  membersFrom(start: SnapshotPosition | undefined, index: bigint): RaftMembers[] | undefined {
    const from = start?.index ?? 0n;
    let members = from === 0n ? { voters: [], learners: [] } : start?.members;
    if (members === undefined || from < this.#base) return undefined;
    let seen = [members];
    for (const change of this.#changes) {
      if (change.index <= from) continue;
      members = changedMembers(members, change.changes);
      if (change.index <= index) seen = [members];
      else seen.push(members);
    }
    return seen;
  }

  #restart(index: bigint): void {
    this.#base = index - 1n;
    this.#count = 0;
    this.#terms = [];
    this.#changes = [];
  }

  #truncate(index: bigint): void {
    if (index > this.lastIndex) return;
    this.#count = Number(index - this.#base) - 1;
    while ((this.#terms.at(-1)?.index ?? -1n) >= index) this.#terms.pop();
    while ((this.#changes.at(-1)?.index ?? -1n) >= index) this.#changes.pop();
  }

  #push(kind: number): void {
    if (this.#count === this.#kinds.length) {
      const larger = new Uint8Array(2 * this.#kinds.length);
      larger.set(this.#kinds);
      this.#kinds = larger;
    }
    this.#kinds[this.#count] = kind;
    this.#count += 1;
  }

  #countKind(kind: number, from: bigint, to: bigint): number {
    const first = from > this.#base ? from : this.firstIndex;
    const last = to < this.lastIndex ? to : this.lastIndex;
    let count = 0;
    const end = Number(last - this.#base);
    for (let at = Number(first - this.#base) - 1; at < end; at += 1) {
      if (this.#kinds[at] === kind) count += 1;
    }
    return count;
  }
}
