// Runs inputs of a target one after the other. Each is made of the seed, the target's name and its number, so that
// any of them can be made again alone.
import { createHash } from 'node:crypto';
import { Random } from '../fixtures/random.ts';
import { Fault, type Target } from './target.ts';

export interface Failure {
  readonly target: string;
  readonly number: number;
  readonly message: string;
  readonly input: Uint8Array;
}

export interface Tally {
  inputs: number;
  milliseconds: number;
  /** How often each outcome was met. */
  readonly outcomes: Map<string, number>;
  readonly failures: Failure[];
}

export const newTally = (): Tally => ({
  inputs: 0,
  milliseconds: 0,
  outcomes: new Map(),
  failures: [],
});

/**
 * Memory that reading one input may take: what is allocated whatever the input, and some of its size. It is looked at
 * when the reader is done, and some of it may be collected by then; what an input could claim is a thousand times this.
 */
const MEMORY_MAX = 64 * 1024 * 1024;
const MEMORY_OF_SIZE_MAX = 16;

export interface InputRange {
  readonly seed: number;
  readonly from: number;
  readonly count: number;
}

function randomOf(seed: number, name: string, number: number): Random {
  return new Random(
    createHash('sha256').update(`${seed} ${name} ${number}`).digest().readUInt32LE(),
  );
}

/**
 * Runs them, to the end whatever fails.
 * @param begun told the number of each input before it is read
 */
export async function runInputs(
  target: Target,
  { seed, from, count }: InputRange,
  tally: Tally,
  begun?: (number: number) => void,
): Promise<void> {
  const start = performance.now();
  for (let number = from; number < from + count; number += 1) {
    begun?.(number);
    const random = randomOf(seed, target.name, number);
    const input = target.make(random);
    tally.inputs += 1;
    // What is chosen while reading is the same for an input that is made smaller.
    const failure = await failureOf(target, input, seed ^ number, (outcome) => {
      tally.outcomes.set(outcome, (tally.outcomes.get(outcome) ?? 0) + 1);
    });
    if (failure === undefined) continue;
    const smaller = await minimised(target, input, seed ^ number, failure);
    tally.failures.push({ target: target.name, number, message: failure, input: smaller });
  }
  tally.milliseconds += performance.now() - start;
}

/** What is wrong with how an input is taken; undefined if nothing is. */
export async function failureOf(
  target: Target,
  input: Uint8Array,
  choices: number,
  taken: (outcome: string) => void = () => undefined,
): Promise<string | undefined> {
  const before = process.memoryUsage().arrayBuffers;
  try {
    taken(await target.run(input, new Random(choices)));
  } catch (reason) {
    if (reason instanceof Fault) return reason.message;
    return reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
  }
  const more = process.memoryUsage().arrayBuffers - before;
  if (more <= MEMORY_MAX + MEMORY_OF_SIZE_MAX * input.length) return undefined;
  return `${more} bytes of memory are taken for an input of ${input.length}`;
}

/** Its first line is alike: sizes and pages differ between an input and a smaller one. */
const kindOf = (message: string): string =>
  message.split('\n')[0]!.replaceAll(/\d+/g, 'N').slice(0, 40);

/** Tries to wipe, and to leave out, parts of an input, as long as it fails as before. */
async function minimised(
  target: Target,
  input: Uint8Array,
  choices: number,
  failure: string,
): Promise<Uint8Array> {
  let best = Buffer.from(input);
  const end = performance.now() + MINIMISE_MS;
  for (let length = Math.floor(best.length / 2); length >= 1; length = Math.floor(length / 2)) {
    for (let at = 0; at < best.length && performance.now() < end; at += length) {
      const without = Buffer.concat([best.subarray(0, at), best.subarray(at + length)]);
      const wiped = Buffer.from(best);
      wiped.subarray(at, at + length).fill(0);
      for (const smaller of [without, wiped]) {
        if (smaller.equals(best)) continue;
        const message = await failureOf(target, smaller, choices);
        if (message === undefined || kindOf(message) !== kindOf(failure)) continue;
        best = smaller;
        break;
      }
    }
  }
  return best;
}

const MINIMISE_MS = 5000;
