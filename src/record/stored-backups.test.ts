import { chmod, mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../controlplane/host.fixture.ts';
import { pathOf, type StoredBackup } from './stored-backup.ts';
import { findBackup, listBackups } from './stored-backups.ts';

const STAMP = '2026-11-23_145301';

async function directoryOf(...names: string[]): Promise<string> {
  const directory = await temporaryDirectory();
  for (const name of names) {
    const path = join(directory, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, 'bytes of it');
  }
  return directory;
}

/** What was found, by paths relative to the directory. */
function shapeOf(directory: string, backup: StoredBackup) {
  const relative = (path: string | undefined) => path?.slice(directory.length + 1);
  const { stamp, possiblyDirty, snapshot, resources, recordPath } = backup;
  return {
    stamp,
    ...(possiblyDirty ? { possiblyDirty } : {}),
    snapshot: relative(snapshot?.path),
    resources: relative(resources?.path),
    record: relative(recordPath),
  };
}

async function shapes(directory: string) {
  return (await listBackups(directory)).map((backup) => shapeOf(directory, backup));
}

describe('listBackups', () => {
  it.each<[string, string[], object[]]>([
    ['nothing', [], []],
    [
      'a pair of cluster-backup.sh',
      [`snapshot_${STAMP}.db`, `static_kuberesources_${STAMP}.tar.gz`],
      [
        {
          stamp: STAMP,
          snapshot: `snapshot_${STAMP}.db`,
          resources: `static_kuberesources_${STAMP}.tar.gz`,
        },
      ],
    ],
    [
      'a marked pair beside one of the same second',
      [
        `snapshot_${STAMP}__POSSIBLY_DIRTY__.db`,
        `static_kuberesources_${STAMP}__POSSIBLY_DIRTY__.tar.gz`,
        `snapshot_${STAMP}.db`,
      ],
      [
        { stamp: STAMP, snapshot: `snapshot_${STAMP}.db` },
        {
          stamp: STAMP,
          possiblyDirty: true,
          snapshot: `snapshot_${STAMP}__POSSIBLY_DIRTY__.db`,
          resources: `static_kuberesources_${STAMP}__POSSIBLY_DIRTY__.tar.gz`,
        },
      ],
    ],
    [
      'a lone archive, as a kill can leave it',
      [`static_kuberesources_${STAMP}.tar.gz`],
      [{ stamp: STAMP, resources: `static_kuberesources_${STAMP}.tar.gz` }],
    ],
    ['snapshot.db of OpenShift 4.1 and 4.2', ['snapshot.db'], [{ snapshot: 'snapshot.db' }]],
    ["a copy of a member's database", ['db'], [{ snapshot: 'db' }]],
    [
      'one archive with both, of OpenShift 4.3.0',
      [`snapshot_db_kuberesources_${STAMP}.tar.gz`],
      [
        {
          stamp: STAMP,
          snapshot: `snapshot_db_kuberesources_${STAMP}.tar.gz`,
          resources: `snapshot_db_kuberesources_${STAMP}.tar.gz`,
        },
      ],
    ],
    [
      'compressed by somebody',
      [`snapshot_${STAMP}.db.gz`, 'etcd.db.zst'],
      [{ snapshot: 'etcd.db.zst' }, { stamp: STAMP, snapshot: `snapshot_${STAMP}.db.gz` }],
    ],
    [
      'directories of EtcdBackup, of upgrades, of the backup server',
      [
        `backup-nightly-2026-11-21_010000/snapshot_2026-11-21_010000.db`,
        `backup-nightly-2026-11-21_010000/static_kuberesources_2026-11-21_010000.tar.gz`,
        `upgrade-backup-4.14.3-2026-11-22_010000/snapshot_2026-11-22_010000__POSSIBLY_DIRTY__.db`,
        `2026-11-20_010000/snapshot_2026-11-20_010000.db`,
        'lost+found/other.db',
      ],
      [
        {
          stamp: '2026-11-22_010000',
          possiblyDirty: true,
          snapshot:
            'upgrade-backup-4.14.3-2026-11-22_010000/snapshot_2026-11-22_010000__POSSIBLY_DIRTY__.db',
        },
        {
          stamp: '2026-11-21_010000',
          snapshot: 'backup-nightly-2026-11-21_010000/snapshot_2026-11-21_010000.db',
          resources:
            'backup-nightly-2026-11-21_010000/static_kuberesources_2026-11-21_010000.tar.gz',
        },
        { stamp: '2026-11-20_010000', snapshot: '2026-11-20_010000/snapshot_2026-11-20_010000.db' },
      ],
    ],
    [
      'what is none',
      [
        '.etcdkeep-staging/snapshot_2026-11-23_145301.db',
        `.snapshot_${STAMP}.db`,
        `snapshot_${STAMP}.db.part`,
        `snapshot_${STAMP}.db.sha256`,
        'notes.txt',
        'snapshot_yesterday.tar.gz',
      ],
      [],
    ],
  ])('%s', async (_, names, expected) => {
    const found = await shapes(await directoryOf(...names));
    expect(found).toHaveLength(expected.length);
    expect(found).toEqual(expect.arrayContaining(expected));
  });

  it('the newest first, by the stamp as a time of this machine', async () => {
    const directory = await directoryOf(
      'snapshot_2026-11-21_010000.db',
      'snapshot_2026-11-23_010000.db',
      'snapshot_2026-11-22_010000.db',
    );
    const [first, ...others] = await listBackups(directory);
    expect(first!.at).toEqual(new Date(2026, 10, 23, 1, 0, 0));
    expect(others.map(({ stamp }) => stamp)).toEqual(['2026-11-22_010000', '2026-11-21_010000']);
  });

  it('one without a stamp, by when it was changed last', async () => {
    const directory = await directoryOf('snapshot.db');
    await utimes(join(directory, 'snapshot.db'), 1_700_000_000, 1_700_000_000);
    expect((await listBackups(directory))[0]!.at).toEqual(new Date(1_700_000_000_000));
  });

  it('a record that is none is said to be so, and its backup is not dropped', async () => {
    const directory = await directoryOf(`snapshot_${STAMP}.db`, `backup_${STAMP}.json`);
    const [backup] = await listBackups(directory);
    expect(backup).toMatchObject({
      stamp: STAMP,
      record: undefined,
      recordDefect: { code: 'record-invalid' },
    });
  });

  it('names with spaces, line ends and letters of every kind; links are followed', async () => {
    const odd = 'two words\nand a line – Grüße';
    const directory = await directoryOf(`${odd}/snapshot_${STAMP}.db`, 'elsewhere.bin');
    await symlink(join(directory, 'elsewhere.bin'), join(directory, 'linked.db'));
    await symlink(join(directory, 'nowhere'), join(directory, 'dangling.db'));
    expect(await shapes(directory)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ snapshot: `${odd}/snapshot_${STAMP}.db` }),
        expect.objectContaining({ snapshot: 'linked.db' }),
      ]),
    );
  });

  it('a thousand backups', async () => {
    const stamp = (index: number) => `2026-11-23_${String(100_000 + index).padStart(6, '0')}`;
    const names = Array.from({ length: 1000 }, (_, index) => `snapshot_${stamp(index)}.db`);
    expect(await listBackups(await directoryOf(...names))).toHaveLength(1000);
  });

  it.each([
    ['nothing', 'there is no such directory'],
    ['a-file', 'it is a file, and backups are looked for in a directory'],
  ])('in %s', async (name, message) => {
    const directory = await directoryOf('a-file');
    await expect(listBackups(join(directory, name))).rejects.toMatchObject({
      code: 'backup-not-found',
      message,
    });
  });
});

