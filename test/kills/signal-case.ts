// One case: a backup gets a signal just before one of its steps, where an earlier backup lies, and where what
// another killed run left may lie too.

import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Target, targetOf } from '../../src/backup/target.ts';
import { type Left, leftBy } from './examine.ts';
import type { Lane } from './lanes.ts';
import {
  type Listing,
  listingOfPlace,
  look,
  notesOn,
  putBack,
  removeNotes,
  requireNextRun,
} from './place.ts';
import { recordStepOf, type Scenario } from './scenario.ts';
import {
  lineOf,
  namedPlaces,
  notesOf,
  requireSteps,
  runStepped,
  type SignalAt,
  type SteppedRun,
} from './stepped-run.ts';

/** Earlier backups are in every lane. */
export interface SignalScenario extends Scenario {
  /** What the killed run left, if there was one: a directory with one for each place, by the name of it. */
  readonly leftovers?: string;
}

export interface Case {
  readonly scenario: SignalScenario;
  readonly at: SignalAt;
}

/** What came of a case: what a killed run left, or how one ended that was told to stop. */
export type Outcome = Left | 'stopped' | 'finished';

/** What a run ends with that is told to stop. */
const EXIT_CODES: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGTERM: 143, SIGINT: 130 };

/** The place for backups in a lane. */
export function targetIn({ work }: Lane, { isApart }: { readonly isApart: boolean }): Target {
  return isApart
    ? targetOf(join(work, 'data'), join(work, 'keys'))
    : targetOf(join(work, 'all'), undefined);
}

/** All places that a run in a lane touches, by what they are called in the names of steps. */
function placesOf({ host }: Lane, target: Target): Record<string, string> {
  return { ...namedPlaces(target), NOTES: notesOf(host) };
}

/** Runs a backup in a lane. */
export function runInLane(lane: Lane, target: Target, at?: SignalAt): Promise<SteppedRun> {
  const log = join(lane.work, 'steps.log');
  return runStepped(lineOf(lane.host, target), placesOf(lane, target), log, at);
}

/**
 * Kills a run just before its record appears, in a directory for what it leaves. It is to be copied to where
 * backups with other stamps lie, and stamps have no more than seconds.
 */
export async function leaveUnrecorded(lane: Lane, { isApart, steps }: Scenario): Promise<string> {
  await sleep(1000);
  const leftovers = join(lane.work, isApart ? 'left-apart' : 'left');
  const target = targetOf(join(leftovers, 'DIR'), isApart ? join(leftovers, 'DIR2') : undefined);
  const at: SignalAt = { step: recordStepOf(steps), signal: 'SIGKILL' };
  requireSteps(await runInLane(lane, target, at), steps, at);
  await cp(notesOf(lane.host), join(leftovers, 'NOTES'), { recursive: true });
  return leftovers;
}

/** Copies what a killed run left to the places of a lane. */
export async function putLeftovers(lane: Lane, target: Target, leftovers: string): Promise<void> {
  for (const [name, place] of Object.entries(placesOf(lane, target))) {
    await cp(join(leftovers, name), place, { recursive: true });
  }
}

/**
 * Tries a case, and puts everything back.
 * @param alwaysRunsAgain whether a next run follows where nothing is left that it could stumble over, too
 * @throws Error if anything is not as it has to be
 */
export async function trySignal(
  lane: Lane,
  { scenario, at }: Case,
  alwaysRunsAgain: boolean,
): Promise<Outcome> {
  const target = targetIn(lane, scenario);
  const earlier = await listingOfPlace(target);
  try {
    const { steps, leftovers } = scenario;
    if (leftovers !== undefined) await putLeftovers(lane, target, leftovers);
    const before = await stateOf(lane, target);
    const run = await runInLane(lane, target, at);
    requireSteps(run, steps, at);
    const found = await look(target, earlier);
    const isNew = found.whole === 2;
    if (run.stdout.includes('successfully saved') && !isNew) {
      throw new Error('it says that it is saved, and no new backup is there');
    }
    const outcome =
      at.signal === 'SIGKILL'
        ? leftBy(found.unfinished, isNew)
        : endOf(run, at.signal, { isNew, before, after: await stateOf(lane, target) });
    if (at.signal === 'SIGKILL' || alwaysRunsAgain) await requireNextRun(lane.host, target, found);
    return outcome;
  } finally {
    await putBack(target, earlier);
    await removeNotes(lane.host);
  }
}

/** All that a run could add something to. */
async function stateOf({ host }: Lane, target: Target): Promise<Listing> {
  const notes = await notesOn(host);
  return {
    ...(await listingOfPlace(target)),
    ...Object.fromEntries(notes.map((name) => [name, ''])),
  };
}

interface Change {
  readonly isNew: boolean;
  readonly before: Listing;
  readonly after: Listing;
}

/** It has stopped and added nothing, or gone on and added the three files of a backup and nothing else. */
function endOf(run: SteppedRun, signal: NodeJS.Signals, { isNew, before, after }: Change): Outcome {
  const added = Object.keys(after).filter((name) => after[name] !== before[name]);
  const says = `it ends with ${run.code} and adds ${added.join() || 'nothing'}: ${run.stdout}${run.stderr}`;
  if (run.code === EXIT_CODES[signal] && added.length === 0) return 'stopped';
  const isSaid = run.stdout.includes('successfully saved');
  if (run.code === 0 && isNew && added.length === 3 && isSaid) return 'finished';
  throw new Error(says);
}
