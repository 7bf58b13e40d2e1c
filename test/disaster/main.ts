// npm run disaster -- [--only record|pair|killed|no-bump]... [--times N] [--layout openshift|kubeadm]: on a real control plane of
// one node, data are written, backed up from the laptop and lost with the disk, and etcdkeep restores them. It passes only if
// the cluster works again, with the objects of the backup and no others.

import { parseArgs } from 'node:util';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { ControlGroups } from '../servers/node/control-groups.ts';
import type { LayoutName } from '../servers/node/images.ts';
import { machinesMissing, removeMachine } from '../servers/node/machine.ts';
import { startNode } from '../servers/node/node.ts';
import { takenSlots } from '../servers/node/slot.ts';
import { evidence } from './host.ts';
import { messageOf, Phases, phasesTable } from './lab.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    times: { type: 'string', default: '1' },
    layout: { type: 'string', default: 'openshift' },
  },
});

const INTERRUPTED_EXIT = 130;
const KILL_INTERVAL_MS = 200;

const interruption = new AbortController();
const { signal } = interruption;

async function runScenario({ name, what, run }: Scenario, layout: LayoutName) {
  console.log(`\n${name}: ${what}`);
  const backups = temporaryDirectory();
  const phases = new Phases(name);
  try {
    await using node = await phases.time('node up', () => startNode({ layout }));
    const lab = { node, layout, backups, signal, phases };
    try {
      return await Promise.race([run(lab), aborted()]);
    } catch (reason) {
      if (!signal.aborted) console.error(await evidence(lab));
      throw reason;
    }
  } finally {
    removeTemporaryDirectory(backups);
    removeTemporaryDirectory(`${backups}-next`);
  }
}

function aborted(): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

/** Told to stop, what waits for the node ends with the node. */
function takeDownOnSignal(): void {
  const stop = (name: NodeJS.Signals): void => {
    interruption.abort(new Error(`stopped by ${name}`));
    const kill = async (): Promise<void> => {
      for (const slot of (await takenSlots()).filter(({ owner }) => owner === process.pid)) {
        // It may be taken down at the same time.
        await new ControlGroups(slot.name).kill().catch(() => undefined);
      }
    };
    void kill();
    setInterval(() => void kill(), KILL_INTERVAL_MS).unref();
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, stop);
}

/** Of this process, and of earlier ones that were killed. */
async function removeNodes(): Promise<void> {
  for (const slot of await takenSlots()) {
    if (slot.owner === process.pid || slot.isOrphan) await removeMachine(slot);
  }
}

function chosen(): { readonly scenarios: readonly Scenario[]; readonly layout: LayoutName } {
  const { layout, only } = values;
  if (layout !== 'openshift' && layout !== 'kubeadm')
    throw new Error(`there is no layout ${layout}`);
  const unknown = only?.find((one) => !SCENARIOS.some(({ name }) => name === one));
  if (unknown !== undefined) {
    throw new Error(`there is no ${unknown}: ${SCENARIOS.map(({ name }) => name).join(', ')}`);
  }
  const scenarios = SCENARIOS.filter(({ name }) => only === undefined || only.includes(name));
  return { scenarios, layout };
}

async function main(): Promise<void> {
  const { scenarios, layout } = chosen();
  const missing = machinesMissing();
  if (missing !== undefined) {
    if (process.env.ETCDKEEP_REQUIRE_ALL === '1') throw new Error(missing);
    console.log(`No disaster was made: ${missing}.`);
    return;
  }
  takeDownOnSignal();
  await removeNodes();
  for (let time = 1; time <= Number(values.times); time += 1) {
    const columns: Phases[] = [];
    console.log(`run ${time} of ${values.times}`);
    for (const scenario of scenarios) {
      const why = scenario.lacks?.[layout];
      if (why !== undefined) {
        console.log(`\n${scenario.name}: not with ${layout}: ${why}`);
        continue;
      }
      const own = await runScenario(scenario, layout);
      columns.push(...own);
    }
    if (columns.length === 0) throw new Error('nothing was tried');
    console.log(`\n${phasesTable(columns)}\n\nrun ${time} of ${values.times}: all of it held\n`);
  }
}

try {
  await main();
} catch (reason) {
  await removeNodes().catch((second: unknown) => console.error(messageOf(second)));
  // Whatever failed then, failed for want of the node.
  const why = messageOf(signal.aborted ? signal.reason : reason);
  console.error(`\nthe disaster was not overcome: ${why}`);
  process.exit(signal.aborted ? INTERRUPTED_EXIT : 1);
}
process.exit(0);
