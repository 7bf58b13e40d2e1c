// A thread of the fuzzer: runs the inputs that it is told to, and tells how they were taken. Which one it is at lies in
// shared memory, so that an input without end has a name.
import { parentPort, workerData } from 'node:worker_threads';
import { reuseMemory } from './reused-memory.ts';
import { type InputRange, newTally, runInputs, type Tally } from './run-inputs.ts';
import { targetOf } from './targets/all.ts';

export interface Slice extends InputRange {
  readonly target: string;
}

/** What a slice came to. */
export interface SliceDone {
  readonly slice: Slice;
  readonly tally: Tally;
}

reuseMemory();
const current = workerData as Float64Array;

parentPort!.on('message', (slice: Slice) => {
  void (async () => {
    const tally = newTally();
    await runInputs(targetOf(slice.target), slice, tally, (number) => {
      current[0] = number;
    });
    parentPort!.postMessage({ slice, tally } satisfies SliceDone);
  })();
});
