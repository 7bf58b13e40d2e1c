// npm run kills:steps [-- --all]: backups that are killed, or told to stop, just before each thing that they do to
// files. Then nothing is called complete that is not, the earlier backup is bit for bit what it was,
// and a next run succeeds and leaves nothing unfinished.

import { parseArgs } from 'node:util';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { startEtcd } from '../servers/etcd.ts';
import { LEFT } from './examine.ts';
import { type Lane, tryAll, withLanes } from './lanes.ts';
import { listingOfPlace, putBack } from './place.ts';
import { momentOf, numbersOf } from './scenario.ts';
import {
  type Case,
  leaveUnrecorded,
  type Outcome,
  putLeftovers,
  runInLane,
  type SignalScenario,
  targetIn,
  trySignal,
} from './signal-case.ts';
import { recordSteps } from './stepped-run.ts';

/** Each signal in each scenario, and a next run after each case. */
const { all } = parseArgs({ options: { all: { type: 'boolean', default: false } } }).values;

/** Makes an earlier backup in every lane, and records what runs do. */
async function recordScenarios(
  lanes: readonly Lane[],
  isApart: boolean,
): Promise<SignalScenario[]> {
  for (const lane of lanes) await recordSteps(() => runInLane(lane, targetIn(lane, { isApart })));
  const lane = lanes[0]!;
  const target = targetIn(lane, { isApart });
  const earlier = await listingOfPlace(target);
  const plain = {
    isApart,
    isSweeping: false,
    steps: await recordSteps(() => runInLane(lane, target)),
  };
  await putBack(target, earlier);
  const leftovers = await leaveUnrecorded(lane, plain);
  await putLeftovers(lane, target, leftovers);
  const steps = await recordSteps(() => runInLane(lane, target));
  await putBack(target, earlier);
  return [plain, { isApart, isSweeping: true, steps, leftovers }];
}

function casesOf(scenario: SignalScenario): Case[] {
  const isPlain = !(scenario.isApart || scenario.isSweeping);
  const signals: NodeJS.Signals[] = all || isPlain ? ['SIGKILL', 'SIGTERM', 'SIGINT'] : ['SIGKILL'];
  return numbersOf(scenario, all).flatMap((step) =>
    signals.map((signal) => ({ scenario, at: { step, signal } })),
  );
}

function nameOf({ scenario, at: { signal, step } }: Case): string {
  return `${signal} ${momentOf(scenario, step)}`;
}

const outcomes = new Map<string, number>();
const count = (outcome: Outcome): number => outcomes.get(outcome) ?? 0;

await using cluster = await startEtcd({ version: '3.6.16', tls: 'mutual' });
await loadKubernetes(cluster.gateway, { objects: 200, operations: 16 });
await withLanes(cluster, async (lanes) => {
  const scenarios = [
    ...(await recordScenarios(lanes, false)),
    ...(await recordScenarios(lanes, true)),
  ];
  const cases = scenarios.flatMap(casesOf);
  await tryAll(lanes, cases, nameOf, async (lane, one) => {
    const outcome = await trySignal(lane, one, all);
    outcomes.set(outcome, count(outcome) + 1);
  });
  const missed = LEFT.filter((left) => count(left) === 0);
  if (missed.length > 0) throw new Error(`no kill left ${missed.join(', or ')}`);
  const kills = LEFT.reduce((sum, left) => sum + count(left), 0);
  console.log(
    `${kills} runs were killed, each before another step: ${LEFT.map((left) => `${left} was left ${count(left)} times`).join(', ')}. ` +
      'The next run tidied up each time.',
  );
  console.log(
    `${count('stopped') + count('finished')} were told to stop: ${count('stopped')} did and left nothing, ${count('finished')} had a whole backup already.`,
  );
});
