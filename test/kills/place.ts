// A place for backups: what is in it, compared with what was in it before, and what a run that nobody
// disturbs makes of it.

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { directoriesOf, type Target } from '../../src/backup/target.ts';
import { runCli } from '../cli/run.ts';
import { listingOf } from '../cli/untouched.ts';
import type { OpenshiftHost } from '../fixtures/openshift-host.ts';
import { examine, type Seen } from './examine.ts';
import { lineOf, notesOf } from './stepped-run.ts';

/** Every name there with all that is known of it, its digest included. */
export type Listing = Readonly<Record<string, string>>;

export interface Found {
  /** How many backups are whole; none that is called complete is not. */
  readonly whole: number;
  /** All that belongs to one of them. */
  readonly backups: Listing;
  /** Names of what belongs to none. */
  readonly unfinished: readonly string[];
}

export async function listingOfPlace(target: Target): Promise<Listing> {
  const all: Record<string, string> = {};
  for (const [index, directory] of directoriesOf(target).entries()) {
    const listing = await listingOf(directory);
    for (const [name, what] of Object.entries(listing)) all[`${index}/${name}`] = what;
  }
  return all;
}

/** Looks at all of it; throws if what is called complete is not, or an earlier backup is not what it was. */
export async function look(target: Target, earlier: Listing): Promise<Found> {
  const seen: Seen = new Map();
  const unfinished = await examine(target, seen);
  const listing = await listingOfPlace(target);
  const lost = Object.keys(earlier).filter((name) => listing[name] !== earlier[name]);
  if (lost.length > 0) throw new Error(`of an earlier backup, not what it was: ${lost.join()}`);
  const backups = Object.entries(listing).filter(([name]) => !unfinished.includes(topOf(name)));
  return { whole: seen.size / 2, backups: Object.fromEntries(backups), unfinished };
}

/** `.etcdkeep-1-2-3` of `0/.etcdkeep-1-2-3/backup.json` */
function topOf(name: string): string {
  return name.split('/')[1]!;
}

/** A run that is left alone succeeds, makes one backup more, and leaves nothing unfinished. */
export async function requireNextRun(
  host: OpenshiftHost,
  target: Target,
  before: Found,
): Promise<void> {
  const { code, stderr } = await runCli(lineOf(host, target));
  if (code !== 0) throw new Error(`the next run fails:\n${stderr}`);
  const { whole, unfinished } = await look(target, before.backups);
  if (unfinished.length > 0) throw new Error(`the next run leaves ${unfinished.join()}`);
  if (whole !== before.whole + 1) throw new Error('the next run makes no backup');
  const notes = await notesOn(host);
  if (notes.length > 0) throw new Error(`the next run leaves notes: ${notes.join()}`);
}

/** The notes that runs have left on the host. */
export function notesOn(host: OpenshiftHost): Promise<string[]> {
  return readdir(notesOf(host)).catch(() => []);
}

/** Removes all that was not there before. */
export async function putBack(target: Target, before: Listing): Promise<void> {
  for (const [index, directory] of directoriesOf(target).entries()) {
    for (const name of await readdir(directory)) {
      if (`${index}/${name}` in before) continue;
      await rm(join(directory, name), { recursive: true });
    }
  }
}

/** Removes the notes of runs that were killed. */
export async function removeNotes(host: OpenshiftHost): Promise<void> {
  await rm(notesOf(host), { recursive: true, force: true });
}
