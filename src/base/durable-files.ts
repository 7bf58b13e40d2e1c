// Files of a backup: small ones read whole within a bound, and writes that are on the disk when
// the call returns. Every failure leaves here as an error of ours.

import { constants } from 'node:fs';
import {
  chmod,
  chown,
  type FileHandle,
  link,
  mkdtemp,
  open,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EtcdkeepError, readError, systemCodeOf, writeError } from './errors.ts';
import { processLabel } from './process-label.ts';

/** Backups hold private keys: nobody but the owner reads any file, from its first byte. */
const FILE_MODE = 0o600;

/** How the name of a staging directory begins; the label of its process and six letters follow. */
const STAGING_PREFIX = '.etcdkeep-';

/**
 * Reads a small file whole.
 * @param operation what is being done, as in "cannot <operation>"
 * @param limitBytes a longer file is refused
 * @throws EtcdkeepError `file-failed`
 */
export async function readSmallFile(
  path: string,
  operation: string,
  limitBytes: number,
): Promise<Buffer> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK the opening of a pipe waits for a writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error('it is not a file');
    if (stat.size > limitBytes) throw new Error(`it is larger than ${limitBytes} bytes`);
    const bytes = Buffer.alloc(stat.size + 1);
    const length = await readFully(file, bytes);
    if (length > stat.size) throw new Error('it grew while it was read');
    return bytes.subarray(0, length);
  } catch (reason) {
    throw readError(reason, operation, path);
  } finally {
    await file?.close();
  }
}

/** Reads from the file's position until the buffer is full or the file ends; returns the count. */
export async function readFully(file: FileHandle, buffer: Uint8Array): Promise<number> {
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}

/**
 * Creates a file that must not exist, with mode 0600, open for writing.
 * @throws EtcdkeepError `target-exists`, `target-unwritable`, `disk-full`, `file-failed`
 */
export async function createFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', FILE_MODE);
  } catch (reason) {
    throw writeError(reason, `create ${basename(path)}`, path);
  }
}

/**
 * Creates a file that must not exist, with mode 0600, and brings its bytes to the disk. Its name is
 * on the disk once its directory is synced too.
 * @throws EtcdkeepError `target-exists`, `target-unwritable`, `disk-full`, `file-failed`; nothing
 * is left behind
 */
export async function writeFileDurably(path: string, bytes: string | Uint8Array): Promise<void> {
  const file = await createFile(path);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } catch (reason) {
    // The first failure is the one to tell.
    await rm(path, { force: true }).catch(() => undefined);
    throw writeError(reason, `write ${basename(path)}`, path);
  } finally {
    await file.close();
  }
}

/**
 * Brings the names in a directory to the disk. A file system that cannot sync a directory says
 * EINVAL, and has nothing better to offer.
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function syncDirectory(path: string): Promise<void> {
  let directory: FileHandle | undefined;
  try {
    directory = await open(path, 'r');
    await directory.sync();
  } catch (reason) {
    if (systemCodeOf(reason) !== 'EINVAL') throw writeError(reason, 'sync the directory', path);
  } finally {
    await directory?.close();
  }
}

// link(2): EPERM is a file system without hard links, the others are what network and
// user-space file systems say instead.
const NO_HARD_LINKS = ['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EMLINK'];

/** What a move needs of the file system; a test takes hard links away. */
export interface MoveCalls {
  readonly link: (from: string, to: string) => Promise<void>;
}

/**
 * Moves a file within its file system, and brings both directories to the disk. What exists at the
 * target stays as it is and the move is refused, unless it is to be replaced. Two moves to one
 * target cannot both succeed: rename(2) would replace silently, so the name is taken by a hard
 * link; where there are none, by an empty file that is then replaced. There a reader can see the
 * empty file for a moment, and a crash in that moment leaves it.
 * @throws EtcdkeepError `target-exists`, `target-unwritable`, `disk-full`, `file-failed`
 */
