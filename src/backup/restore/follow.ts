// Looks at a restored cluster until it has recovered, or once.

import { setTimeout as sleep } from 'node:timers/promises';
import { isWaitingInVain, type Missing } from './recovery.ts';

export interface FollowOptions {
  /** Whether to look again until nothing is missing. */
  readonly isFollowed: boolean;
  /** After which the last look counts; undefined for without end. */
  readonly timeoutMs: number | undefined;
  readonly intervalMs: number;
  readonly signal: AbortSignal;
  /** Called after each look that something is missing after, unless it is the last one. */
  readonly report: (missing: readonly Missing[], elapsedMs: number) => void;
  /** Milliseconds that never go back. */
  readonly clock: () => number;
}

export interface Followed<T> {
  readonly status: T;
  readonly missing: readonly Missing[];
}

/** @throws what `look` throws; the signal's reason */
export async function follow<T>(
  look: () => Promise<T>,
  judge: (status: T) => readonly Missing[],
  options: FollowOptions,
): Promise<Followed<T>> {
  const { isFollowed, timeoutMs = Number.POSITIVE_INFINITY, intervalMs, signal, clock } = options;
  const began = clock();
  for (;;) {
    const status = await look();
    const missing = judge(status);
    const elapsedMs = clock() - began;
    const isOver = missing.length === 0 || isWaitingInVain(missing) || elapsedMs >= timeoutMs;
    if (isOver || !isFollowed) return { status, missing };
    options.report(missing, elapsedMs);
    await sleep(Math.min(intervalMs, timeoutMs - elapsedMs), undefined, { signal }).catch(() =>
      signal.throwIfAborted(),
    );
  }
}
