import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { processLabel } from '../base/process-label.ts';
import { temporaryDirectory } from '../controlplane/host.fixture.ts';
import { sweepStaging } from './staging.ts';
import { targetOf } from './target.ts';

const STAMP = '2026-11-23_145301';
const OTHER = '2026-11-23_145302';
const SNAPSHOT = `snapshot_${STAMP}.db`;
const RESOURCES = `static_kuberesources_${STAMP}.tar.gz`;
const RECORD = `backup_${STAMP}.json`;

const [HOST] = processLabel().split('-');
/** A process of another boot of this host: no machine has this one. */
const DEAD = `.etcdkeep-${HOST!}-00000000-1-1-1-abcdef`;
const ALIVE = `.etcdkeep-${processLabel()}-abcdef`;

let target: string;
beforeEach(async () => {
  target = await temporaryDirectory();
});

const put = async (...names: string[]): Promise<void> => {
  for (const name of names) await writeFile(join(target, name), name);
};
const stage = async (staging: string, ...names: string[]): Promise<void> => {
  await mkdir(join(target, staging));
  await put(...names.map((name) => join(staging, name)));
};
const swept = async (): Promise<string[]> => {
  await sweepStaging(targetOf(target, undefined));
  return (await readdir(target)).sort();
};

describe('what a killed run left', () => {
  it('while it received', async () => {
    await stage(DEAD, SNAPSHOT);
    expect(await swept()).toEqual([]);
  });

  it('before it wrote anything', async () => {
    await stage(DEAD);
    expect(await swept()).toEqual([]);
  });

  it('before it took the name off the file that it was to unpack into', async () => {
    await put(DEAD);
    expect(await swept()).toEqual([]);
  });

  it.each<[string, string[], string[]]>([
    ['the archive was published', [RESOURCES], [SNAPSHOT, RECORD]],
    ['the archive was, under both names', [RESOURCES], [RESOURCES, SNAPSHOT, RECORD]],
    ['archive and snapshot were published', [RESOURCES, SNAPSHOT], [RECORD]],
  ])('%s: what has no record goes', async (_, published, staged) => {
    await put(...published);
    await stage(DEAD, ...staged);
    expect(await swept()).toEqual([]);
  });

  it('the record was published, under both names: the backup stays', async () => {
    await put(RESOURCES, SNAPSHOT, RECORD);
    await stage(DEAD, RECORD);
    expect(await swept()).toEqual([RECORD, SNAPSHOT, RESOURCES].sort());
  });

  it('after the record was published: nothing is staged, and the backup stays', async () => {
    await put(RESOURCES, SNAPSHOT, RECORD);
    await stage(DEAD);
    expect(await swept()).toEqual([RECORD, SNAPSHOT, RESOURCES].sort());
  });

  it('an empty record only took the name: all three go', async () => {
    await put(RESOURCES, SNAPSHOT);
    await writeFile(join(target, RECORD), '');
    await stage(DEAD, RECORD);
    expect(await swept()).toEqual([]);
  });

  it('on another host that shares the directory stays: nobody here knows whether it was killed', async () => {
    const theirs = '.etcdkeep-00000000-00000000-1-1-1-abcdef';
    await put(RESOURCES);
    await stage(theirs, SNAPSHOT, RECORD);
    expect(await swept()).toEqual([theirs, RESOURCES].sort());
  });

  it('files of another stamp stay, with a record or without', async () => {
    const others = [`snapshot_${OTHER}.db`, `static_kuberesources_${OTHER}.tar.gz`, 'notes.txt'];
    await put(...others, RESOURCES);
    await stage(DEAD, SNAPSHOT, RECORD);
    expect(await swept()).toEqual(others.sort());
  });

  it('of several runs', async () => {
    await stage(DEAD, SNAPSHOT);
    await stage(`.etcdkeep-${HOST!}-00000000-1-2-1-ghijkl`, `snapshot_${OTHER}.db`);
    expect(await swept()).toEqual([]);
  });
});

describe('what is left alone', () => {
  it('a run that goes on, and what it has published', async () => {
    await put(RESOURCES);
    await stage(ALIVE, SNAPSHOT, RECORD);
    expect(await swept()).toEqual([ALIVE, RESOURCES].sort());
    expect(await readdir(join(target, ALIVE))).toEqual([RECORD, SNAPSHOT]);
  });

  it.each(['.etcdkeep-notes', '.etcdkeep-', '.etcdkeep-abc-1-1-1-abcdef', '.other', 'etcdkeep-x'])(
    '%s, which is not ours',
    async (name) => {
      await stage(name, SNAPSHOT);
      expect(await swept()).toEqual([name]);
    },
  );

  it('everything, where nothing was killed', async () => {
    await put(RESOURCES, SNAPSHOT, 'notes.txt');
    expect(await swept()).toEqual([SNAPSHOT, RESOURCES, 'notes.txt'].sort());
  });
});

it('a directory that is not there', () =>
  expect(sweepStaging(targetOf(join(target, 'none'), undefined))).rejects.toMatchObject({
    code: 'file-failed',
  }));

it('a name that cannot be removed is told of, as an error of ours', async () => {
  // A directory where the killed run had a file.
  await mkdir(join(target, RESOURCES));
  await stage(DEAD, RECORD);
  await expect(sweepStaging(targetOf(target, undefined))).rejects.toMatchObject({
    name: 'EtcdkeepError',
    message: expect.stringContaining('cannot remove what a killed run left') as string,
  });
  // It is tried again the next time.
  expect(await readdir(target)).toContain(DEAD);
});
