// Copies files and directories to another file system with all that belongs to them.

import { constants } from 'node:fs';
import {
  chmod,
  chown,
  copyFile,
  lchown,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  symlink,
  utimes,
} from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../../base/durable-files.ts';
import { writeError } from '../../base/errors.ts';

/**
 * Copies a file, or a directory with all below it: contents, modes, owners, times of files. Links are copied as links. All
 * of it is on the disk on return; what was copied before a failure is left for the caller to remove.
 * @param to must not exist
 * @throws EtcdkeepError `disk-full`, `target-unwritable`, `file-failed`
 */
export async function copyTree(from: string, to: string): Promise<void> {
  try {
    const found = await lstat(from);
    if (found.isSymbolicLink()) {
      await symlink(await readlink(from), to);
      await lchown(to, found.uid, found.gid);
      return;
    }
    if (found.isDirectory()) {
      await mkdir(to, { mode: 0o700 });
      for (const name of await readdir(from)) await copyTree(join(from, name), join(to, name));
    } else await copyFile(from, to, constants.COPYFILE_EXCL);
    await chown(to, found.uid, found.gid);
    await chmod(to, found.mode & 0o7777);
    await utimes(to, found.atime, found.mtime);
    if (found.isDirectory()) await syncDirectory(to);
    else await syncFile(to);
  } catch (reason) {
    throw writeError(reason, 'copy it', to);
  }
}

async function syncFile(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}
