// npm run kills -- [--count 1000] [--seed 1]: backups that are killed at random moments. After each kill
// every backup that is called complete is whole and every earlier one is as it was; after each run
// that was left alone nothing unfinished is there any more.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Target, targetOf } from '../../src/backup/target.ts';
import { startCli } from '../cli/run.ts';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { createOpenshiftHost } from '../fixtures/openshift-host.ts';
import { Random } from '../fixtures/random.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { startEtcd } from '../servers/etcd.ts';
import { examine, type Seen } from './examine.ts';

/** After so many kills one run is left alone. */
const LEFT_ALONE_EVERY = 20;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
  },
});

const tally = { kills: 0, before: 0, partial: 0, published: 0, complete: 0 };

/** Runs a backup and kills it after that time, if it still runs. */
async function killAfter(line: readonly string[], milliseconds: number) {
  const run = startCli(line);
  const killing = new AbortController();
  const kill = sleep(milliseconds, undefined, { signal: killing.signal }).then(
    () => run.signal('SIGKILL'),
    () => undefined,
  );
  const outcome = await run.outcome;
  killing.abort();
  await kill;
  return outcome;
}

async function round(line: readonly string[], target: Target, seen: Seen, afterMs: number) {
  const known = seen.size;
  const { code, stdout } = await killAfter(line, afterMs);
  const unfinished = await examine(target, seen);
  const isComplete = seen.size > known;
  if (/successfully saved/.test(stdout) && !isComplete) throw new Error('it is said to be saved');
  if (code === 137) tally.kills += 1;
  if (isComplete) tally.complete += 1;
  else if (unfinished.some((name) => !name.startsWith('.'))) tally.published += 1;
  else if (unfinished.length > 0) tally.partial += 1;
  else tally.before += 1;
}

async function leftAlone(line: readonly string[], target: Target, seen: Seen): Promise<number> {
  const began = performance.now();
  const outcome = await startCli(line).outcome;
  if (outcome.code !== 0) throw new Error(`left alone, it fails:\n${outcome.stderr}`);
  const unfinished = await examine(target, seen);
  if (unfinished.length > 0) throw new Error(`left behind: ${unfinished.join(', ')}`);
  return performance.now() - began;
}

const random = new Random(Number(values.seed));
const directory = temporaryDirectory();
const target = targetOf(directory, undefined);
await using cluster = await startEtcd({ version: '3.6.16', tls: 'mutual' });
await loadKubernetes(cluster.gateway, { objects: 500, operations: 16 });
const host = await createOpenshiftHost(cluster);
try {
  const line = ['backup', `--root=${host.root}`, directory];
  const seen: Seen = new Map();
  let longest = await leftAlone(line, target, seen);
  for (let count = 0; count < Number(values.count); count += 1) {
    // Half of them anywhere, half towards the end, where the files are moved.
    const from = random.chance(0.5) ? 0 : 0.7 * longest;
    await round(line, target, seen, random.between(Math.floor(from), Math.ceil(longest * 1.1)));
    if (count % LEFT_ALONE_EVERY !== LEFT_ALONE_EVERY - 1) continue;
    longest = await leftAlone(line, target, seen);
  }
  await leftAlone(line, target, seen);
  console.log(
    `seed ${values.seed}: ${tally.kills} of ${values.count} runs were killed; then nothing was there ${tally.before} times, ` +
      `a hidden directory ${tally.partial}, files without a record ${tally.published}, a whole backup ${tally.complete}.`,
  );
  console.log(`${seen.size / 2} backups are whole, and none that was is not.`);
} finally {
  host.remove();
  removeTemporaryDirectory(directory);
}
