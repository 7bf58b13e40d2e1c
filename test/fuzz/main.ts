// npm run fuzz -- [--count 100000] [--seed 1] [--target NAME] [--from NUMBER] [--threads 2]: gives changed databases,
// files and messages to everything that reads them. Each input is refused with an error of ours, or read; in
// bounded memory and work; and readers that should agree do. What fails is kept in test/fuzz/corpus.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CORPUS } from './corpus.ts';
import { runSlices } from './pool.ts';
import { type Failure, newTally, type Tally } from './run-inputs.ts';
import type { Target } from './target.ts';
import { TARGETS, targetOf } from './targets/all.ts';
import type { Slice } from './worker.ts';

const SLICE = 400;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string' },
    from: { type: 'string', default: '0' },
    threads: { type: 'string', default: '2' },
  },
});

const seed = Number(values.seed);
const first = Number(values.from);
const targets = values.target === undefined ? TARGETS : [targetOf(values.target)];
const tallies = new Map(targets.map(({ name }) => [name, newTally()]));
let failed = 0;

function slicesOf(): Slice[] {
  const sum = targets.reduce((total, { weight }) => total + weight, 0);
  return targets.flatMap(({ name, weight }) => {
    const count = Math.ceil((Number(values.count) * weight) / sum);
    return Array.from({ length: Math.ceil(count / SLICE) }, (_, index) => ({
      target: name,
      seed,
      from: first + index * SLICE,
      count: Math.min(SLICE, count - index * SLICE),
    }));
  });
}

const again = (target: string, number: number): string =>
  `npm run fuzz -- --seed ${seed} --target ${target} --from ${number} --count 1`;

function keep({ target, number, message, input }: Failure): void {
  failed += 1;
  mkdirSync(join(CORPUS, target), { recursive: true });
  const path = join(CORPUS, target, `${seed}-${number}`);
  writeFileSync(path, input);
  console.log(
    `${target} ${number}: ${message}\n  kept as ${path}, ${input.length} bytes\n  ${again(target, number)}`,
  );
}

function add(name: string, { inputs, milliseconds, outcomes, failures }: Tally): void {
  const tally = tallies.get(name)!;
  tally.inputs += inputs;
  tally.milliseconds += milliseconds;
  for (const [outcome, count] of outcomes) {
    tally.outcomes.set(outcome, (tally.outcomes.get(outcome) ?? 0) + count);
  }
  failures.forEach(keep);
}

function print({ name }: Target): void {
  const { inputs, milliseconds, outcomes } = tallies.get(name)!;
  const taken = [...outcomes].sort(([, left], [, right]) => right - left);
  const parts = taken.map(([outcome, count]) => `${outcome} ${count}`);
  const speed = Math.round((1000 * inputs) / milliseconds);
  console.log(
    `${name.padEnd(18)}${`${inputs}`.padStart(9)}${(milliseconds / 1000).toFixed(1).padStart(9)} s${`${speed}`.padStart(8)}/s  ${parts.join(', ')}`,
  );
}

const began = performance.now();
await runSlices(slicesOf(), Number(values.threads), add, ({ target, number, why }) => {
  failed += 1;
  console.log(`${target} ${number}: ${why}\n  ${again(target, number)}`);
});
const seconds = (performance.now() - began) / 1000;
targets.forEach(print);
const total = [...tallies.values()].reduce((sum, { inputs }) => sum + inputs, 0);
console.log(
  `seed ${seed}: ${total} inputs in ${seconds.toFixed(1)} s, ${Math.round(total / seconds)}/s; ${failed} failed`,
);
process.exitCode = failed === 0 ? 0 : 1;
