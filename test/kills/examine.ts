// What is found where backups go, after a run that was killed: each one that is called complete has to be, and
// each that was there before has to be as it was.

import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { directoriesOf, type Target } from '../../src/backup/target.ts';
import { readRecord } from '../../src/record/record.ts';
import { stampOfFile } from '../../src/record/stamp.ts';

/** What was seen to be whole: two files of each backup by their path, with what must not change. */
export type Seen = Map<string, string>;

/**
 * Looks at everything there, and throws if anything is not as it is said to be.
 * @returns the names of what belongs to no backup
 */
export async function examine(target: Target, seen: Seen): Promise<readonly string[]> {
  const lists = await Promise.all(directoriesOf(target).map((directory) => readdir(directory)));
  const names = lists.flat();
  const recorded = new Set<string>();
  for (const name of names.filter((one) => one.startsWith('backup_'))) {
    recorded.add(stampOfFile(name)!);
    await examineBackup(target, name, seen);
  }
  for (const path of seen.keys()) await stat(path);
  return names.filter((name) => !recorded.has(stampOfFile(name) ?? ''));
}

async function examineBackup(target: Target, name: string, seen: Seen): Promise<void> {
  const { snapshot, resources } = await readRecord(join(target.directory, name));
  await examineFile(join(target.directory, snapshot.file), snapshot.sha256, seen);
  await examineFile(join(target.resources, resources.file), resources.sha256, seen);
}

async function examineFile(path: string, sha256: string, seen: Seen): Promise<void> {
  const { ino, size, mtimeMs } = await stat(path);
  const identity = `${ino} ${size} ${mtimeMs}`;
  const before = seen.get(path);
  if (before === identity) return;
  if (before !== undefined) throw new Error(`${path} is not what it was`);
  const computed = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  if (computed !== sha256) throw new Error(`${path} is called complete and is not`);
  seen.set(path, identity);
}

/** All that docs/backup.md says that a killed run can leave. */
export const LEFT = [
  'nothing',
  'a hidden directory',
  'the archive alone',
  'archive and snapshot without a record',
  'a whole backup',
] as const;

export type Left = (typeof LEFT)[number];

/**
 * Which of them it is; throws if it is none.
 * @param unfinished the names of what belongs to no backup
 * @param isWhole whether a new backup is there
 */
export function leftBy(unfinished: readonly string[], isWhole: boolean): Left {
  const visible = unfinished.filter((name) => !name.startsWith('.'));
  const kinds = visible.map((name) => name.replace(/_\d.*/, '')).sort();
  switch (`${isWhole ? 'backup ' : ''}${kinds.join(' ')}`) {
    case '':
      return unfinished.length === 0 ? 'nothing' : 'a hidden directory';
    case 'static_kuberesources':
      return 'the archive alone';
    case 'snapshot static_kuberesources':
      return 'archive and snapshot without a record';
    case 'backup ':
      return 'a whole backup';
    default:
      throw new Error(`nobody was told that this can be left: ${visible.join(', ')}`);
  }
}
