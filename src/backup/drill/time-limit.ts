// The longest time for a drill. It grows with the backup, so that a large one is not taken for one that hangs.

import { formatClock } from '../../base/units.ts';
import { Shortfall } from './shortfall.ts';

/** For starting, electing, writing and joining, whatever the size. */
const BASE_MS = 3 * 60_000;
/** The database is written twice, read three times and sent once: 5 MB/s for all of it together is a slow disk. */
const BYTES_PER_MS = 5000;

export function defaultLimitMs(databaseBytes: number): number {
  return BASE_MS + Math.ceil(databaseBytes / BYTES_PER_MS);
}

export interface TimeLimit extends Disposable {
  readonly milliseconds: number;
  /** Aborted with a Shortfall once the time is over, or with the other signal's reason. */
  readonly signal: AbortSignal;
}

/** @param underWay what is being done, asked when the time is over */
export function startLimit(
  milliseconds: number,
  signal: AbortSignal,
  underWay: () => string,
): TimeLimit {
  const over = new AbortController();
  const timer = setTimeout(() => {
    const reason = `it was not done after ${formatClock(milliseconds)} (--timeout), while ${underWay()}`;
    over.abort(new Shortfall('unproven', reason));
  }, milliseconds);
  return {
    milliseconds,
    signal: AbortSignal.any([signal, over.signal]),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
