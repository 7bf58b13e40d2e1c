// npm run node -- up | down | run: a control plane of one node by hand.

import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import type { LayoutName } from './images.ts';
import { launcherOf, removeMachine } from './machine.ts';
import { startNode } from './node.ts';
import { prepareNodeParts } from './parts.ts';
import { Slot, takenSlots } from './slot.ts';

const USAGE = `npm run node -- up [--layout openshift|kubeadm]   starts a node that stays
npm run node -- down [NUMBER]                     takes down that one; or all that were brought up by hand, or whose program was killed
npm run node -- run NUMBER COMMAND...             runs a command on it, as by ssh`;

async function up(layout: LayoutName): Promise<void> {
  const parts = await prepareNodeParts((line) => console.log(line));
  if ('reason' in parts) throw new Error(`no node can be had: ${parts.reason}`);
  const start = performance.now();
  const node = await startNode({ layout, stays: true });
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(`
node ${node.number} is ready: ${node.nodeName}, ${layout}, after ${seconds} s

its API     export KUBECONFIG=${node.kubeconfig}
            ${parts.programs.kubectl} get pods --all-namespaces
its files   ${node.path()}
on it       npm run node -- run ${node.number} crictl ps
its end     npm run node -- down ${node.number}`);
}

async function down(number: number | undefined): Promise<void> {
  const taken = await takenSlots();
  const chosen =
    number === undefined
      ? taken.filter((slot) => slot.owner === undefined || slot.isOrphan)
      : taken.filter((slot) => slot.number === number);
  for (const slot of chosen) {
    await removeMachine(slot);
    console.log(`node ${slot.number} is gone`);
  }
  if (chosen.length === 0) console.log('there is none');
}

function run(number: number, command: readonly string[]): void {
  const [file, ...args] = [...launcherOf(new Slot(number)), ...command];
  const { status } = spawnSync(file!, args, { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}

async function main([verb, ...rest]: readonly string[]): Promise<void> {
  const number = rest[0] === undefined ? undefined : Number(rest[0]);
  if (verb === 'run' && number !== undefined && rest.length > 1) {
    run(number, rest.slice(1));
  } else if (verb === 'down' && rest.length < 2 && !Number.isNaN(number)) {
    await down(number);
  } else if (verb === 'up') {
    await up(layoutOf(rest));
  } else {
    console.error(USAGE);
    process.exitCode = 2;
  }
}

function layoutOf(args: readonly string[]): LayoutName {
  const options = { layout: { type: 'string', default: 'openshift' } } as const;
  const { layout } = parseArgs({ args: [...args], options }).values;
  if (layout === 'openshift' || layout === 'kubeadm') return layout;
  throw new Error(`there is no layout ${layout}: it is openshift or kubeadm`);
}

try {
  await main(process.argv.slice(2));
} catch (reason) {
  console.error(reason instanceof Error ? reason.message : String(reason));
  process.exitCode = 1;
}
