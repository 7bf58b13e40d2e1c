// The few values that etcd keeps under names of their own, in buckets `meta`, `cluster` and `auth`, as they are
// met.

import { type ContentsFound, contentsError, type Place } from './contents-finding.ts';
import { quoted } from './foreign-text.ts';
import {
  type ConfState,
  type Downgrade,
  parseConfState,
  parseDowngrade,
  parseNumber,
  parseRevision,
  parseVersion,
} from './notes.ts';

/** Bucket and name. */
export type NoteName =
  | 'meta/consistent_index'
  | 'meta/term'
  | 'meta/confState'
  | 'meta/scheduledCompactRev'
  | 'meta/finishedCompactRev'
  | 'meta/storageVersion'
  | 'cluster/clusterVersion'
  | 'cluster/downgrade'
  | 'auth/authEnabled'
  | 'auth/authRevision';

/** Each is undefined where etcd has not written it (yet), or what is there is none. */
export class StoreNotes {
  consistentIndex: bigint | undefined;
  /** Since 3.5. */
  term: bigint | undefined;
  confState: ConfState | undefined;
  scheduledCompactRevision: bigint | undefined;
  finishedCompactRevision: bigint | undefined;
  storageVersion: string | undefined;
  clusterVersion: string | undefined;
  downgrade: Downgrade | undefined;
  authEnabled: boolean | undefined;
  authRevision: bigint | undefined;
  readonly #places = new Map<string, Place>();
  readonly #found: ContentsFound;

  constructor(found: ContentsFound) {
    this.#found = found;
  }

  /** Where a note is; page 0 if it is nowhere. */
  placeOf(name: NoteName): Place {
    return this.#places.get(name) ?? { page: 0, offset: 0 };
  }

  /** Takes an entry of the buckets; one that is not known is left alone. */
  take(name: string, value: Uint8Array, place: Place): void {
    const defect = this.#read(name as NoteName, value, place);
    if (defect === undefined) return;
    const subject = name.endsWith('CompactRev') ? `the revision ${name}` : name;
    const rule = name.startsWith('auth/') ? 'auth' : 'notes';
    this.#found(contentsError(rule, `${subject} ${defect}`, place));
  }

  #read(name: NoteName, value: Uint8Array, place: Place): string | undefined {
    const set = <T>(parsed: T | string, keep: (parsed: T) => void): string | undefined => {
      if (typeof parsed === 'string') return parsed;
      this.#places.set(name, place);
      keep(parsed);
      return undefined;
    };
    switch (name) {
      case 'meta/consistent_index':
        return set(parseNumber(value), (index) => (this.consistentIndex = index));
      case 'meta/term':
        return set(parseNumber(value), (term) => (this.term = term));
      case 'meta/confState':
        return set(parseConfState(value), (state) => (this.confState = state));
      case 'meta/scheduledCompactRev':
        return set(parseRevision(value), (main) => (this.scheduledCompactRevision = main));
      case 'meta/finishedCompactRev':
        return set(parseRevision(value), (main) => (this.finishedCompactRevision = main));
      case 'meta/storageVersion':
        return set(version(value), ({ text }) => (this.storageVersion = text));
      case 'cluster/clusterVersion':
        return set(version(value), ({ text }) => (this.clusterVersion = text));
      case 'cluster/downgrade':
        return set(parseDowngrade(value), (downgrade) => (this.downgrade = downgrade));
      case 'auth/authEnabled':
        return set(flag(value), (isOn) => (this.authEnabled = isOn));
      case 'auth/authRevision':
        return set(parseNumber(value), (revision) => (this.authRevision = revision));
      default:
        return undefined;
    }
  }
}

/** In an object, since the text alone would be taken for a defect. */
function version(value: Uint8Array): { readonly text: string } | string {
  const text = parseVersion(value);
  return text === undefined ? `is ${quoted(value)}, which is no version` : { text };
}

function flag(value: Uint8Array): boolean | string {
  const [byte] = value;
  return value.length === 1 && (byte === 0 || byte === 1) ? byte === 1 : 'is neither 0 nor 1';
}
