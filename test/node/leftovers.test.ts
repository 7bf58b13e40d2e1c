import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { type CommandResult, runCommand } from '../servers/command.ts';
import { describeWithNode } from '../servers/node/for-vitest.ts';
import { startNode } from '../servers/node/node.ts';
import { type Slot, takenSlots } from '../servers/node/slot.ts';

const MAIN = fileURLToPath(new URL('../servers/node/main.ts', import.meta.url));
const NODE = new URL('../servers/node/node.ts', import.meta.url).href;
const CONTROL_GROUPS = '/sys/fs/cgroup';

/** What a node has on this machine: processes, control groups, links, files. Others may run beside it. */
function tracesOf(number: number) {
  const name = new RegExp(`etcdkeep-?n(ode-)?${number}(?!\\d)`);
  const isOfNode = (text: string): boolean => name.test(text);
  const processes = readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && isOfNode(readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
  return {
    processes,
    groups: readdirSync(CONTROL_GROUPS).flatMap((hierarchy) =>
      readdirSync(join(CONTROL_GROUPS, hierarchy)).filter(isOfNode),
    ),
    links: output('ip', '-o', 'link').split('\n').filter(isOfNode),
    files: readdirSync('/var/lib').filter(isOfNode),
  };
}

const NOTHING = { processes: [], groups: [], links: [], files: [] };

/** What this machine's programs have in common, none of which is a node's to change. */
function machineState() {
  const settings = [
    'kernel/keys/root_maxkeys',
    'kernel/panic',
    'kernel/panic_on_oops',
    'net/ipv4/ip_forward',
    'vm/overcommit_memory',
    'vm/panic_on_oom',
  ];
  return {
    mounts: readFileSync('/proc/mounts', 'utf8'),
    networks: output('ip', 'netns', 'list'),
    settings: settings.map((name) => `${name}=${readFileSync(`/proc/sys/${name}`, 'utf8')}`),
  };
}

function output(file: string, ...args: string[]): string {
  return spawnSync(file, args, { encoding: 'utf8' }).stdout;
}

/** npm run node -- ... */
function onCommand(...args: string[]): Promise<CommandResult> {
  return runCommand(process.execPath, [MAIN, ...args], { timeoutMs: 200_000 });
}

/** Kills a process that is starting a node, when the node's etcd already runs. @returns the node's slot */
async function killWhileStarting(args: readonly string[]): Promise<Slot> {
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  const exit = once(child, 'exit');
  const slot = await vi.waitFor(
    async () => {
      const own = (await takenSlots()).find(({ owner }) => owner === child.pid);
      const database = own && join(own.directory, 'root/var/lib/etcd/member/snap/db');
      if (database === undefined || !existsSync(database)) throw new Error('no etcd runs yet');
      return own!;
    },
    { timeout: 120_000, interval: 50 },
  );
  child.kill('SIGKILL');
  await exit;
  return slot;
}

describeWithNode('a node that has gone', () => {
  it('leaves nothing, and takes nothing from a second one beside it', async () => {
    const before = machineState();
    const numbers: number[] = [];
    {
      await using first = await startNode();
      {
        await using second = await startNode({ layout: 'kubeadm' });
        numbers.push(first.number, second.number);
        expect(await second.api.isReady()).toBe(true);
      }
      expect(await first.api.isReady()).toBe(true);
      expect((await first.kubectl(['get', 'nodes'])).code).toBe(0);
    }
    expect(numbers.map(tracesOf)).toEqual([NOTHING, NOTHING]);
    expect(machineState()).toEqual(before);
  });

  it('stays after `up`, and leaves nothing after `down`', async () => {
    const before = machineState();
    const up = await onCommand('up');
    expect(up.code, up.stderr).toBe(0);
    const number = /^node (\d+) is ready/m.exec(up.stdout)![1]!;
    const pods = await onCommand('run', number, 'crictl', 'ps', '-q');
    expect(pods.stdout.trim().split('\n')).toHaveLength(5);
    expect((await onCommand('down', number)).stdout).toBe(`node ${number} is gone\n`);
    expect(tracesOf(Number(number))).toEqual(NOTHING);
    expect(machineState()).toEqual(before);
  });

  it('leaves nothing after `down` when the `up` that was starting it is killed', async () => {
    const before = machineState();
    const { number } = await killWhileStarting([MAIN, 'up']);
    expect(tracesOf(number).processes).not.toEqual([]);
    expect((await onCommand('down', `${number}`)).stdout).toBe(`node ${number} is gone\n`);
    expect(tracesOf(number)).toEqual(NOTHING);
    expect(machineState()).toEqual(before);
  });

  it('ends with the test that has started it, however that ends', async () => {
    const before = machineState();
    const script = `(await import(${JSON.stringify(NODE)})).startNode()`;
    const slot = await killWhileStarting(['--input-type=module', '--eval', script]);
    const { number } = slot;
    await vi.waitFor(() => expect(tracesOf(number).processes).toEqual([]), { timeout: 20_000 });
    expect(slot.isOrphan).toBe(true);
    await onCommand('down', `${number}`);
    expect(tracesOf(number)).toEqual(NOTHING);
    expect(machineState()).toEqual(before);
  });
});
