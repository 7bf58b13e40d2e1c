import { expect, it } from 'vitest';
import { EtcdkeepError } from '../../base/errors.ts';
import { type FollowOptions, follow } from './follow.ts';
import type { Missing } from './recovery.ts';

const NODES: Missing = { what: 'nodes', words: 'b', isForbidden: false };
const FORBIDDEN: Missing = { what: 'operators', words: 'unknown', isForbidden: true };

/** Looks at these, one after the other, a second each. */
async function following(
  looks: readonly (readonly Missing[])[],
  change: Partial<FollowOptions> = {},
) {
  let [looked, timeMs] = [0, 0];
  const reported: number[] = [];
  const look = (): Promise<readonly Missing[]> => {
    timeMs += 1000;
    return Promise.resolve(looks[looked++]!);
  };
  const { missing } = await follow(look, (status) => status, {
    isFollowed: true,
    timeoutMs: undefined,
    intervalMs: 1,
    signal: new AbortController().signal,
    report: (_, elapsedMs) => reported.push(elapsedMs),
    clock: () => timeMs,
    ...change,
  });
  return { looked, reported, missing };
}

it('looks once, unless it is to follow', async () => {
  const once = await following([[NODES], []], { isFollowed: false });
  expect(once).toEqual({ looked: 1, reported: [], missing: [NODES] });
});

it('follows until nothing is missing', async () => {
  const all = await following([[NODES, FORBIDDEN], [NODES], []]);
  expect(all).toEqual({ looked: 3, reported: [1000, 2000], missing: [] });
});

it('follows no longer than it is told to', async () => {
  const cut = await following([[NODES], [NODES], [NODES], []], { timeoutMs: 2500 });
  expect(cut).toMatchObject({ looked: 3, missing: [NODES] });
});

it('does not wait for a permission', async () => {
  const vain = await following([[NODES, FORBIDDEN], [FORBIDDEN], []]);
  expect(vain).toMatchObject({ looked: 2, missing: [FORBIDDEN] });
});

it('ends when it is told to stop', async () => {
  const stop = new AbortController();
  const stopped = following([[NODES], [NODES]], {
    intervalMs: 60_000,
    signal: stop.signal,
    report: () => stop.abort(new EtcdkeepError('interrupted', 'stopped by SIGINT')),
  });
  await expect(stopped).rejects.toMatchObject({ code: 'interrupted' });
});
