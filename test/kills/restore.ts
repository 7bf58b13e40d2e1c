// npm run kills:restore [-- --all] [--only kill|EIO|ENOSPC] [--from N] [--to N] [--every N]: restores that are killed just before each
// thing that they do to files, or that fail at it. Then they are gone on with, or gone back from in another run; the host
// ends healthy, with the data of the backup or with those of before, and nothing is lost.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { PlacedResource } from '../../src/backup/restore/plan.ts';
import { failureOf } from '../cli/failure.ts';
import { createScene, dataOf, type Scene, type StepAt, writeSince } from '../restore/host-scene.ts';
import type { CommandResult } from '../servers/command.ts';

const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    only: { type: 'string' },
    from: { type: 'string', default: '1' },
    to: { type: 'string', default: '1000000' },
    every: { type: 'string', default: '1' },
  },
});

const LANES = 2;

type Fault = 'kill' | 'EIO' | 'ENOSPC';

interface Case {
  readonly fault: Fault;
  readonly step: number;
  readonly then: 'resume' | 'rollback';
}

const GONE = 'kube-apiserver-pod-14';
const CHANGED = 'kube-scheduler-pod-6';
const RESOURCES = '/etc/kubernetes/static-pod-resources';

/** A revision that is missing comes back, and one that differs is replaced. */
const PLACED: readonly PlacedResource[] = [
  [GONE, 'missing', 'place'] as const,
  [CHANGED, 'differs', 'replace'] as const,
].map(([name, state, action]) => ({
  path: `${RESOURCES}/${name}`,
  kind: 'directory',
  member: `static-pod-resources/${name}`,
  state,
  action,
}));

const DAMAGED = join(RESOURCES, CHANGED, 'kube-scheduler-pod.yaml');

/** Makes the host one that has something to lose and to gain. */
async function prepare(scene: Scene): Promise<void> {
  await scene.waitUntilHealthy();
  if ((await dataOf(scene.gateway)) !== 'before') await writeSince(scene.gateway);
  await rm(scene.path(join(RESOURCES, GONE)), { recursive: true, force: true });
  await writeFile(scene.path(DAMAGED), 'damaged');
}

function inodeOf(scene: Scene, member: string): number {
  return statSync(scene.path(join('/var/lib/etcd', member, 'snap/db'))).ino;
}

/** What a run that nobody disturbs does to files, with the steps that differ in numbers alone left out. */
async function recordSteps(scene: Scene): Promise<readonly string[]> {
  await prepare(scene);
  const plan = await scene.plan(scene.nextStamp(), { resources: PLACED });
  const { code, stderr } = await scene.carryOut(plan, { at: { step: 0 } });
  if (code !== 0) throw new Error(`left alone, it fails:\n${stderr}`);
  return readFileSync(scene.stepsLog, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { call, file } = JSON.parse(line) as { readonly call: string; readonly file: string };
      return `${call} ${file.slice(scene.root.length)}`;
    });
}

/** Of the writes to one file, and of files of one directory, only the first and the last, unless all are wanted. */
function numbersOf(steps: readonly string[]): number[] {
  const kindOf = (step: string): string =>
    step.replace(/\/\d+\/.*/, '').replace(/\.etcdkeep-[^/]*/, '');
  return [...steps.keys()]
    .filter((index) => {
      if (values.all) return true;
      const kind = kindOf(steps[index]!);
      return kind !== kindOf(steps[index - 1] ?? '') || kind !== kindOf(steps[index + 1] ?? '');
    })
    .map((index) => index + 1)
    .filter((number) => number >= Number(values.from) && number <= Number(values.to))
    .filter((_, index) => index % Number(values.every) === 0);
}

async function attempt(scene: Scene, { fault, step, then }: Case): Promise<string> {
  await prepare(scene);
  const kept = scene.dataNames();
  const before = { names: await kept, inode: inodeOf(scene, 'member') };
  const plan = await scene.plan(scene.nextStamp(), { resources: PLACED });
  const at: StepAt = fault === 'kill' ? { step, signal: 'SIGKILL' } : { step, error: fault };
  const disturbed = await scene.carryOut(plan, { at });
  let expected: 'backup' | 'before';
  if (fault !== 'kill' && disturbed.code === 0) {
    expected = 'backup';
  } else {
    if (fault === 'kill' && disturbed.code !== 137)
      throw new Error(`it ended with ${disturbed.code}`);
    if (fault !== 'kill') requireNamed(disturbed.stderr, fault);
    const second =
      then === 'resume' ? await scene.resume(plan.stamp) : await scene.rollBack(plan.stamp);
    const isStarted = disturbed.stdout.includes('{"kind":"step-done","step":"start"}');
    expected = endOf(second, then, isStarted);
    // There was no way back any more: there is one on.
    if (then === 'rollback' && expected === 'backup') await scene.resume(plan.stamp);
  }
  await scene.waitUntilHealthy();
  const data = await dataOf(scene.gateway);
  if (data !== expected) throw new Error(`the data are ${data}, not ${expected}`);
  requireNothingLost(scene, plan.stamp, before, expected);
  const outcome = `${fault}, then ${disturbed.code === 0 ? 'done' : then}: ${expected}`;
  await tidy(scene, plan.stamp);
  return outcome;
}

