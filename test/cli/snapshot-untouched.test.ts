// Reading a snapshot changes nothing, needs no right but to read it, and no place to write to.
import { spawnSync } from 'node:child_process';
import { chmod, chown, copyFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { readDatabase } from '../fixtures/databases/databases.ts';
import { expectFailure } from './failure.ts';
import { ETCDKEEP, runCli } from './run.ts';
import { directoryForTest } from './scene.ts';
import { listingOf, untouched } from './untouched.ts';
import { volumeForTest, volumesMissing } from './volume.ts';

const NOBODY = 65_534;
const LONG_AGO = new Date('2020-01-02T03:04:05Z');

const READERS = ['status', 'check', 'hashkv'] as const;

/** Why another user cannot be tried here. */
const noUser =
  spawnSync(ETCDKEEP, ['--version'], { uid: NOBODY, gid: NOBODY }).status === 0
    ? undefined
    : 'another user cannot read this tree';
const noVolume = volumesMissing();
const because = (reason: string | undefined): string =>
  reason === undefined ? '' : ` (not run: ${reason})`;

describe.each(READERS)('snapshot %s', (reader) => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = directoryForTest();
    path = join(directory, 'snapshot.db');
    await writeFile(path, readDatabase('tree'));
    await utimes(path, LONG_AGO, LONG_AGO);
  });

  /** Who owns it, may read it, and nothing else. */
  const giveAway = async (): Promise<void> => {
    await chmod(path, 0o400);
    await chown(path, NOBODY, NOBODY);
    await chown(directory, NOBODY, NOBODY);
    await chmod(directory, 0o500);
    // Else it could not be listed and removed by who is no root.
    onTestFinished(() => chmod(directory, 0o700));
  };

  const run = (file: string, uid?: number) =>
    runCli(['snapshot', reader, file], uid === undefined ? {} : { uid });

  it('leaves bytes, times, mode and size as they are, and nothing beside it', async () => {
    const before = await stat(path, { bigint: true });
    const outcome = await untouched(directory, () => run(path));
    expect(outcome.code, outcome.stderr).toBe(0);
    const after = await stat(path, { bigint: true });
    for (const name of ['size', 'mode', 'mtimeNs', 'ctimeNs', 'ino', 'nlink', 'uid'] as const) {
      expect([name, after[name]]).toEqual([name, before[name]]);
    }
    expect(Object.keys(await listingOf(directory))).toEqual(['snapshot.db']);
  });

  it('does so where the file is damaged', async () => {
    const bytes = readDatabase('tree');
    bytes.fill(0xff, 5 * 4096, 40 * 4096);
    await writeFile(path, bytes);
    const outcome = await untouched(directory, () => run(path));
    expectFailure(outcome, 'snapshot-damaged', 4);
  });

  it.skipIf(noUser !== undefined)(
    `works for who may do nothing but read${because(noUser)}`,
    async () => {
      await giveAway();
      const outcome = await untouched(directory, () => run(path, NOBODY));
      expect(outcome.code, outcome.stderr).toBe(0);
    },
  );

  it.skipIf(noUser !== undefined)(
    `says of what may not be read that it may not${because(noUser)}`,
    async () => {
      await chmod(path, 0o600);
      await chmod(directory, 0o755);
      const outcome = await untouched(directory, () => run(path, NOBODY));
      expect(expectFailure(outcome, 'file-failed').message).toMatch(/permission denied$/);
    },
  );

  it.skipIf(noVolume !== undefined)(
    `works on a mount that is read-only${because(noVolume)}`,
    async () => {
      const volume = await volumeForTest('size=4m');
      const file = join(volume.path, 'snapshot.db');
      await copyFile(path, file);
      volume.makeReadOnly();
      const outcome = await untouched(volume.path, () => run(file));
      expect(outcome.code, outcome.stderr).toBe(0);
    },
  );
});
