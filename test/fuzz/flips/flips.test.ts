// Single bits of real snapshots, flipped: the digest finds each, and what is provable is found without it, too.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { directoryForTest } from '../../cli/scene.ts';
import { Random } from '../../fixtures/random.ts';
import { describeEachVersion } from '../../servers/for-vitest.ts';
import { reuseMemory } from '../reused-memory.ts';
import { detectWithVerify } from './detect.ts';
import { Flipper, HARMLESS, type Report, table } from './flips.ts';
import type { Place } from './places.ts';
import { snapshotOf } from './snapshots.ts';

const FLIPS = 150;

/**
 * Found by the structure wherever it is: metas have a checksum, and number and kind of a page are held against what
 * refers to it. A count or a reference may become another that could be true.
 */
const BY_STRUCTURE: readonly Place[] = [
  'meta in use',
  'other meta',
  'number and kind of a meta page',
  'number and kind of a page',
];
/** The revision of a record is in its name, too. */
const BY_STORE: readonly Place[] = ['mod_revision'];

let undo: () => void;
beforeAll(() => {
  undo = reuseMemory();
});
afterAll(() => undo());

describeEachVersion('single bits of a snapshot', (version) => {
  it('are found by the digest, and most that hurt by the rest', async () => {
    const report: Report = new Map();
    const flipper = new Flipper(detectWithVerify(join(directoryForTest(), 'flipped.db')), report);
    const file = await snapshotOf(version);
    await flipper.run(file, FLIPS, new Random(1));
    const all = [...report.values()];
    expect(all.reduce((sum, { digest }) => sum + digest, 0)).toBe(FLIPS);
    for (const place of BY_STRUCTURE) {
      const { flips = 0, structure } = report.get(place) ?? {};
      expect([place, structure ?? 0], table(report)).toEqual([place, flips]);
    }
    for (const place of BY_STORE) {
      const { flips = 0, structure = 0, store = 0 } = report.get(place) ?? {};
      expect([place, structure + store], table(report)).toEqual([place, flips]);
    }
    // What is not live makes no alarm, and is not taken for something that is.
    for (const place of HARMLESS) {
      const { flips = 0, nothing = 0 } = report.get(place) ?? {};
      expect([place, nothing], table(report)).toEqual([place, flips]);
    }
    // What no rule knows of shows in the numbers: nothing that counts for etcd changes unseen.
    for (const place of ['value', 'key', 'name of a note', 'note', 'other bucket'] as const) {
      expect([place, report.get(place)?.nothing ?? 0], table(report)).toEqual([place, 0]);
    }
  });
});
