// The threads of the fuzzer. One that stays at an input for too long, or runs out of memory, has found something:
// it is ended, the input is noted, and another thread goes on behind it.
import { Worker } from 'node:worker_threads';
import { newTally, type Tally } from './run-inputs.ts';
import type { Slice, SliceDone } from './worker.ts';

/** No input takes a hundredth of it, where nothing is wrong. */
const INPUT_MAX_MS = 60_000;
const WATCH_MS = 1000;
/** Of old space, for each thread: what an input claims must not be what it gets. */
const HEAP_MAX_MB = 256;

/** An input that could not be read to its end. */
export interface Stuck {
  readonly target: string;
  readonly number: number;
  readonly why: string;
}

/**
 * Runs all slices.
 * @param done told of each as it is done
 */
export async function runSlices(
  slices: readonly Slice[],
  threads: number,
  done: (target: string, tally: Tally) => void,
  stuck: (input: Stuck) => void,
): Promise<void> {
  const left = slices.toReversed();
  const lane = async (): Promise<void> => {
    let thread = new Thread();
    for (let slice = left.pop(); slice !== undefined; slice = left.pop()) {
      const result = await thread.run(slice);
      if (typeof result !== 'string') {
        done(slice.target, result);
        continue;
      }
      const { number } = thread;
      stuck({ target: slice.target, number, why: result });
      await thread.end();
      thread = new Thread();
      const counted = newTally();
      counted.inputs = number - slice.from + 1;
      done(slice.target, counted);
      const from = number + 1;
      if (from < slice.from + slice.count) {
        left.push({ ...slice, from, count: slice.from + slice.count - from });
      }
    }
    await thread.end();
  };
  await Promise.all(Array.from({ length: threads }, lane));
}

class Thread {
  readonly #current = new Float64Array(new SharedArrayBuffer(8));
  readonly #worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: this.#current,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MB },
  });

  /** Of the input that it is at. */
  get number(): number {
    return this.#current[0]!;
  }

  /** @returns why it could not be done, if so */
  async run(slice: Slice): Promise<Tally | string> {
    this.#current[0] = slice.from;
    const { promise, resolve } = Promise.withResolvers<Tally | string>();
    const worker = this.#worker;
    const onMessage = ({ tally }: SliceDone): void => resolve(tally);
    const onError = (reason: unknown): void => resolve(String(reason));
    worker.on('message', onMessage).on('error', onError);
    let seen = this.number;
    let since = performance.now();
    const watch = setInterval(() => {
      if (this.number !== seen) since = performance.now();
      seen = this.number;
      if (performance.now() - since > INPUT_MAX_MS) resolve('it is read without end');
    }, WATCH_MS);
    worker.postMessage(slice);
    const result = await promise;
    clearInterval(watch);
    worker.off('message', onMessage);
    // An error of one that is being ended tells nothing more.
    if (typeof result !== 'string') worker.off('error', onError);
    return result;
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
