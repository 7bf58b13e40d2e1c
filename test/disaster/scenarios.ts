// The disasters. Each gets a node of its own, with all that is on it, and a backup of it on the laptop.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCli } from '../cli/run.ts';
import type { LayoutName } from '../servers/node/images.ts';
import { disagreements } from './agreement.ts';
import { NAMESPACE, SECRETS, writeBefore, writeLater } from './contents.ts';
import { expectRestored, highestRevision, untilApiIsReady } from './end-state.ts';
import {
  bringBackup,
  clusterStatus,
  destroy,
  FROM_BACKUP,
  installExecutable,
  killRestore,
  type Loss,
  type Moment,
  restore,
  restoreStatus,
  restoreWithoutBump,
} from './host.ts';
import { demand, type Lab, Phases, succeeded } from './lab.ts';

export interface Scenario {
  readonly name: string;
  readonly what: string;
  /** Where it cannot be had, and why. */
  readonly lacks?: Readonly<Partial<Record<LayoutName, string>>>;
  /** The disasters, each of which is a column of the table. */
  readonly run: (lab: Lab) => Promise<readonly Phases[]>;
}

const BACKUP_TIMEOUT_MS = 5 * 60_000;

/** For so long the API is looked at that was restored without a bump: it would have listed anew by then. */
const STALE_LOOKS = 7;
const STALE_INTERVAL_MS = 5000;
const STALE_SHOWN = 4;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'record',
    what: 'the disk is lost while etcd runs; restored from a backup with its record',
    run: async (lab) => {
      await prepare(lab);
      const highest = await lose(lab, 'running', () => true);
      await lab.phases.time('restore', () => restore(lab, FROM_BACKUP));
      await expectRestored(lab, highest);
      return [lab.phases];
    },
  },
  {
    name: 'pair',
    what: 'etcd was stopped by hand; restored from the two files that cluster-restore.sh takes',
    run: async (lab) => {
      await prepare(lab);
      const isOfPair = (name: string): boolean => /^(snapshot|static_kuberesources)_/.test(name);
      const highest = await lose(lab, 'stopped', isOfPair);
      await lab.phases.time('restore', () => restore(lab, FROM_BACKUP));
      await expectRestored(lab, highest);
      return [lab.phases];
    },
  },
  {
    name: 'killed',
    what: 'the restore is killed, in three disasters one after the other, and gone on with',
    run: async (lab) => {
      await prepare(lab);
      const all: Phases[] = [];
      for (const one of KILLS) all.push(await killed(all.length === 0 ? lab : again(lab), one));
      return all;
    },
  },
  {
    name: 'no-bump',
    what: 'a control: restored by hand without a bump, which has to be seen as wrong',
    lacks: { kubeadm: 'its API server is started anew while etcd is down (livenessProbe)' },
    run: async (lab) => {
      await prepare(lab);
      await lose(lab, 'running', () => true);
      // Without a restore of its own etcdkeep does not know what `--status` is asked about.
      await lab.phases.time('restore', () => restore(lab, FROM_BACKUP));
      await lab.phases.time('API back', () => untilApiIsReady(lab));
      await lab.phases.time('writes again', () => writeLater(lab));
      await lab.phases.time('without a bump', () => restoreWithoutBump(lab));
      await lab.phases.time('API back again', () => untilApiIsReady(lab));
      await lab.phases.time('seen as wrong', () => expectStale(lab));
      return [lab.phases];
    },
  },
];

interface Kill {
  readonly name: string;
  readonly loss: Loss;
  readonly at: Moment;
  /** By then it would be too late. */
  readonly next: Moment;
}

const KILLS: readonly Kill[] = [
  { name: 'building', loss: 'crashed', at: ['build', 'begun'], next: ['build', 'done'] },
  { name: 'stopped', loss: 'running', at: ['stop', 'done'], next: ['data', 'begun'] },
  { name: 'waiting', loss: 'stopped', at: ['start', 'done'], next: ['serve', 'done'] },
];

async function killed(lab: Lab, { name, loss, at, next }: Kill): Promise<Phases> {
  const named = { ...lab, phases: new Phases(`killed, ${name}`) };
  for (const [phase, seconds] of lab.phases.seconds) named.phases.seconds.set(phase, seconds);
  const highest = await lose(named, loss, () => true);
  await named.phases.time('killed', () => killRestore(named, at, next));
  await named.phases.time('restore', () => restore(named, ['--resume']));
  await expectRestored(named, highest);
  return named.phases;
}

/** The same node, whose start is not counted again. */
function again(lab: Lab): Lab {
  return { ...lab, phases: new Phases(lab.phases.title) };
}

/** Fills the cluster, and takes the backup from the laptop. */
async function prepare(lab: Lab): Promise<void> {
  await installExecutable(lab);
  await lab.phases.time('contents', () => writeBefore(lab));
  await lab.phases.time('backup', () => takeBackup(lab));
}

async function takeBackup({ node, backups }: Lab): Promise<void> {
  const line = ['backup', '--node', node.nodeName, '--kubeconfig', node.kubeconfig];
  const outcome = await runCli([...line, '--dest-dir', backups], { timeoutMs: BACKUP_TIMEOUT_MS });
  succeeded(`etcdkeep ${line.join(' ')}`, outcome);
  const snapshot = readdirSync(backups).find((name) => name.endsWith('.db'));
  const bytes = readFileSync(join(backups, snapshot!));
  const key = `/deployments/${NAMESPACE}/web`;
  demand(bytes.includes(key), `the snapshot lacks ${key}`);
  for (const word of Object.values(SECRETS)) {
    demand(!bytes.includes(word), `the snapshot has the secret ${word} in the clear`);
  }
}

/** Writes what is to be lost, brings the backup, and destroys the data. @returns the highest revision that was seen */
async function lose(lab: Lab, loss: Loss, wanted: (name: string) => boolean): Promise<bigint> {
  await lab.phases.time('writes', () => writeLater(lab));
  const highest = await highestRevision(lab);
  await bringBackup(lab, wanted);
  await lab.phases.time('destroyed', () => destroy(lab, loss));
  return highest;
}

/** Some of it is enough to see what it is like. */
function tellStale(found: readonly string[]): void {
  const shown = found.slice(0, STALE_SHOWN).map((line) => `  ${line}`);
  console.log([...shown, `  ... ${found.length} objects in all`].join('\n'));
}

/** The API says that it is ready, and lists what is gone; our own looks find it. */
async function expectStale(lab: Lab): Promise<void> {
  for (let look = 0; look < STALE_LOOKS; look += 1) {
    demand(await lab.node.api.isReady(), 'the API is not ready: that would tell on it');
    const found = await disagreements(lab);
    demand(found.length > 0, 'without a bump all ways to read agree: this could not have failed');
    if (look === 0) tellStale(found);
    await sleep(STALE_INTERVAL_MS, undefined, { signal: lab.signal });
  }
  const { lists } = await restoreStatus(lab);
  demand(
    (lists.seen?.stale.length ?? 0) > 0,
    `restore --status finds nothing stale: ${JSON.stringify(lists)}`,
  );
  console.log(`  restore --status: stale ${lists.seen!.stale.join(', ')}`);
  const { lists: fromHere } = await clusterStatus(lab);
  demand(
    (fromHere.seen?.stale.length ?? 0) > 0,
    `restore --status from here finds nothing stale: ${JSON.stringify(fromHere)}`,
  );
  console.log(`  and from here: ${fromHere.seen!.stale.join(', ')}`);
}
