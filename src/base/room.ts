// Whether there is room for what is to be written, counted where it will be used.

import { stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { readError, systemCodeOf } from './errors.ts';

export interface Wanted {
  /** It need not be there yet. */
  readonly directory: string;
  readonly bytes: number;
}

/** One file system. */
export interface Room {
  /** The first directory in it that was asked about, or the nearest one above that is there. */
  readonly path: string;
  readonly needed: number;
  /** What a process without privileges may still write, in bytes. */
  readonly free: number;
}

/**
 * Adds up what is wanted of each file system.
 * @throws EtcdkeepError `file-failed`
 */
export async function roomFor(wanted: readonly Wanted[]): Promise<readonly Room[]> {
  const rooms = new Map<bigint, Room>();
  for (const { directory, bytes } of wanted) {
    const path = await nearestDirectory(directory);
    try {
      const { dev } = await stat(path, { bigint: true });
      const { bavail, bsize } = await statfs(path);
      const room = rooms.get(dev) ?? { path, needed: 0, free: bavail * bsize };
      rooms.set(dev, { ...room, needed: room.needed + bytes });
    } catch (reason) {
      throw readError(reason, 'look at it', path);
    }
  }
  return [...rooms.values()];
}

/** The directory itself, or the nearest one above it that is there. @throws EtcdkeepError `file-failed` */
export async function nearestDirectory(directory: string): Promise<string> {
  for (let path = resolve(directory); ; path = dirname(path)) {
    try {
      if ((await stat(path)).isDirectory() || path === dirname(path)) return path;
    } catch (reason) {
      const isMissing = ['ENOENT', 'ENOTDIR'].includes(systemCodeOf(reason) ?? '');
      if (!isMissing || path === dirname(path)) throw readError(reason, 'look at it', path);
    }
  }
}
