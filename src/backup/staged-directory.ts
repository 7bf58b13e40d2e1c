// A directory that is made beside its place, on the same file system, and appears there in one step.
//
//   PARENT/.etcdkeep-.../NAME     until publish(), then PARENT/NAME

import { mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { namesIn } from '../base/directory-names.ts';
import {
  makeStagingDirectory,
  removeStagingDirectory,
  stagingOwner,
  syncDirectory,
} from '../base/durable-files.ts';
import { writeError } from '../base/errors.ts';
import { exists } from '../base/exists.ts';
import { mayStillRun } from '../base/process-label.ts';

/** Of directories: what is in them is for their owner alone. */
const MODE = 0o700;

/** Who leaves without having kept it leaves nothing. */
export class StagedDirectory implements AsyncDisposable {
  /** Where it is being made. */
  readonly path: string;
  readonly #target: string;
  readonly #staging: string;
  /** The highest directory above it that was not there before. */
  readonly #madeParent: string | undefined;
  #isPublished = false;
  #isKept = false;

  private constructor(target: string, staging: string, madeParent: string | undefined) {
    this.path = join(staging, basename(target));
    this.#target = target;
    this.#staging = staging;
    this.#madeParent = madeParent;
  }

  /**
   * Begins an empty directory.
   * @param target its place, where nothing is; what is above it is made as well
   * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
   */
  static async begin(target: string): Promise<StagedDirectory> {
    const parent = dirname(target);
    const madeParent = await makeDirectory(parent, true);
    let staging: string;
    try {
      staging = await makeStagingDirectory(parent);
    } catch (reason) {
      await removeEmpty(parent, madeParent);
      throw reason;
    }
    const directory = new StagedDirectory(target, staging, madeParent);
    try {
      await makeDirectory(directory.path);
      return directory;
    } catch (reason) {
      await directory[Symbol.asyncDispose]();
      throw reason;
    }
  }

  /** Gives it its place. @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed` */
  async publish(): Promise<void> {
    try {
      await rename(this.path, this.#target);
    } catch (reason) {
      throw writeError(reason, `move ${basename(this.#target)} into place`, this.#target);
    }
    this.#isPublished = true;
    await syncDirectory(dirname(this.#target));
  }

  /** Nothing of it is undone any more. */
  async keep(): Promise<void> {
    this.#isKept = true;
    await removeStagingDirectory(this.#staging);
    if (this.#madeParent !== undefined) await syncDirectory(dirname(this.#madeParent));
  }

  /** What of it is there, in its place or still beside it. @throws EtcdkeepError `file-failed` */
  async left(): Promise<string[]> {
    const places = this.#isPublished ? [this.#target, this.#staging] : [this.#staging];
    const found = await Promise.all(places.map(exists));
    return places.filter((_, index) => found[index]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isKept) return;
    // What cannot be removed is left: the failure before it is the one to tell.
    if (this.#isPublished) await rm(this.#target, { recursive: true }).catch(() => undefined);
    await removeStagingDirectory(this.#staging).catch(() => undefined);
    await removeEmpty(dirname(this.#target), this.#madeParent);
  }
}

/**
 * Makes a directory of mode 0700.
 * @param isRecursive whether what is above it is made as well, and it may be there
 * @returns the highest one that was made
 * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
 */
export async function makeDirectory(
  path: string,
  isRecursive = false,
): Promise<string | undefined> {
  try {
    return await mkdir(path, { recursive: isRecursive, mode: MODE });
  } catch (reason) {
    throw writeError(reason, 'make a directory', path);
  }
}

/** Removes what killed runs left in a directory. @throws EtcdkeepError `target-unwritable`, `file-failed` */
export async function sweepStaged(directory: string): Promise<void> {
  for (const name of await namesIn(directory)) {
    const owner = stagingOwner(name);
    if (owner === undefined || mayStillRun(owner) !== false) continue;
    await removeStagingDirectory(join(directory, name));
  }
}

/** Removes directories that were made, from the lowest up to the highest, as far as they are empty. */
async function removeEmpty(lowest: string, highest: string | undefined): Promise<void> {
  if (highest === undefined) return;
  for (let path = lowest; path.length >= highest.length; path = dirname(path)) {
    try {
      await rmdir(path);
    } catch {
      return;
    }
  }
}
