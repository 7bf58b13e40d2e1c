// Whether the place for the backup will do.

import { realpath, stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { readError, systemCodeOf } from '../../base/errors.ts';
import { formatBytes } from '../../base/units.ts';
import type { Host } from '../../controlplane/host.ts';
import type { LocalEtcd } from '../../controlplane/local-etcd.ts';
import type { StaticResources } from '../../controlplane/static-resources.ts';
import { failed, type Outcome, passed } from './result.ts';

/** For the record, the directories, and what grows while the snapshot is taken. */
const SPARE_BYTES = 16e6;

/**
 * @param dbSize size of the member's database, in bytes
 * @throws EtcdkeepError `file-failed`
 */
export async function checkSpace(
  directory: string,
  dbSize: bigint,
  { entries }: StaticResources,
): Promise<Outcome> {
  const place = await nearestDirectory(directory);
  // The archive is compressed; what does not compress, as keys, takes what it takes.
  const archived = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const needed = Number(dbSize) + archived + SPARE_BYTES;
  const { bavail, bsize } = await statfs(place);
  const free = bavail * bsize;
  const words = `needs ${formatBytes(needed)} in ${place}, ${formatBytes(free)} free`;
  return free < needed ? failed(words) : passed(words);
}

/**
 * Compares directories by device and inode, so that neither links nor bind mounts hide it.
 * @throws EtcdkeepError `file-failed`
 */
export async function checkTargetOutsideData(
  host: Host,
  { dataDirectory }: LocalEtcd,
  directory: string,
): Promise<Outcome> {
  const data = await identity(host.realPath(dataDirectory)).catch((reason: unknown) => {
    if (systemCodeOf(reason) === 'ENOENT') return undefined;
    throw readError(reason, 'look at it', host.realPath(dataDirectory));
  });
  const place = await realpath(await nearestDirectory(directory));
  for (let path = place; ; path = dirname(path)) {
    if (data !== undefined && (await identity(path)) === data) {
      return failed(`${directory} is inside ${dataDirectory}, etcd's data directory`);
    }
    if (path === dirname(path)) break;
  }
  return passed(`${directory} is outside ${dataDirectory}`);
}

/** The directory itself, or the nearest one above it that is there. */
async function nearestDirectory(directory: string): Promise<string> {
  for (let path = resolve(directory); ; path = dirname(path)) {
    try {
      if ((await stat(path)).isDirectory() || path === dirname(path)) return path;
    } catch (reason) {
      const isMissing = ['ENOENT', 'ENOTDIR'].includes(systemCodeOf(reason) ?? '');
      if (!isMissing || path === dirname(path)) throw readError(reason, 'look at it', path);
    }
  }
}

async function identity(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${dev} ${ino}`;
}
