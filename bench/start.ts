// What the executable costs before it does anything, beside a bare Node.
//
//   npm run build -- --no-image && npm run bench -- start [--rounds 5]

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { EXECUTABLE } from './executable.ts';
import { median } from './measure.ts';
import { row } from './table.ts';

/** What the project wants of --version. A target that is missed is said; it fails nothing. */
const TARGET = 1.3;

/** The second one loads the command line and a command, and runs nothing of it. */
const STARTS = [['--version'], ['snapshot', 'status', '--help']];

/** Runs of each in a round: a start is short, and what else the machine does is not. */
const RUNS = 20;

export function benchStart(rounds: number): void {
  if (!existsSync(EXECUTABLE)) throw new Error('there is no executable: npm run build');
  console.log(`etcdkeep beside node -e 0, ${cpus().length} cores, ${rounds} rounds`);
  const show = (name: string, ratios: readonly number[]): void =>
    console.log(
      row(
        name,
        ratios.map((ratio) => ratio.toFixed(2)),
      ),
    );
  for (const line of STARTS) start(EXECUTABLE, line);
  console.log(row('round', ['--version', 'a command']));
  const results = Array.from({ length: rounds }, (_, round) => {
    const ratios = ratiosOf();
    show(`${round + 1}`, ratios);
    return ratios;
  });
  const medians = STARTS.map((_, index) => median(results.map((ratios) => ratios[index]!)));
  show('median', medians);
  console.log(`wanted: --version <= ${TARGET}: ${medians[0]! <= TARGET ? 'met' : 'NOT met'}`);
}

/** Each of the starts by the bare one's: of medians of runs that take turns. */
function ratiosOf(): number[] {
  const runs = Array.from({ length: RUNS }, () => ({
    bare: start(process.execPath, ['-e', '0']),
    ours: STARTS.map((line) => start(EXECUTABLE, line)),
  }));
  const bare = median(runs.map((each) => each.bare));
  return STARTS.map((_, index) => median(runs.map(({ ours }) => ours[index]!)) / bare);
}

/** @returns how long it took to its end, in ms */
function start(program: string, args: readonly string[]): number {
  const began = performance.now();
  const { status, stderr } = spawnSync(program, args);
  if (status !== 0) throw new Error(`${program} failed: ${stderr.toString()}`);
  return performance.now() - began;
}