export async function moveFile(
  from: string,
  to: string,
  options: { readonly replace?: boolean } = {},
  calls: MoveCalls = { link },
): Promise<void> {
  try {
    if (options.replace === true) await rename(from, to);
    else await moveToNewName(from, to, calls);
  } catch (reason) {
    throw writeError(reason, `move ${basename(to)} into place`, to);
  }
  await syncDirectory(dirname(to));
  if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from));
}

async function moveToNewName(from: string, to: string, calls: MoveCalls): Promise<void> {
  try {
    await calls.link(from, to);
  } catch (reason) {
    if (!NO_HARD_LINKS.includes(systemCodeOf(reason) ?? '')) throw reason;
    const placeholder = await open(to, 'wx', FILE_MODE);
    await placeholder.close();
    try {
      await rename(from, to);
    } catch (renameReason) {
      await unlink(to);
      throw renameReason;
    }
    return;
  }
  await unlink(from);
}

/**
 * Makes a hidden directory of mode 0700 with a name of its own, for files that are not yet to be
 * seen. It lies inside the target, which may be a mount point: a move out of it never copies.
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function makeStagingDirectory(target: string): Promise<string> {
  try {
    return await mkdtemp(join(target, `${stagingName()}-`));
  } catch (reason) {
    throw writeError(reason, 'make a directory for unfinished files', target);
  }
}

/** How the name of anything begins that is not to stay, and that a next run removes if it does: a hyphen and letters follow. */
export function stagingName(): string {
  return `${STAGING_PREFIX}${processLabel()}`;
}

/**
 * Whose staging directory it is.
 * @param name a name in the target
 * @returns the label of a process (process-label.ts), or undefined if it is no staging directory
 */
export function stagingOwner(name: string): string | undefined {
  if (!name.startsWith(STAGING_PREFIX)) return undefined;
  return name.slice(STAGING_PREFIX.length).replace(/-[^-]*$/, '');
}

/**
 * Removes a staging directory with all that is in it; it may be gone already.
 * @throws EtcdkeepError `target-unwritable`, `file-failed`
 */
export async function removeStagingDirectory(path: string): Promise<void> {
  // What is removed here is removed without a question, so the name has to be one of ours.
  if (!basename(path).startsWith(STAGING_PREFIX)) {
    throw new EtcdkeepError('internal', 'asked to remove a directory that is not for staging', {
      path,
    });
  }
  try {
    await rm(path, { recursive: true, force: true });
  } catch (reason) {
    throw writeError(reason, 'remove the directory for unfinished files', path);
  }
}

/**
 * Writes a small file so that a reader sees all of it or nothing, whatever happens meanwhile.
 * @param options.mode whatever the umask; 0600 if left out
 * @throws EtcdkeepError `target-exists`, `target-unwritable`, `disk-full`, `file-failed`
 */
export async function writeFileAtomically(
  path: string,
  bytes: string | Uint8Array,
  options: { readonly replace?: boolean; readonly mode?: number } = {},
): Promise<void> {
  const staging = await makeStagingDirectory(dirname(path));
  try {
    const staged = join(staging, basename(path));
    await writeFileDurably(staged, bytes);
    if (options.mode !== undefined) await setMode(staged, options.mode);
    if (options.replace === true) await giveToOwnerOf(path, staged);
    await moveFile(staged, path, options);
  } finally {
    await removeStagingDirectory(staging);
  }
}

async function setMode(path: string, mode: number): Promise<void> {
  try {
    await chmod(path, mode);
  } catch (reason) {
    throw writeError(reason, 'let others read it', path);
  }
}

/** What root replaces stays its owner's, who could not read it any more otherwise. */
async function giveToOwnerOf(path: string, staged: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  try {
    const { uid, gid } = await stat(path);
    await chown(staged, uid, gid);
  } catch (reason) {
    if (systemCodeOf(reason) !== 'ENOENT') throw writeError(reason, 'replace the file', path);
  }
}