describe('findBackup', () => {
  const OTHER = '2026-11-22_010000';

  it('of a directory the newest, or the one of a stamp', async () => {
    const directory = await directoryOf(`snapshot_${STAMP}.db`, `snapshot_${OTHER}.db`);
    expect(await findBackup(directory, undefined)).toMatchObject({ stamp: STAMP });
    expect(await findBackup(directory, OTHER)).toMatchObject({ stamp: OTHER });
  });

  it('of any file the backup that it belongs to, and no file of another', async () => {
    const names = [
      `snapshot_${STAMP}.db`,
      `static_kuberesources_${STAMP}.tar.gz`,
      `static_kuberesources_${OTHER}.tar.gz`,
    ];
    const directory = await directoryOf(...names);
    for (const name of names.slice(0, 2)) {
      const backup = await findBackup(join(directory, name), undefined);
      expect(shapeOf(directory, backup)).toMatchObject({
        snapshot: names[0],
        resources: names[1],
      });
    }
    const other = await findBackup(join(directory, names[2]!), undefined);
    expect(shapeOf(directory, other)).toMatchObject({ snapshot: undefined, resources: names[2] });
  });

  it('a file and the stamp of another backup', async () => {
    const path = join(await directoryOf(`snapshot_${STAMP}.db`), `snapshot_${STAMP}.db`);
    expect(await findBackup(path, STAMP)).toMatchObject({ stamp: STAMP });
    await expect(findBackup(path, OTHER)).rejects.toMatchObject({ code: 'backup-not-found' });
  });

  it('any other file is a snapshot that somebody named', async () => {
    const directory = await directoryOf('from-the-old-cluster');
    const path = join(directory, 'from-the-old-cluster');
    expect(pathOf(await findBackup(path, undefined))).toBe(path);
  });

  it('static resources that are kept apart, in a place that is named', async () => {
    const directory = await directoryOf(`data/snapshot_${STAMP}.db`, 'keys/other');
    const keys = join(directory, 'keys');
    const archive = `static_kuberesources_${STAMP}.tar.gz`;
    await writeFile(join(keys, archive), 'archive');
    const options = { resourcesDirectory: keys };
    const backup = await findBackup(join(directory, 'data'), undefined, options);
    expect(backup.resources).toEqual({ path: join(keys, archive), bytes: 7 });
  });

  it.each<[string, string[], string | undefined, object]>([
    ['an empty directory', [], undefined, { message: 'there is no backup in this directory' }],
    [
      'another stamp',
      [`snapshot_${STAMP}.db`],
      OTHER,
      { message: `there is no backup of ${OTHER} in this directory`, facts: [['there', STAMP]] },
    ],
    [
      'a stamp that two have',
      [`snapshot_${STAMP}.db`, `snapshot_${STAMP}__POSSIBLY_DIRTY__.db`],
      STAMP,
      { message: `there is more than one backup of ${STAMP}` },
    ],
  ])('%s', async (_, names, stamp, expected) => {
    const directory = await directoryOf(...names);
    await expect(findBackup(directory, stamp)).rejects.toMatchObject({
      code: 'backup-not-found',
      position: { path: directory },
      ...expected,
    });
  });

  it('a path where nothing is', async () => {
    const path = join(await temporaryDirectory(), 'nothing');
    await expect(findBackup(path, undefined)).rejects.toMatchObject({
      code: 'backup-not-found',
      position: { path },
    });
  });

  it('a directory below that may not be read is passed over', async () => {
    const directory = await directoryOf(`snapshot_${STAMP}.db`, 'closed/snapshot.db');
    await chmod(join(directory, 'closed'), 0o000);
    expect(await findBackup(directory, undefined)).toMatchObject({ stamp: STAMP });
    await chmod(join(directory, 'closed'), 0o700);
  });
});
