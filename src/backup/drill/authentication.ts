// Turns authentication off in a database: a drill knows no password. Its users and roles stay, and no record of a key is
// touched.
// Source: etcd, server/storage/schema/auth.go (UnsafeReadAuthEnabled, UnsafeSaveAuthEnabled).

import { open } from 'node:fs/promises';
import { writeError } from '../../base/errors.ts';
import { openBucket } from '../../bbolt/cursor.ts';
import { DatabaseEdit } from '../../bbolt/edit.ts';
import { type FileSource, openFileSource } from '../../bbolt/file-source.ts';
import { FileTarget } from '../../bbolt/file-target.ts';

const AUTH_BUCKET = Buffer.from('auth');
const ENABLED_KEY = Buffer.from('authEnabled');
const ON = Buffer.of(1);
const OFF = Buffer.of(0);

/**
 * @returns whether it was on
 * @throws EtcdkeepError `file-failed`, `disk-full`, `database-damaged`
 */
export async function turnOffAuthentication(path: string): Promise<boolean> {
  const source = openFileSource(path);
  try {
    if (!(await isOn(source))) return false;
    const edit = await DatabaseEdit.open(source);
    edit.bucket(AUTH_BUCKET).put(ENABLED_KEY, OFF);
    await using file = await open(path, 'r+').catch((reason: unknown) => {
      throw writeError(reason, 'turn authentication off for the drill', path);
    });
    const target = new FileTarget(file, path);
    await edit.commit(target);
    await target.flush();
    return true;
  } finally {
    source.close();
  }
}

async function isOn(source: FileSource): Promise<boolean> {
  const auth = await openBucket(source, [AUTH_BUCKET]);
  if (auth === undefined || !(await auth.seek(ENABLED_KEY))) return false;
  return ENABLED_KEY.equals(auth.key) && ON.equals(auth.value);
}
