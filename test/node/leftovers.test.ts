import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { runCommand } from '../servers/command.ts';
import { describeWithNode } from '../servers/node/for-vitest.ts';
import { startNode } from '../servers/node/node.ts';
import { takenSlots } from '../servers/node/slot.ts';

const MAIN = fileURLToPath(new URL('../servers/node/main.ts', import.meta.url));
const NODE = new URL('../servers/node/node.ts', import.meta.url).href;
const CONTROL_GROUPS = '/sys/fs/cgroup';

/** What nodes have on this machine, and what all have in common that a node must not change. */
function machineState() {
  const inGroups = (file: string): string[] =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.includes('etcdkeep-node-'));
  const processes = readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && inGroups(`/proc/${name}/cgroup`).length > 0;
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
  const output = (...[file, ...args]: [string, ...string[]]): string =>
    spawnSync(file, args, { encoding: 'utf8' }).stdout;
  return {
    processes,
    mounts: readFileSync('/proc/mounts', 'utf8'),
    groups: readdirSync(CONTROL_GROUPS).flatMap((hierarchy) =>
      readdirSync(join(CONTROL_GROUPS, hierarchy)).filter((name) => name.startsWith('etcdkeep-')),
    ),
    links: output('ip', '-o', 'link').match(/etcdkeepn\d+/g) ?? [],
    networks: output('ip', 'netns', 'list'),
    files: readdirSync('/var/lib').filter((name) => name.startsWith('etcdkeep-node-')),
    settings: [
      'vm/overcommit_memory',
      'kernel/panic',
      'kernel/panic_on_oops',
      'kernel/keys/root_maxkeys',
      'net/ipv4/ip_forward',
    ].map((name) => `${name}=${readFileSync(`/proc/sys/${name}`, 'utf8').trim()}`),
  };
}

const onCommand = (...args: string[]) =>
  runCommand(process.execPath, [MAIN, ...args], { timeoutMs: 200_000 });

describeWithNode('a node that has gone', () => {
  it('leaves nothing, and takes nothing from a second one beside it', async () => {
    const before = machineState();
    {
      await using first = await startNode();
      {
        await using second = await startNode({ layout: 'kubeadm' });
        expect(second.address).not.toBe(first.address);
        expect(await second.api.isReady()).toBe(true);
      }
      expect(await first.api.isReady()).toBe(true);
    }
    expect(machineState()).toEqual(before);
  });

  it('stays after `up`, and leaves nothing after `down`', async () => {
    const before = machineState();
    const up = await onCommand('up');
    expect(up.code, up.stderr).toBe(0);
    const number = /^node (\d+) is ready/m.exec(up.stdout)![1]!;
    const pods = await onCommand('run', number, 'crictl', 'ps', '-q');
    expect(pods.stdout.trim().split('\n')).toHaveLength(5);
    const down = await onCommand('down', number);
    expect(down.stdout).toBe(`node ${number} is gone\n`);
    expect(machineState()).toEqual(before);
  });

  it('leaves nothing after `down` when the `up` that was starting it is killed', async () => {
    const before = machineState();
    await killWhileStarting([MAIN, 'up']);
    expect(machineState().processes).not.toEqual([]);
    const { stdout } = await onCommand('down');
    expect(stdout).toMatch(/^node \d+ is gone\n$/);
    expect(machineState()).toEqual(before);
  });

  it('ends with the test that has started it, however that ends', async () => {
    const before = machineState();
    const script = `(await import(${JSON.stringify(NODE)})).startNode()`;
    await killWhileStarting(['--input-type=module', '--eval', script]);
    await vi.waitFor(() => expect(machineState().processes).toEqual([]), { timeout: 20_000 });
    await onCommand('down');
    expect(machineState()).toEqual(before);
  });
});

/** Kills a process that is starting a node, when its etcd already runs. */
async function killWhileStarting(args: readonly string[]): Promise<void> {
  const taken = new Set((await takenSlots()).map((slot) => slot.number));
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  const exit = once(child, 'exit');
  await vi.waitFor(
    async () => {
      const slot = (await takenSlots()).find(({ number }) => !taken.has(number));
      const database = slot && join(slot.directory, 'root/var/lib/etcd/member/snap/db');
      if (database === undefined || !existsSync(database)) throw new Error('no etcd runs yet');
    },
    { timeout: 90_000, interval: 50 },
  );
  child.kill('SIGKILL');
  await exit;
}
