// The files of a backup in the making: each in a hidden directory of the place where it is to appear, and
// moved there when all of them are proven.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeStagingDirectory, moveFile, removeStagingDirectory } from '../base/durable-files.ts';
import { EtcdkeepError } from '../base/errors.ts';
import type { BackupFiles } from '../record/stamp.ts';
import type { Target } from './target.ts';

interface StagedFile {
  readonly staged: string;
  readonly published: string;
}

export class StagedFiles {
  readonly snapshot: StagedFile;
  readonly resources: StagedFile;
  readonly record: StagedFile;
  readonly #directories: readonly string[];

  private constructor(target: Target, files: BackupFiles, staging: string, apart?: string) {
    const at = (from: string, to: string, name: string): StagedFile => {
      return { staged: join(from, name), published: join(to, name) };
    };
    this.snapshot = at(staging, target.directory, files.snapshot);
    this.record = at(staging, target.directory, files.record);
    this.resources = at(apart ?? staging, target.resources, files.resources);
    this.#directories = apart === undefined ? [staging] : [apart, staging];
  }

  /** @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed` */
  static async create(target: Target, files: BackupFiles): Promise<StagedFiles> {
    const staging = await makeStagingDirectory(target.directory);
    if (target.resources === target.directory) return new StagedFiles(target, files, staging);
    try {
      const apart = await makeStagingDirectory(target.resources);
      return new StagedFiles(target, files, staging, apart);
    } catch (reason) {
      await removeStagingDirectory(staging);
      throw reason;
    }
  }

  /**
   * Moves the files to their names, the record last; what was moved goes if a later one fails.
   * @throws EtcdkeepError `target-exists`, `target-unwritable`, `disk-full`, `file-failed`
   */
  async publish(): Promise<void> {
    const done: string[] = [];
    try {
      for (const { staged, published } of [this.resources, this.snapshot, this.record]) {
        await moveFile(staged, published);
        done.push(published);
      }
    } catch (reason) {
      // The first failure is the one to tell.
      for (const path of done) await rm(path, { force: true }).catch(() => undefined);
      if (!(reason instanceof EtcdkeepError && reason.code === 'target-exists')) throw reason;
      throw new EtcdkeepError('target-exists', 'another run began a backup in the same second', {
        ...reason.position,
        advice: 'run it again',
        cause: reason,
      });
    }
  }

  /** Removes what is still staged. What cannot be removed the next run sweeps. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const directory of this.#directories) {
      await removeStagingDirectory(directory).catch(() => undefined);
    }
  }
}
