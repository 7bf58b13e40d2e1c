// A machine out of namespaces: a directory is its "/", its processes, mounts, network and control groups are its own, and a
// cable leads from it to this machine. When its PID 1 is killed, the kernel ends all of it at once, as a power cut would.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandOptions, type CommandResult, lastLine, runCommand } from '../command.ts';
import { cleanEnvironment, findOnPath } from '../processes.ts';
import { ControlGroups, controlGroupsMissing } from './control-groups.ts';
import type { Slot } from './slot.ts';

const ENTER = fileURLToPath(new URL('enter-node.sh', import.meta.url));

/** The one end of the cable that the machine has. */
const INTERFACE = 'ens3';

const COMMAND_TIMEOUT_MS = 120_000;

// A command line that joins the node's control groups, from outside, where they can be seen.
const JOIN = `
for group in /sys/fs/cgroup/*/"$1"; do echo $$ >"$group/cgroup.procs" || exit 1; done
shift
exec "$@"`;

function joining(name: string): string[] {
  return ['sh', '-c', JOIN, 'sh', name];
}

const NAMESPACES = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup'];

/** Why there can be no such machine here; undefined where there can. */
export function machinesMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'this is not root';
  const needed = ['ip', 'unshare', 'nsenter', 'setpriv'];
  const lacking = needed.find((name) => findOnPath(name) === undefined);
  return lacking === undefined ? controlGroupsMissing() : `there is no ${lacking}`;
}

export interface MachineOptions {
  readonly hostName: string;
  /** Directories of this machine that it sees, and cannot write: its path there, and the one here. */
  readonly shared: Readonly<Record<string, string>>;
  /** Whether it outlives this process. */
  readonly stays: boolean;
}

export class Machine {
  readonly slot: Slot;
  readonly #groups: ControlGroups;
  readonly #options: MachineOptions;

  constructor(slot: Slot, options: MachineOptions) {
    this.slot = slot;
    this.#groups = new ControlGroups(slot.name);
    this.#options = options;
  }

  /** Its "/", as this machine sees it, but for what is mounted there. */
  get root(): string {
    return rootOf(this.slot);
  }

  /** Starts its PID 1, which is /usr/local/sbin/node-init of its root. Throws with what was said if it does not come up. */
  async powerOn(): Promise<void> {
    await this.#groups.make();
    const log = join(this.slot.directory, 'log');
    const file = await open(log, 'a');
    const child = this.#spawn(file.fd);
    await file.close();
    const says = async (): Promise<void> => {
      const said = once(child.stdout!, 'data').then(() => true);
      if (await Promise.race([said, once(child, 'exit').then(() => false)])) return;
      throw new Error(`the machine does not start: ${await readFile(log, 'utf8')}`);
    };
    await says();
    plugIn(this.slot, child.pid!);
    child.stdin!.end('plugged in\n');
    await says();
    child.stdout!.destroy();
    child.unref();
  }

  /** Ends all its processes at once. Its files stay as they are. */
  async powerOff(): Promise<void> {
    await this.#groups.kill();
    // Of a machine that is off nothing is left in the kernel; the kubelet would look for the containers of these groups.
    await this.#groups.remove();
  }

  /** Whether its PID 1 runs. */
  get isOn(): boolean {
    return this.#groups.init() !== undefined;
  }

  /** What stands before a command line that is run on it, as by ssh. Throws if it does not run. */
  get launcher(): readonly string[] {
    return launcherOf(this.slot);
  }

  /** Runs a program on it to its end. */
  run(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const [file, ...rest] = [...this.launcher, ...args];
    return runCommand(file!, rest, { timeoutMs: COMMAND_TIMEOUT_MS, ...options });
  }

  #spawn(log: number): ChildProcess {
    const { hostName, shared, stays } = this.#options;
    const { name } = this.slot;
    const dies = stays ? [] : ['setpriv', '--pdeathsig', 'KILL', '--'];
    const unshare = ['unshare', ...NAMESPACES, '--kill-child=KILL', '--propagation', 'private'];
    const mounts = Object.entries(shared).flatMap(([there, here]) => [here, there]);
    const line = [...dies, ...unshare, 'sh', ENTER, this.root, hostName, name, ...mounts];
    const [file, ...args] = [...joining(name), ...line];
    return spawn(file!, args, {
      detached: true,
      env: cleanEnvironment(),
      stdio: ['pipe', 'pipe', log],
    });
  }
}

/** What stands before a command line that is run on the machine in a slot. Throws if none runs there. */
export function launcherOf({ name }: Slot): readonly string[] {
  const init = new ControlGroups(name).init();
  if (init === undefined) throw new Error(`${name} does not run`);
  const enter = ['nsenter', '--target', `${init}`, '--all', '--', 'env', '-i', ...ENVIRONMENT];
  return [...joining(name), ...enter];
}

const ENVIRONMENT = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin', 'HOME=/root'];

/** The directory that is "/" to the machine in a slot. */
export function rootOf(slot: Slot): string {
  return join(slot.directory, 'root');
}

/** Takes down whatever there is in a slot, and leaves nothing that was made for it. */
export async function removeMachine(slot: Slot): Promise<void> {
  const groups = new ControlGroups(slot.name);
  await groups.kill();
  await groups.remove();
  // The cable goes with the network at its other end, some time after the last process.
  spawnSync('ip', ['link', 'delete', slot.link]);
  const { code, stderr } = await runCommand('rm', ['-rf', '--one-file-system', slot.directory]);
  if (code !== 0) throw new Error(`${slot.directory} stays: ${lastLine(stderr)}`);
  await slot.release();
}

function plugIn(slot: Slot, pid: number): void {
  // What is left of a cable whose other end is being taken down.
  spawnSync('ip', ['link', 'delete', slot.link]);
  runIp(
    [],
    [
      `link add name ${slot.link} type veth peer name ${INTERFACE} netns ${pid}`,
      `addr add ${slot.machineAddress}/30 dev ${slot.link}`,
      `link set dev ${slot.link} up`,
    ],
  );
  runIp(
    ['nsenter', '--target', `${pid}`, '--net'],
    [
      'link set dev lo up',
      `addr add ${slot.address}/30 dev ${INTERFACE}`,
      `link set dev ${INTERFACE} up`,
    ],
  );
}

function runIp(launcher: readonly string[], lines: readonly string[]): void {
  const [file, ...args] = [...launcher, 'ip', '-batch', '-'];
  const input = lines.join('\n');
  const { status, stderr } = spawnSync(file, args, { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip: ${stderr}${input}`);
}
