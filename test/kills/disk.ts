// Disks whose power can be cut: an ext4 in an image file, which only one process sees mounted and which goes with
// that process. What is in the image is what has reached the disk; what the kernel still holds in
// memory is not.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { findOnPath } from '../servers/processes.ts';

const SIZE = '64M';

/**
 * Nothing is written before it has to be: metadata not for ten minutes unless a sync asks for it, data
 * neither before the metadata that points to it nor because a file is renamed. What the kernel writes all the
 * same, after 30 s or for somebody's sync(2), makes a cut milder, never wrong. An image is read
 * through the same cache that the loop device writes to: barriers would only wait for the real disk.
 */
const LAZY = 'commit=600,data=writeback,noauto_da_alloc,nobarrier';

/** Why there can be none here; undefined where there can. */
export function disksMissing(place: string): string | undefined {
  const needed = ['unshare', 'setpriv', 'mkfs.ext4', 'cp', 'truncate'];
  const lacking = needed.find((name) => findOnPath(name) === undefined);
  if (lacking !== undefined) return `there is no ${lacking}`;
  const image = `${place}/probe.img`;
  makeImage(image);
  const { status } = spawnSync('unshare', ['-m', 'mount', '-o', `loop,${LAZY}`, image, '/mnt']);
  rmSync(image);
  return status === 0 ? undefined : 'this process may not mount an ext4 by loop';
}

/** Makes an image with an empty file system. */
export function makeImage(image: string): void {
  run('truncate', '-s', SIZE, image);
  // What is left for later would be written in the background.
  run('mkfs.ext4', '-q', '-F', '-b', '4096', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image);
}

/** Copies an image as it is now, whoever has it mounted. */
export function copyImage(from: string, to: string): void {
  run('cp', '--sparse=always', from, to);
}

function run(file: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} fails: ${stderr}`);
}

export class Disk {
  /** Where it is reached from here. */
  readonly path: string;
  readonly #holder: ChildProcess;

  private constructor(path: string, holder: ChildProcess) {
    this.path = path;
    this.#holder = holder;
  }

  /** Mounts an image until it is released; one that was cut is put in order from its journal. */
  static async mount(image: string): Promise<Disk> {
    const place = `${image}.mnt`;
    mkdirSync(place, { recursive: true });
    // It ends with its stdin, and so with this process.
    const script = `mount -o loop,${LAZY} '${image}' '${place}' && echo mounted && read -r _; umount '${place}'`;
    const holder = spawn('unshare', ['-m', 'setpriv', '--pdeathsig', 'KILL', 'sh', '-c', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const mounted = once(holder.stdout, 'data').then(() => true);
    if (!(await Promise.race([mounted, once(holder, 'exit').then(() => false)]))) {
      throw new Error(`${image} cannot be mounted`);
    }
    return new Disk(`/proc/${holder.pid!}/root${place}`, holder);
  }

  /** Unmounts it, which writes what was still in memory. */
  async release(): Promise<void> {
    const exit = once(this.#holder, 'exit');
    this.#holder.stdin!.end();
    const [code] = (await exit) as [number];
    if (code !== 0) throw new Error(`${this.path} cannot be unmounted`);
  }
}
