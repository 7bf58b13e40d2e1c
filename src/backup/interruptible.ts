// Long walks over a file that can be interrupted: reads of a file are done at once, and as long as nothing
// is waited for, no signal is heard.

import { setImmediate } from 'node:timers/promises';
import type { PageSource } from '../bbolt/page-source.ts';

/** Some milliseconds of a walk. */
const TURN_SIZE = 8 * 1024 * 1024;

/** The same source, whose reads end with the signal's reason once it is aborted. */
export function interruptible(source: PageSource, signal: AbortSignal): PageSource {
  let left = TURN_SIZE;
  return {
    size: source.size,
    read(into, offset) {
      left -= into.length;
      if (left > 0) return source.read(into, offset);
      left = TURN_SIZE;
      return listen().then(() => source.read(into, offset));
    },
  };

  async function listen(): Promise<void> {
    await setImmediate();
    signal.throwIfAborted();
  }
}
