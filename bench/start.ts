// What etcdkeep costs before it does anything: the executable's --version beside a bare Node.
//
//   npm run build -- --no-image && npm run bench -- start [--rounds 5]

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { ownArchitecture } from '../scripts/build/architectures.ts';
import { median } from './measure.ts';
import { row } from './table.ts';

const EXECUTABLE = fileURLToPath(
  new URL(`../dist/etcdkeep-linux-${ownArchitecture()}`, import.meta.url),
);

/** What the project wants of itself. A target that is missed is said; it fails nothing. */
const TARGET = 1.3;

/** Runs of each in a round: a start is short, and what else the machine does is not. */
const RUNS = 20;

export function benchStart(rounds: number): void {
  if (!existsSync(EXECUTABLE)) throw new Error('there is no executable: npm run build');
  console.log(`etcdkeep --version beside node -e 0, ${cpus().length} cores, ${rounds} rounds`);
  start(EXECUTABLE, '--version');
  start(process.execPath, '-e', '0');
  console.log(row('round', ['ratio']));
  const ratios = Array.from({ length: rounds }, (_, round) => {
    const ratio = ratioOf();
    console.log(row(`${round + 1}`, [ratio.toFixed(2)]));
    return ratio;
  });
  const ratio = median(ratios);
  const isMet = ratio <= TARGET;
  console.log(
    row('median', [ratio.toFixed(2)]),
    `  wanted: <= ${TARGET}: ${isMet ? 'met' : 'NOT met'}`,
  );
}

/** Of the medians of runs that take turns. */
function ratioOf(): number {
  const runs = Array.from({ length: RUNS }, () => ({
    ours: start(EXECUTABLE, '--version'),
    bare: start(process.execPath, '-e', '0'),
  }));
  return median(runs.map(({ ours }) => ours)) / median(runs.map(({ bare }) => bare));
}

/** @returns how long it took to its end, in ms */
function start(program: string, ...args: string[]): number {
  const began = performance.now();
  const { status, stderr } = spawnSync(program, args);
  if (status !== 0) throw new Error(`${program} failed: ${stderr.toString()}`);
  return performance.now() - began;
}
