// How a restore looks while it is carried out, and what is said when etcd serves.

import type { RestoreEvent } from '../backup/restore/events.ts';
import type { StepName } from '../backup/restore/journal.ts';
import type { Kept } from '../backup/restore/kept.ts';
import type { RestorePlan } from '../backup/restore/plan.ts';
import type { Served } from '../backup/restore/serve.ts';
import { formatBytes, formatCount } from '../base/units.ts';
import type { Screen } from './screen.ts';

/** What came of a restore. */
export interface RestoreResult {
  readonly plan: RestorePlan;
  readonly served: Served;
  readonly kept: readonly Kept[];
}

/** As the plan calls them, and what is true when they are done. */
const STEPS: Readonly<Record<StepName, readonly [noun: string, done: string]>> = {
  build: ['build', 'the new data are built and on the disk'],
  stop: ['stop', 'etcd is proven stopped'],
  keep: ['keep', "today's data are set aside"],
  data: ['place', 'the new data are in their place'],
  resources: ['place', 'the static resources are in their place'],
  start: ['start', 'etcd is told to start'],
  serve: ['watch', 'etcd serves'],
};

const VENDOR_DONE: Readonly<Partial<Record<StepName, string>>> = {
  build: 'a directory holds exactly this pair',
  keep: 'what the script would remove is set aside',
  start: 'cluster-restore.sh has come to its end',
};

/** Draws what a restore reports. */
export function drawRestore(
  screen: Screen,
  method: RestorePlan['method'],
): (event: RestoreEvent) => void {
  // Asked before each move, and told once.
  const told = new Set<string>();
  const doneWords = (step: StepName): string =>
    (method === 'vendor' ? VENDOR_DONE[step] : undefined) ?? STEPS[step][1];
  return (event) => {
    switch (event.kind) {
      case 'step-begun':
        screen.progress.start(STEPS[event.step][0]);
        break;
      case 'step-done':
        screen.progress.start('');
        screen.line(`  ok    ${STEPS[event.step][0].padEnd(9)}${doneWords(event.step)}`);
        break;
      case 'step-undone':
        screen.line(`  back  ${STEPS[event.step][0]}`);
        break;
      case 'build-progress':
        screen.progress.advance(event.bytes, event.totalBytes);
        break;
      case 'waiting-for-stop':
        screen.progress.note(event.holders[0] ?? '');
        break;
      case 'stop-proven':
        for (const unknown of event.unknown.filter((one) => !told.has(one))) {
          told.add(unknown);
          screen.warn(`not known: ${unknown}`);
        }
        break;
      case 'manifest-written-back':
        screen.warn(
          `something has put ${event.path} back: it was taken away again (${event.keptAs})`,
        );
        break;
      case 'appeared-meanwhile':
        screen.warn(`${event.path} was made meanwhile, and is kept as ${event.keptAs}`);
        break;
      case 'waiting-for-etcd':
        screen.progress.note(event.observed);
        break;
      case 'script-output':
        screen.line(`        ${event.line}`);
        break;
    }
  };
}

export function showRestored(screen: Screen, { plan, served, kept }: RestoreResult): void {
  const { version, revision, keys, compared } = served;
  screen.blank();
  screen.answer(
    `etcd ${version} serves the restored data at ${plan.member.endpoint}, revision ${revision}`,
  );
  screen.tell(
    'seen',
    keys === undefined
      ? 'it is healthy; it was compacted before its keys could be compared with the snapshot'
      : `it is healthy; it lists ${formatCount(keys)} keys, and ${formatCount(compared)} of them are read and listed as in the snapshot`,
  );
  showKept(screen, kept);
  screen.tell(
    'then',
    'etcdkeep restore --status: the other masters, operators, nodes; docs/restore.md',
  );
}

/** What is left of the time before, and when it may go. */
export function showKept(screen: Screen, kept: readonly Kept[]): void {
  for (const [index, { path, bytes }] of kept.entries()) {
    screen.tell(index === 0 ? 'kept' : '', `${path}, ${formatBytes(bytes)}`);
  }
  if (kept.length === 0) return;
  screen.tellMore(
    'safe to delete once every operator is available, every node is ready, and a new',
  );
  screen.tellMore('backup was taken and proven');
}

/** The result as a document. */
export function restoredHostDocument({
  plan,
  served,
  kept,
}: RestoreResult): Record<string, unknown> {
  return {
    stamp: plan.stamp,
    method: plan.method,
    version: served.version,
    revision: served.revision.toString(),
    keys: served.keys === undefined ? undefined : Number(served.keys),
    keysCompared: served.compared,
    kept,
  };
}
