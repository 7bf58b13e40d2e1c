// Small file systems of their own, for tests that fill them. Each is a tmpfs, or lies on a loop device, and only one process
// sees it mounted, and goes with that process: nothing has to be unmounted, however a test ends.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { findOnPath } from '../servers/processes.ts';
import { directoryForTest } from './scene.ts';

/** Why there can be none on a loop device here; undefined where there can. */
export function loopVolumesMissing(): string | undefined {
  const lacking = ['mkfs.ext4', 'losetup'].find((name) => findOnPath(name) === undefined);
  if (lacking !== undefined) return `there is no ${lacking}`;
  const { status } = spawnSync('losetup', ['--find']);
  return volumesMissing() ?? (status === 0 ? undefined : 'there is no loop device');
}

/** Why there can be none here; undefined where there can. */
export function volumesMissing(): string | undefined {
  const lacking = ['unshare', 'nsenter', 'setpriv'].find((name) => findOnPath(name) === undefined);
  if (lacking !== undefined) return `there is no ${lacking}`;
  const { status } = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']);
  return status === 0 ? undefined : 'this process may not mount a tmpfs';
}

export interface Volume {
  /** Where it is reached from here. */
  readonly path: string;
  /** From now on, nothing on it can be written. */
  makeReadOnly(): void;
}

/**
 * Mounts one until the test is over.
 * @param limits options of tmpfs(5): `size=4m`, `nr_inodes=8`
 */
export function volumeForTest(limits: string): Promise<Volume> {
  const place = directoryForTest();
  return mountForTest(place, `mount -t tmpfs -o ${limits} tmpfs '${place}'`);
}

/**
 * The same of ext4 on a loop device, which is freed with its mount.
 * @param size as of truncate(1): `400M`
 */
export function loopVolumeForTest(size: string): Promise<Volume> {
  const place = directoryForTest();
  const image = join(directoryForTest(), 'image');
  const made = `truncate -s ${size} '${image}' && mkfs.ext4 -q '${image}'`;
  return mountForTest(place, `${made} && mount -o loop '${image}' '${place}'`);
}

async function mountForTest(place: string, mount: string): Promise<Volume> {
  const script = `${mount} && echo mounted && exec sleep infinity`;
  const holder = spawn('unshare', ['-m', 'setpriv', '--pdeathsig', 'KILL', 'sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => end(holder));
  await once(holder.stdout, 'data');
  return {
    path: `/proc/${holder.pid!}/root${place}`,
    makeReadOnly: () => {
      const namespace = ['-t', `${holder.pid!}`, '-m'];
      const { status } = spawnSync('nsenter', [...namespace, 'mount', '-o', 'remount,ro', place]);
      if (status !== 0) throw new Error('cannot mount it read-only');
    },
  };
}

async function end(holder: ChildProcess): Promise<void> {
  const exit = once(holder, 'exit');
  holder.kill('SIGKILL');
  await exit;
}
