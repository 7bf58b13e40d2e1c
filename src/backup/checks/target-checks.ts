// Whether the place for the backup will do.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from '../../base/directory-names.ts';
import { readError, systemCodeOf } from '../../base/errors.ts';
import { nearestDirectory, type Room, roomFor } from '../../base/room.ts';
import { formatBytes } from '../../base/units.ts';
import type { Host } from '../../controlplane/host.ts';
import type { LocalEtcd } from '../../controlplane/layout.ts';
import type { StaticResources } from '../../controlplane/static-resources.ts';
import { stampOf, stampOfFile } from '../../record/stamp.ts';
import { directoriesOf, type Target } from '../target.ts';
import { failed, type Outcome, passed } from './result.ts';

/** For each file: directories, the record, and what grows while the snapshot is taken. */
const SPARE_BYTES = 8e6;

/**
 * Counts what each file system has to take: both files where they go to the same one.
 * @param dbSize size of the member's database, in bytes
 * @throws EtcdkeepError `file-failed`
 */
export async function checkSpace(
  target: Target,
  dbSize: bigint,
  { entries }: StaticResources,
): Promise<Outcome> {
  // The archive is compressed; what does not compress, as keys, takes what it takes.
  const archived = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const wanted = [
    { directory: target.directory, bytes: Number(dbSize) + SPARE_BYTES },
    { directory: target.resources, bytes: archived + SPARE_BYTES },
  ];
  const outcomes = (await roomFor(wanted)).map(judgeRoom);
  return {
    result: outcomes.some(({ result }) => result === 'failed') ? 'failed' : 'passed',
    evidence: outcomes.map(({ evidence }) => evidence).join('; '),
  };
}

function judgeRoom({ path, needed, free }: Room): Outcome {
  const words = `needs ${formatBytes(needed)} in ${path}, ${formatBytes(free)} free`;
  return free < needed ? failed(words) : passed(words);
}

/** Whoever has both files of an encrypted cluster can read all of it. */
export function checkKeysApart(
  { directory, resources }: Target,
  { encryption }: StaticResources,
): Outcome {
  if (!encryption.on) return passed('encryption is off: the snapshot can be read without a key');
  if (directory !== resources) return passed(`the keys go to ${resources}`);
  return failed(`encryption is on, and its keys go to ${resources} beside the snapshot`);
}

/**
 * Stamps are local time, which also goes back by itself once a year.
 * @throws EtcdkeepError `file-failed`
 */
export async function checkClock(target: Target, now: Date): Promise<Outcome> {
  const mine = stampOf(now);
  for (const directory of directoriesOf(target)) {
    const names = await namesIn(directory);
    const later = names.filter((name) => (stampOfFile(name) ?? '') > mine).toSorted();
    const last = later.at(-1);
    if (last === undefined) continue;
    return failed(`${join(directory, last)} is later than now, ${mine}: it would be restored`);
  }
  return passed('no backup there has a later stamp');
}

/**
 * Compares directories by device and inode, so that neither links nor bind mounts hide it.
 * @throws EtcdkeepError `file-failed`
 */
export async function checkTargetOutsideData(
  host: Host,
  { dataDirectory }: LocalEtcd,
  target: Target,
): Promise<Outcome> {
  const data = await identity(host.realPath(dataDirectory)).catch((reason: unknown) => {
    if (systemCodeOf(reason) === 'ENOENT') return undefined;
    throw readError(reason, 'look at it', host.realPath(dataDirectory));
  });
  for (const directory of directoriesOf(target)) {
    if (data !== undefined && (await isBelow(directory, data))) {
      return failed(`${directory} is inside ${dataDirectory}, etcd's data directory`);
    }
  }
  return passed(`${directoriesOf(target).join(' and ')}: outside ${dataDirectory}`);
}

/** The kernel follows links and goes up: at the root, what is above is the root again. */
async function isBelow(directory: string, ancestor: string): Promise<boolean> {
  let path = await nearestDirectory(directory);
  for (let here = await identity(path); here !== ancestor; ) {
    path = `${path}/..`;
    const above = await identity(path);
    if (above === here) return false;
    here = above;
  }
  return true;
}

async function identity(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${dev} ${ino}`;
}