/** A run that has come to no plan, or is undone already, is not known: then everything is as it was; or it was over. */
function endOf(
  { code, stderr }: CommandResult,
  then: Case['then'],
  isStarted: boolean,
): 'backup' | 'before' {
  if (code === 0) return then === 'resume' ? 'backup' : 'before';
  const failure = failureOf({ code, stderr, stdout: '' });
  if (failure.code === 'restore-not-found') return isStarted ? 'backup' : 'before';
  // Killed when etcd had been told to start.
  if (failure.code === 'restore-served') return 'backup';
  throw new Error(`${then} fails:\n${stderr}`);
}

function requireNamed(stderr: string, fault: Fault): void {
  const { code } = failureOf({ code: 1, stderr, stdout: '' });
  const expected = fault === 'ENOSPC' ? ['disk-full'] : ['file-failed', 'etcd-not-serving'];
  if (!expected.includes(code)) throw new Error(`${fault} is called ${code}:\n${stderr}`);
}

function requireNothingLost(
  scene: Scene,
  stamp: string,
  before: { readonly names: readonly string[]; readonly inode: number },
  expected: 'backup' | 'before',
): void {
  const names = readdirSync(scene.path('/var/lib/etcd'));
  const lost = before.names.filter((name) => !names.includes(name));
  const extra = names.filter((name) => !before.names.includes(name));
  const wanted = expected === 'backup' ? [`member-before-${stamp}`] : [];
  if (lost.length > 0 || extra.join() !== wanted.join()) {
    throw new Error(`lost: ${lost.join()}; there is more than ${wanted.join()}: ${extra.join()}`);
  }
  const place = expected === 'backup' ? `member-before-${stamp}` : 'member';
  if (inodeOf(scene, place) !== before.inode)
    throw new Error(`${place} is not what was there before`);
  const hidden = readdirSync(scene.path('/etc/kubernetes'), { recursive: true, encoding: 'utf8' });
  const left = hidden.filter((name) => /(^|\/)\./.test(name));
  if (left.length > 0) throw new Error(`left in /etc/kubernetes: ${left.join(' ')}`);
  const revisions = readdirSync(scene.path(RESOURCES));
  const isPlaced =
    revisions.includes(GONE) && readFileSync(scene.path(DAMAGED), 'utf8') !== 'damaged';
  const isAsBefore =
    !revisions.includes(GONE) && readFileSync(scene.path(DAMAGED), 'utf8') === 'damaged';
  if (expected === 'backup' ? !isPlaced : !isAsBefore)
    throw new Error('the static resources are others');
  if (scene.pods.violations.length > 0) throw new Error(scene.pods.violations.join('; '));
}

/** What is kept for good is not needed by the next case. */
async function tidy(scene: Scene, stamp: string): Promise<void> {
  await rm(scene.path(`/var/lib/etcd/member-before-${stamp}`), { recursive: true, force: true });
  await rm(scene.path('/var/lib/etcdkeep'), { recursive: true, force: true });
  await rm(scene.path('/home'), { recursive: true, force: true });
}

const scenes: Scene[] = [];
const failures: string[] = [];
const outcomes = new Map<string, number>();
try {
  for (let lane = 0; lane < LANES; lane += 1) scenes.push(await createScene('openshift'));
  const steps = await recordSteps(scenes[0]!);
  await tidy(scenes[0]!, 'none');
  const numbers = numbersOf(steps);
  console.log(`${steps.length} steps, ${numbers.length} of them are tried`);
  const faults = (['kill', 'EIO', 'ENOSPC'] as const).filter(
    (fault) => (values.only ?? fault) === fault,
  );
  const waiting = faults.flatMap((fault) =>
    numbers.flatMap((step, index): Case[] => {
      const both = (['resume', 'rollback'] as const).map((then) => ({ fault, step, then }));
      return fault === 'kill' ? both : [both[index % 2]!];
    }),
  );
  const total = waiting.length;
  const work = async (scene: Scene): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      try {
        const outcome = await attempt(scene, one);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        if (waiting.length % 50 === 0) console.log(`${waiting.length} of ${total} are left`);
      } catch (reason) {
        const why = reason instanceof Error ? reason.message : String(reason);
        failures.push(
          `${one.fault} at step ${one.step} (${steps[one.step - 1]!}), then ${one.then}: ${why}`,
        );
        console.log(failures.at(-1));
        // Nobody knows what a host is like on which something failed.
        await scene.stop().catch(() => undefined);
        scenes.splice(scenes.indexOf(scene), 1);
        return;
      }
    }
  };
  await Promise.all([...scenes].map(work));
  console.log(
    `${total - waiting.length} of ${total} cases: ${[...outcomes].map(([what, count]) => `${what} ${count} times`).join('; ')}`,
  );
} finally {
  for (const scene of scenes) await scene.stop();
}
if (failures.length > 0)
  throw new Error(`${failures.length} cases failed:\n${failures.join('\n')}`);
