// How a restore looks while it is carried out, and at its end.

import type { RestoreReport } from '../backup/restore/events.ts';
import type { StepName } from '../backup/restore/journal.ts';
import type { Kept } from '../backup/restore/kept.ts';
import type { RestorePlan } from '../backup/restore/plan.ts';
import type { Restored } from '../backup/restore/run.ts';
import { formatBytes, formatClock, formatCount } from '../base/units.ts';
import type { Screen } from './screen.ts';

/** What is told of a step when it is done. */
const DONE: Readonly<Record<StepName, string>> = {
  build: 'the new data directory and the static resources lie ready',
  stop: 'etcd has stopped',
  keep: "today's data are kept",
  data: 'the restored data are in place',
  resources: 'the static resources are in place',
  start: 'etcd was told to start',
  serve: 'etcd serves what was restored',
};

/** Draws what a restore reports. */
export function restoreTeller(screen: Screen): RestoreReport {
  const { progress } = screen;
  let last = '';
  const told = new Set<string>();
  const isNew = (what: string): boolean => {
    const wasTold = told.has(what);
    told.add(what);
    return !wasTold;
  };
  /** Once a second the same would be said. */
  const wait = (elapsedMs: number, what: string): void => {
    if (what !== last) screen.tell('waiting', `${formatClock(elapsedMs)}  ${what}`);
    last = what;
  };
  return (event) => {
    switch (event.kind) {
      case 'step-begun':
        progress.start(event.step);
        break;
      case 'step-done':
        screen.tell(event.step, DONE[event.step]);
        break;
      case 'step-undone':
        screen.tell('undone', event.step);
        break;
      case 'build-progress':
        progress.advance(event.bytes, event.totalBytes);
        break;
      case 'waiting-for-stop':
        wait(event.elapsedMs, event.holders.join('; '));
        break;
      case 'stop-proven':
        event.unknown.filter(isNew).forEach((what) => screen.tell('unknown', what));
        break;
      case 'manifest-written-back':
        screen.warn(
          `${event.path} was written back; it is taken away again and kept as ${event.keptAs}`,
        );
        break;
      case 'appeared-meanwhile':
        screen.warn(`something made ${event.path} meanwhile; kept: ${event.keptAs}`);
        break;
      case 'waiting-for-etcd':
        wait(event.elapsedMs, event.observed);
        break;
      case 'script-output':
        screen.answer(event.line);
        break;
    }
  };
}

/** The end of a restore that serves. */
export function showRestored(screen: Screen, { plan, served, kept }: Restored): void {
  const { version, revision, keys, compared } = served;
  screen.answer(`etcd ${version} serves at ${plan.member.endpoint}, revision ${revision}`);
  screen.tell(
    'proven',
    keys === undefined
      ? 'unknown whether it lists what was restored: a compaction was there first'
      : `${formatCount(keys)} keys listed; of ${compared} a list and single reads agree with the snapshot`,
  );
  showKept(screen, kept);
  screen.tell(
    'next',
    'etcdkeep restore --status      what is left: the other masters, operators, nodes',
  );
}

/** The end of a way back. */
export function showRolledBack(screen: Screen, { stamp }: RestorePlan): void {
  screen.answer(
    `the restore ${stamp} is undone: data, static resources and manifest are those of before`,
  );
}

/** As `--output json` gives it. */
export function restoredDocument({ plan, served, kept }: Restored): object {
  const { version, revision, keys, compared } = served;
  return {
    stamp: plan.stamp,
    version,
    revision: `${revision}`,
    ...(keys === undefined ? {} : { keys: Number(keys) }),
    compared,
    kept,
  };
}

/** What is left of the time before. */
export function showKept(screen: Screen, kept: readonly Kept[]): void {
  for (const [index, { path, kind, bytes }] of kept.entries()) {
    screen.tell(index === 0 ? 'kept' : '', `${path}  ${kind} of before, ${formatBytes(bytes)}`);
  }
  if (kept.length === 0) return;
  screen.tellMore('delete it when operators and nodes are well and a new backup is proven');
}
