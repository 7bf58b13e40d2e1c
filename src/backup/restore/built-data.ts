// The data directory that was built: what it is known by, and whether etcd has opened it since. etcd writes to its log
// before it serves anything, so data that are as they were built have been seen by nobody.

import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readError, systemCodeOf } from '../../base/errors.ts';
import type { Built } from './journal.ts';

/** `missing`: other data are there, or none. */
export type BuiltState = 'untouched' | 'opened' | 'missing';

/** The file that tells which data these are: nothing but etcd itself ever makes another one of it. */
const DATABASE = 'snap/db';

/**
 * What the files of a member are known by: whatever writes to one, or adds one, changes it.
 * @param member its directory, as it is seen from here
 * @throws EtcdkeepError `file-failed`
 */
export async function filesOf(member: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  try {
    for (const name of (await readdir(member, { recursive: true })).sort()) {
      const found = await lstat(join(member, name), { bigint: true });
      if (!found.isFile()) continue;
      const { ino, size, mtimeNs, ctimeNs } = found;
      files[name] = [ino, size, mtimeNs, ctimeNs].join(':');
    }
  } catch (reason) {
    throw readError(reason, 'look at the data', member);
  }
  return files;
}

/**
 * Whether the data are those that were built, and still as they were then.
 * @throws EtcdkeepError `file-failed`
 */
export async function builtState(member: string, built: Built): Promise<BuiltState> {
  const expected = built.files[DATABASE]!;
  const inode = expected.slice(0, expected.indexOf(':'));
  try {
    if (`${(await lstat(join(member, DATABASE), { bigint: true })).ino}` !== inode)
      return 'missing';
  } catch (reason) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(reason) ?? '')) return 'missing';
    throw readError(reason, 'look at the data', member);
  }
  const files = await filesOf(member);
  const names = new Set([...Object.keys(files), ...Object.keys(built.files)]);
  const isSame = [...names].every((name) => files[name] === built.files[name]);
  return isSame ? 'untouched' : 'opened';
}
