// The control groups of a node: one below the root of each hierarchy of version 1, by the node's name. They hold every
// process of the node, and nothing else does.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const HIERARCHIES = '/sys/fs/cgroup';

/** Without these neither the kubelet nor runc does its work. */
const NEEDED = ['cpu', 'cpuacct', 'cpuset', 'devices', 'freezer', 'memory', 'pids', 'systemd'];

const KILL_TIMEOUT_MS = 20_000;
const KILL_INTERVAL_MS = 20;

/** Why there can be none here; undefined where there can. */
export function controlGroupsMissing(): string | undefined {
  const lacking = NEEDED.find((name) => !existsSync(join(HIERARCHIES, name, 'tasks')));
  return lacking === undefined
    ? undefined
    : `there is no control group hierarchy of version 1 with ${lacking}`;
}

export class ControlGroups {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  async make(): Promise<void> {
    for (const hierarchy of hierarchies()) {
      const group = join(hierarchy, this.#name);
      await mkdir(group, { recursive: true });
      // A new cpuset is empty, and takes in nobody.
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        const above = join(hierarchy, file);
        if (existsSync(above)) await writeFile(join(group, file), await readFile(above));
      }
    }
  }

  /** The processes that are in them. */
  processes(): number[] {
    return this.#groups().flatMap((group) => processesIn(group));
  }

  /** The process that is PID 1 to all others of the node; undefined while the node does not run. */
  init(): number | undefined {
    return this.processes().find(isInit);
  }

  /** Kills every process that is in them, and waits for the last one to have gone. */
  async kill(): Promise<void> {
    const deadline = performance.now() + KILL_TIMEOUT_MS;
    for (;;) {
      // The kernel kills with PID 1 all others of its namespace.
      const init = this.init();
      const victims = init === undefined ? this.processes() : [init];
      if (victims.length === 0) return;
      if (performance.now() > deadline) {
        throw new Error(`processes of ${this.#name} do not end: ${victims.join(' ')}`);
      }
      for (const pid of victims) kill(pid);
      await sleep(KILL_INTERVAL_MS);
    }
  }

  /** Removes them, with all groups below. No process may be in them any more. */
  async remove(): Promise<void> {
    for (const hierarchy of hierarchies()) {
      await removeGroup(join(hierarchy, this.#name));
    }
  }

  /** Those below each one's as well. */
  #groups(): string[] {
    return hierarchies().flatMap((hierarchy) => withThoseBelow(join(hierarchy, this.#name)));
  }
}

function hierarchies(): string[] {
  return readdirSync(HIERARCHIES)
    .map((name) => join(HIERARCHIES, name))
    .filter((path) => existsSync(join(path, 'tasks')));
}

/** A group and all below it; nothing of one that is removed meanwhile, as those of pods are. */
function withThoseBelow(group: string): string[] {
  const entries = unlessGone([], () => readdirSync(group, { withFileTypes: true }));
  const directories = entries.filter((entry) => entry.isDirectory());
  return [group, ...directories.flatMap(({ name }) => withThoseBelow(join(group, name)))];
}

function processesIn(group: string): number[] {
  const text = unlessGone('', () => readFileSync(join(group, 'cgroup.procs'), 'utf8'));
  return text.split('\n').filter(Boolean).map(Number);
}

function unlessGone<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code!)) return otherwise;
    throw error;
  }
}

/** Whether it is the first one of a namespace right below ours: those of containers are further down. */
function isInit(pid: number): boolean {
  try {
    return /^NSpid:\t\d+\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function removeGroup(group: string): Promise<void> {
  const entries = await readdir(group, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (entry.isDirectory()) await removeGroup(join(group, entry.name));
  }
  for (let attempt = 0; ; attempt += 1) {
    try {
      await rmdir(group);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      // The last process has gone a moment ago.
      if (code !== 'EBUSY' || attempt === 100) throw error;
      await sleep(20);
    }
  }
}
