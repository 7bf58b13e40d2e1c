// npm run kills:power [-- --all]: the power is cut just before each thing that a backup does to files, and right
// after it has said that it is saved. Of what had reached the disk nothing is called complete that is
// not, the earlier backup is bit for bit what it was, and a next run succeeds and tidies up; what was said
// to be saved is there.

import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { directoriesOf } from '../../src/backup/target.ts';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { startEtcd } from '../servers/etcd.ts';
import { disksMissing, makeImage } from './disk.ts';
import { LEFT } from './examine.ts';
import { type Lane, tryAll, withLanes } from './lanes.ts';
import { listingOfPlace, removeNotes } from './place.ts';
import {
  copiesIn,
  type Outcome,
  onCopies,
  type PowerScenario,
  runOnDisk,
  tryCut,
} from './power-case.ts';
import { momentOf, numbersOf, recordStepOf } from './scenario.ts';
import { recordSteps, requireSteps, type SignalAt } from './stepped-run.ts';
import { requireSyncs } from './syncs.ts';

/** So many times it is cut when a backup is said to be saved; an end is the same after a sweep. */
const PROMISES = 3;

/** Each step in each scenario. */
const { all } = parseArgs({ options: { all: { type: 'boolean', default: false } } }).values;

interface Case {
  readonly scenario: PowerScenario;
  /** None is the end of the run. */
  readonly step: number | undefined;
}

/** Makes disks with an earlier backup, and with what a killed run left; records what runs do there. */
async function recordScenarios(lane: Lane, isApart: boolean): Promise<PowerScenario[]> {
  const name = isApart ? 'apart' : 'all';
  const empty = copiesIn(lane, `${name}-empty`, isApart ? 2 : 1);
  const [used, left, scratch] = ['used', 'left', 'scratch'].map((what) =>
    copiesIn(lane, `${name}-${what}`, empty.length),
  ) as [string[], string[], string[]];
  const record = (from: readonly string[], to: readonly string[]): Promise<readonly string[]> =>
    onCopies(from, to, (target) => recordSteps(() => runOnDisk(lane, target)));
  for (const image of empty) makeImage(image);
  await onCopies(empty, used, async (target) => {
    for (const place of directoriesOf(target)) await rmdir(join(place, 'lost+found'));
    await recordSteps(() => runOnDisk(lane, target));
  });
  const earlier = await onCopies(used, scratch, listingOfPlace);
  const steps = await record(used, scratch);
  await onCopies(used, left, async (target) => {
    const at: SignalAt = { step: recordStepOf(steps), signal: 'SIGKILL' };
    requireSteps(await runOnDisk(lane, target, at), steps, at);
  });
  const sweeping = await record(left, scratch);
  await removeNotes(lane.host);
  return [
    { isApart, isSweeping: false, steps, images: used, earlier },
    { isApart, isSweeping: true, steps: sweeping, images: left, earlier },
  ];
}

function casesOf(scenario: PowerScenario): Case[] {
  const ends = Array<undefined>(scenario.isSweeping ? 0 : PROMISES).fill(undefined);
  return [...numbersOf(scenario, all), ...ends].map((step) => ({ scenario, step }));
}

function nameOf({ scenario, step }: Case): string {
  return `cut ${step === undefined ? 'after the end' : momentOf(scenario, step)}`;
}

async function cutEverywhere(lanes: readonly Lane[]): Promise<void> {
  const lane = lanes[0]!;
  const scenarios = [
    ...(await recordScenarios(lane, false)),
    ...(await recordScenarios(lane, true)),
  ];
  const cases = scenarios.flatMap(casesOf);
  const outcomes: Outcome[] = [];
  await tryAll(lanes, cases, nameOf, async (one, { scenario, step }) => {
    outcomes.push(await tryCut(one, scenario, step));
  });
  for (const { steps } of scenarios) requireSyncs(steps);
  const less = outcomes.filter(({ isLess }) => isLess).length;
  if (less === 0) throw new Error('no cut took anything away: this proves nothing');
  const lefts = LEFT.map((left) => `${left} ${outcomes.filter((one) => one.left === left).length}`);
  console.log(
    `The power was cut ${cases.length} times, and ${less} times something was gone that a run had written. ` +
      `Left on the disk: ${lefts.join(', ')}. The next run tidied up each time.`,
  );
  const saved = cases.filter(({ step }) => step === undefined).length;
  console.log(`${saved} of them came when a backup was said to be saved, and it was on the disk.`);
}

const probe = temporaryDirectory();
const missing = disksMissing(probe);
removeTemporaryDirectory(probe);
if (missing === undefined) {
  await using cluster = await startEtcd({ version: '3.6.16', tls: 'mutual' });
  await loadKubernetes(cluster.gateway, { objects: 200, operations: 16 });
  await withLanes(cluster, cutEverywhere);
} else {
  console.log(`No power was cut: ${missing}.`);
  if (process.env.ETCDKEEP_REQUIRE_ALL === '1') process.exitCode = 1;
}
