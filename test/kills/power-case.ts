// One case: the power is cut just before one step of a backup, or once the backup has said that it is saved.
// What has reached the disk by then is looked at on another mount.

import { join } from 'node:path';
import { type Target, targetOf } from '../../src/backup/target.ts';
import { copyImage, Disk } from './disk.ts';
import { type Left, leftBy } from './examine.ts';
import type { Lane } from './lanes.ts';
import { type Listing, listingOfPlace, look, removeNotes, requireNextRun } from './place.ts';
import type { Scenario } from './scenario.ts';
import {
  lineOf,
  namedPlaces,
  requireSteps,
  runStepped,
  type SignalAt,
  type SteppedRun,
} from './stepped-run.ts';

export interface PowerScenario extends Scenario {
  /** What the disks hold before: one for all, or another one for the archive. */
  readonly images: readonly string[];
  /** The backup that is on them. */
  readonly earlier: Listing;
}

export interface Outcome {
  readonly left: Left;
  /** Whether something was there before the cut, and after it no longer. */
  readonly isLess: boolean;
}

/** Mounts copies of images for as long as they are used. */
export async function onCopies<T>(
  images: readonly string[],
  copies: readonly string[],
  use: (target: Target) => Promise<T>,
): Promise<T> {
  for (const [index, image] of images.entries()) copyImage(image, copies[index]!);
  const disks: Disk[] = [];
  try {
    for (const copy of copies) disks.push(await Disk.mount(copy));
    const [directory, resources] = disks.map(({ path }) => path);
    return await use(targetOf(directory!, resources));
  } finally {
    for (const disk of disks) await disk.release();
  }
}

/** Names for images in a lane. */
export function copiesIn({ work }: Lane, name: string, length: number): string[] {
  return Array.from({ length }, (_, index) => join(work, `${name}-${index}.img`));
}

/** Runs a backup in a lane. */
export function runOnDisk(lane: Lane, target: Target, at?: SignalAt): Promise<SteppedRun> {
  const log = join(lane.work, 'steps.log');
  return runStepped(lineOf(lane.host, target), namedPlaces(target), log, at);
}

/**
 * Tries a case.
 * @param step the number of the step before which it is cut; none for the end of the run
 * @throws Error if anything on the disk is not as it has to be
 */
export async function tryCut(
  lane: Lane,
  { images, earlier, steps }: PowerScenario,
  step: number | undefined,
): Promise<Outcome> {
  const live = copiesIn(lane, 'live', images.length);
  const cut = copiesIn(lane, 'cut', images.length);
  const at: SignalAt | undefined = step === undefined ? undefined : { step, signal: 'SIGKILL' };
  try {
    const had = await onCopies(images, live, async (target) => {
      const run = await runOnDisk(lane, target, at);
      // Nothing has touched the disk since: even to look at it comes later.
      for (const [index, image] of live.entries()) copyImage(image, cut[index]!);
      if (at === undefined) requireSaved(run);
      else requireSteps(run, steps, at);
      return listingOfPlace(target);
    });
    return await onCopies(cut, copiesIn(lane, 'after', images.length), async (target) => {
      const found = await look(target, earlier);
      const isNew = found.whole === 2;
      if (at === undefined && !isNew) throw new Error('it is said to be saved, and is lost');
      const left = leftBy(found.unfinished, isNew);
      const has = await listingOfPlace(target);
      await requireNextRun(lane.host, target, found);
      return { left, isLess: Object.keys(had).some((name) => has[name] !== had[name]) };
    });
  } finally {
    await removeNotes(lane.host);
  }
}

function requireSaved({ code, stdout, stderr }: SteppedRun): void {
  if (code === 0 && stdout.includes('successfully saved')) return;
  throw new Error(`left alone, it fails: ${stderr}`);
}
