// Flips single bits of a snapshot, one at a time, and counts what finds them, by where they lie.
import type { Random } from '../../fixtures/random.ts';
import { type Detect, numbersOf } from './detect.ts';
import { PLACES, type Place, placesOf } from './places.ts';

/** How the flips of a place were found; but for `digest` each in one of these. */
export interface Found {
  flips: number;
  digest: number;
  structure: number;
  store: number;
  /** Nothing is wrong, but the hash, the revision or the count of keys is another. */
  numbersOnly: number;
  nothing: number;
}

/** A flip that neither structure nor store found. */
export interface Unfound {
  readonly place: Place;
  readonly offset: number;
  readonly bit: number;
}

export type Report = Map<Place, Found>;

/** Half of the flips are anywhere; the other half is in each place as often as in any other. */
export class Flipper {
  readonly unfound: Unfound[] = [];
  readonly #detect: Detect;
  readonly #report: Report;

  constructor(detect: Detect, report: Report) {
    this.#detect = detect;
    this.#report = report;
  }

  async run(file: Buffer, count: number, random: Random): Promise<void> {
    const places = placesOf(file);
    const offsets = PLACES.map((_, place) => offsetsOf(places, place)).filter(
      (list) => list.length > 0,
    );
    const numbers = await numbersOf(file);
    const changed = Buffer.from(file);
    for (let done = 0; done < count; done += 1) {
      const offset = random.chance(0.5)
        ? random.between(0, file.length - 1)
        : random.pick(random.pick(offsets));
      const bit = random.between(0, 7);
      changed[offset]! ^= 1 << bit;
      await this.#judge(changed, numbers, { place: PLACES[places[offset]!]!, offset, bit });
      changed[offset] = file[offset]!;
    }
  }

  async #judge(changed: Buffer, numbers: string, flip: Unfound): Promise<void> {
    const entry = this.#entry(flip.place);
    entry.flips += 1;
    const { digest, structure, store } = await this.#detect(changed);
    if (digest) entry.digest += 1;
    if (structure) {
      entry.structure += 1;
      return;
    }
    if (store) {
      entry.store += 1;
      return;
    }
    this.unfound.push(flip);
    if ((await numbersOf(changed)) === numbers) entry.nothing += 1;
    else entry.numbersOnly += 1;
  }

  #entry(place: Place): Found {
    let entry = this.#report.get(place);
    entry ??= { flips: 0, digest: 0, structure: 0, store: 0, numbersOnly: 0, nothing: 0 };
    this.#report.set(place, entry);
    return entry;
  }
}

function offsetsOf(places: Uint8Array, place: number): number[] {
  const offsets: number[] = [];
  places.forEach((each, offset) => {
    if (each === place) offsets.push(offset);
  });
  return offsets;
}

/** Where a flip hurts nothing that is live. */
export const HARMLESS: ReadonlySet<Place> = new Set([
  'free page',
  'slack of a page',
  'rest of a meta page',
  'trailer',
]);

/** As a table; places where no live data is hurt are marked. */
export function table(report: Report): string {
  const line = (name: string, ...cells: readonly (number | string)[]): string =>
    name.padEnd(24) + cells.map((cell) => `${cell}`.padStart(11)).join('');
  const rows = PLACES.flatMap((place) => {
    const entry = report.get(place);
    if (entry === undefined) return [];
    const { flips, digest, structure, store, numbersOnly, nothing } = entry;
    const name = HARMLESS.has(place) ? `${place} *` : place;
    return [line(name, flips, digest, structure, store, numbersOnly, nothing)];
  });
  return [
    line('place', 'flips', 'digest', 'structure', 'store', 'hash only', 'nothing'),
    ...rows,
    '* no live data is hurt. Each flip is in one of the last four columns, whatever the digest says.',
  ].join('\n');
}
