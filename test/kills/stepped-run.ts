// A backup whose steps are known by number and by name, and which can be sent a signal at one of them
// (test/faults/step-preload.ts).

import { readFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { directoriesOf, type Target } from '../../src/backup/target.ts';
import { startCli } from '../cli/run.ts';
import type { OpenshiftHost } from '../fixtures/openshift-host.ts';
import type { CommandResult } from '../servers/command.ts';

const PRELOAD = new URL('../faults/step-preload.ts', import.meta.url).href;

/** Every kind of step that a backup is known to make; one that is missed is a hole in the preload. */
const CALLS = [
  'mkdir',
  'mkdtemp',
  'create',
  'write',
  'writeFile',
  'sync',
  'link',
  'unlink',
  'rmdir',
];

export interface SteppedRun extends CommandResult {
  /** What was done up to the end, each by its call and its path without what differs between runs. */
  readonly steps: readonly string[];
}

/** The signal comes just before the step of that number, the first being 1. */
export interface SignalAt {
  readonly step: number;
  readonly signal: NodeJS.Signals;
}

/** Where a host's runs leave notes that they run. */
export function notesOf(host: OpenshiftHost): string {
  return join(host.root, 'run/etcdkeep');
}

/** The command that backs up a host to that place. */
export function lineOf(host: OpenshiftHost, { directory, resources }: Target): string[] {
  const apart = resources === directory ? [] : [`--static-resources-dir=${resources}`];
  return ['backup', `--root=${host.root}`, ...apart, directory];
}

/**
 * Runs a backup to its end, or to the signal's.
 * @param below directories in which an effect is a step, by what they are called in the name of one
 */
export async function runStepped(
  line: readonly string[],
  below: Readonly<Record<string, string>>,
  log: string,
  at?: SignalAt,
): Promise<SteppedRun> {
  rmSync(log, { force: true });
  const env = {
    NODE_OPTIONS: `--import=${PRELOAD}`,
    ETCDKEEP_STEPS_BELOW: Object.values(below).join(delimiter),
    ETCDKEEP_STEPS_LOG: log,
    ETCDKEEP_STEPS_AT: `${at?.step ?? ''}`,
    ETCDKEEP_STEPS_SIGNAL: at?.signal,
  };
  const outcome = await startCli(line, { env }).outcome;
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  return { ...outcome, steps: lines.map((text) => nameOf(text, below)) };
}

/** The directories of a target, by what they are called in the names of steps. */
export function namedPlaces(target: Target): Record<string, string> {
  const [directory, resources] = directoriesOf(target);
  return { DIR: directory!, ...(resources !== undefined && { DIR2: resources }) };
}

function nameOf(line: string, below: Readonly<Record<string, string>>): string {
  const { call, file } = JSON.parse(line) as { readonly call: string; readonly file: string };
  const [name, path] = Object.entries(below).find(([, path]) => `${file}/`.startsWith(`${path}/`))!;
  const inside = file
    .slice(path.length)
    .replace(/\/\.etcdkeep-[^/]*/, '/.etcdkeep')
    .replace(/\/backup-.*~\d+$/, '/note')
    .replace(/_\d{4}-\d\d-\d\d_\d{6}/, '');
  return `${call} ${name}${inside}`;
}

/** Records what a whole run does. */
export async function recordSteps(run: () => Promise<SteppedRun>): Promise<readonly string[]> {
  const { code, stderr, steps } = await run();
  if (code !== 0) throw new Error(`left alone, it fails:\n${stderr}`);
  const missed = CALLS.filter((call) => !steps.some((step) => step.startsWith(`${call} `)));
  if (missed.length > 0) throw new Error(`a backup makes no step ${missed.join(', ')} any more`);
  return steps;
}

/** Throws unless the run was what was recorded, up to its signal. */
export function requireSteps(run: SteppedRun, recorded: readonly string[], at: SignalAt): void {
  const made = at.signal === 'SIGKILL' ? run.steps : run.steps.slice(0, at.step);
  const expected = recorded.slice(0, at.step);
  const differs = [...made.keys(), expected.length - 1].find(
    (index) => made[index] !== expected[index],
  );
  if (differs === undefined) return;
  const [was, should] = [made[differs] ?? 'its end', expected[differs] ?? 'the signal'];
  throw new Error(`step ${differs + 1} was ${was}, and ${should} was recorded: ${run.stderr}`);
}
