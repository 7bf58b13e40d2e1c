// `snapshot restore`: what it makes, what it says, and what it refuses. Which etcd starts on it is for
// test/compatibility/restore-matrix.test.ts.
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { startEtcd } from '../servers/etcd.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { directoryForTest, flagsFor } from './scene.ts';
import { digestsOf, listingOf, untouched } from './untouched.ts';
import { volumeForTest, volumesMissing } from './volume.ts';

const VERSION = '3.6.16';
const DIGEST_SIZE = 32;
const NOBODY = 65_534;
const VALUE = 'a value that is nowhere else';

const noVolumes = volumesMissing();
const because = (reason: string | undefined): string =>
  reason === undefined ? '' : ` (not run: ${reason})`;

describeWithEtcd(VERSION, 'snapshot restore', () => {
  let directory: string;
  let file: string;
  let bytes: Buffer;
  beforeAll(async () => {
    directory = temporaryDirectory();
    file = join(directory, 'snapshot.db');
    await using etcd = await startEtcd({ version: VERSION });
    await loadKubernetes(etcd.gateway, { objects: 200, operations: 16 });
    await etcd.gateway.put('/value', VALUE);
    const saved = await runCli(['snapshot', 'save', file, ...flagsFor(etcd.member)]);
    expect(saved.code, saved.stderr).toBe(0);
    bytes = await readFile(file);
  });
  afterAll(() => removeTemporaryDirectory(directory));

  const restore = (...args: readonly string[]) => runCli(['snapshot', 'restore', ...args]);
  /** A snapshot with other bytes. */
  const changed = async (change: (bytes: Buffer) => Uint8Array | undefined): Promise<string> => {
    const copy = Buffer.from(bytes);
    const path = join(directoryForTest(), 'changed.db');
    await writeFile(path, change(copy) ?? copy);
    return path;
  };

  it('makes what etcd starts on, for its owner alone, in directories that are made as well', async () => {
    const parent = directoryForTest();
    const dataDir = join(parent, 'a/b');
    const { code, stdout, stderr } = await restore(file, `--data-dir=${dataDir}`);
    expect(code, stderr).toBe(0);
    expect(stdout).toBe('');
    const listing = await listingOf(parent);
    const modes = Object.entries(listing).map(([name, what]) => [name, what.split(',')[0]]);
    expect(Object.fromEntries(modes)).toEqual({
      a: 'mode 700',
      'a/b': 'mode 700',
      'a/b/member': 'mode 700',
      'a/b/member/snap': 'mode 700',
      'a/b/member/snap/0000000000000001-0000000000000001.snap': 'mode 600',
      'a/b/member/snap/db': 'mode 600',
      'a/b/member/wal': 'mode 700',
      'a/b/member/wal/0000000000000000-0000000000000000.wal': 'mode 600',
    });
    const wal = await stat(join(dataDir, 'member/wal/0000000000000000-0000000000000000.wal'));
    expect(wal.size).toBe(64_000_000);
  });

  it("says what etcdutl's log says, and what a person should know", async () => {
    const dataDir = join(directoryForTest(), 'data');
    const { stderr } = await restore(file, `--data-dir=${dataDir}`);
    expect(stderr).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\tinfo\t\S+\tadded member\t\{"cluster-id": "cdf818194e3a8c32", "local-member-id": "0", "added-peer-id": "8e9e05c52164694d", "added-peer-peer-urls": \["http:\/\/localhost:2380"\], "added-peer-is-learner": false\}$/m,
    );
    expect(stderr).toMatch(
      /\tinfo\t\S+\trestored snapshot\t\{"path": ".*snapshot\.db", "wal-dir": /,
    );
    expect(stderr).toMatch(/^snapshot +\S+: revision \d+, \d+ keys; its digest is right$/m);
    expect(stderr).toMatch(/^restored +\S+: member default \(8e9e05c52164694d\), \d/m);
    expect(stderr).toMatch(/^dropped +member etcd-0: of the old cluster/m);
    expect(stderr).toMatch(
      /^versions +cluster 3\.6\.0, storage 3\.6\.0: for etcd 3\.6 and later$/m,
    );
  });

  it('answers with one document', async () => {
    const dataDir = join(directoryForTest(), 'data');
    const flags = ['--bump-revision=1000', '--mark-compacted', '--output=json', '--quiet'];
    const { stdout, stderr } = await restore(file, `--data-dir=${dataDir}`, ...flags);
    expect(stderr).toBe('');
    const document = JSON.parse(stdout) as { readonly snapshotRevision: string };
    const revision = `${BigInt(document.snapshotRevision) + 1000n}`;
    expect(document).toMatchObject({
      digestCompared: true,
      sha256: bytes.subarray(-DIGEST_SIZE).toString('hex'),
      clusterId: 'cdf818194e3a8c32',
      members: [{ id: '8e9e05c52164694d', name: 'default', peerUrls: ['http://localhost:2380'] }],
      directories: [{ name: 'default', dataDirectory: dataDir }],
      revision,
      compactRevision: revision,
      isCompactionPending: true,
      alarms: [],
      versionsLowered: false,
    });
  });

  it('takes an empty directory as it is, and a new file system', async () => {
    const dataDir = directoryForTest();
    await mkdir(join(dataDir, 'lost+found'));
    const { mode } = await stat(dataDir);
    expect((await restore(file, `--data-dir=${dataDir}`)).code).toBe(0);
    expect((await stat(dataDir)).mode).toBe(mode);
    expect((await readdir(dataDir)).sort()).toEqual(['lost+found', 'member']);
  });

  it('names the data directory after the member', async () => {
    const cwd = directoryForTest();
    const args = [
      'snapshot',
      'restore',
      file,
      '--name=m1',
      '--initial-cluster=m1=http://localhost:2380',
    ];
    expect((await runCli(args, { cwd })).code).toBe(0);
    expect(await readdir(cwd)).toEqual(['m1.etcd']);
  });

  it('puts the log where it is told to', async () => {
    const place = directoryForTest();
    const [plain, apart, wal] = ['plain', 'apart', 'logs/wal'].map((name) => join(place, name));
    await restore(file, `--data-dir=${plain!}`);
    expect((await restore(file, `--data-dir=${apart!}`, `--wal-dir=${wal!}`)).code).toBe(0);
    expect(await readdir(join(apart!, 'member'))).toEqual(['snap']);
    expect(await digestsOf(wal!)).toEqual(await digestsOf(join(plain!, 'member/wal')));
    expect(await readdir(place)).toEqual(['apart', 'logs', 'plain']);
  });

  describe('of several members', () => {
    const cluster = 'b=https://10.0.0.2:2380,a=https://10.0.0.1:2380,c=https://10.0.0.3:2380';

    it('makes all of them in one run as in one for each', async () => {
      const [together, apart] = [directoryForTest(), directoryForTest()];
      const initial = `--initial-cluster=${cluster}`;
      const all = await restore(file, '--all-members', initial, `--data-dir=${together}`);
      expect(all.code, all.stderr).toBe(0);
      expect(all.stderr).toMatch(
        /^ +the databases of all directories are the same, byte for byte$/m,
      );
      for (const [index, name] of ['a', 'b', 'c'].entries()) {
        const { code, stderr } = await restore(
          ...[file, initial, `--name=${name}`, `--data-dir=${join(apart, `${name}.etcd`)}`],
          `--initial-advertise-peer-urls=https://10.0.0.${index + 1}:2380`,
        );
        expect(code, stderr).toBe(0);
      }
      expect(await digestsOf(together)).toEqual(await digestsOf(apart));
      expect(await readdir(together)).toEqual(['a.etcd', 'b.etcd', 'c.etcd']);
    });

    it('leaves none where one cannot be made', async () => {
      const place = directoryForTest();
      await mkdir(join(place, 'c.etcd'));
      await writeFile(join(place, 'c.etcd/member'), 'something');
      const args = [file, '--all-members', `--initial-cluster=${cluster}`, `--data-dir=${place}`];
      const outcome = await untouched(place, () => restore(...args));
      expectFailure(outcome, 'data-dir-not-empty', 3);
    });
  });

  describe('refuses', () => {
    it.each([
      ['a member that is not in the cluster', ['--name=x'], /member x is not in/],
      [
        'URLs that are not those of the cluster',
        ['--initial-advertise-peer-urls=http://127.0.0.9:2380'],
        /to advertise http:\/\/127\.0\.0\.9:2380, and has http:\/\/localhost:2380/,
      ],
      [
        'two members with one URL',
        ['--initial-cluster=default=http://localhost:2380,b=http://localhost:2380'],
        /twice/,
      ],
      ['a URL without a port', ['--initial-cluster=default=http://localhost'], /host and a port/],
      [
        'a URL with a path',
        ['--initial-cluster=default=http://localhost:2380/x'],
        /end with its port/,
      ],
      ['what is no URL', ['--initial-cluster=default=localhost:2380'], /no URL/],
      ['no URL at all', ['--initial-cluster=default'], /no URL/],
      ['no member', ['--initial-cluster=,'], /no member/],
    ])('%s', async (_, flags, message) => {
      const place = directoryForTest();
      const args = [file, `--data-dir=${join(place, 'data')}`, ...flags];
      const failure = expectFailure(
        await untouched(place, () => restore(...args)),
        'initial-cluster-invalid',
        2,
      );
      expect(failure.message).toMatch(message);
    });

    it.each([
      ['a bump alone', ['--bump-revision=5']],
      ['the mark alone', ['--mark-compacted']],
      ['a bump of nothing', ['--bump-revision=0', '--mark-compacted']],
      ['a bump that would wrap', ['--bump-revision=9223372036854775807', '--mark-compacted']],
      ['a name for all members', ['--all-members', '--name=a']],
      ['what is no version', ['--target-version=new']],
    ])('%s', async (_, flags) => {
      const place = directoryForTest();
      const args = [file, `--data-dir=${join(place, 'data')}`, ...flags];
      const outcome = await untouched(place, () => restore(...args));
      expectFailure(outcome, 'usage', 2);
    });

    it('a version that it does not know', async () => {
      const place = directoryForTest();
      const args = [file, `--data-dir=${join(place, 'data')}`, '--target-version=3.3'];
      const outcome = await untouched(place, () => restore(...args));
      expectFailure(outcome, 'target-version-unknown', 3);
    });

    it.each(['a file', 'a directory that is not empty'])('%s as data directory', async (what) => {
      const place = directoryForTest();
      await (what === 'a file'
        ? writeFile(join(place, 'data'), 'kept')
        : mkdir(join(place, 'data/something'), { recursive: true }));
      const args = [file, `--data-dir=${join(place, 'data')}`];
      const outcome = await untouched(place, () => restore(...args));
      expectFailure(outcome, 'data-dir-not-empty', 3);
    });

    it('a directory of the log that exists', async () => {
      const place = directoryForTest();
      await mkdir(join(place, 'wal'));
      const args = [file, `--data-dir=${join(place, 'data')}`, `--wal-dir=${join(place, 'wal')}`];
      expectFailure(await untouched(place, () => restore(...args)), 'target-exists', 3);
    });

    it.each(['missing', 'a directory'])('a snapshot that is %s', async (what) => {
      const place = directoryForTest();
      const path = what === 'missing' ? join(place, 'none.db') : place;
      const args = [path, `--data-dir=${join(place, 'data')}`];
      expectFailure(await untouched(place, () => restore(...args)), 'file-failed', 1);
    });
  });

  describe('of a snapshot that is not what it was', () => {
    /** As etcd-formats tells what others make of them: panics, bus errors, and bad data that is restored. */
    const damages: readonly (readonly [
      name: string,
      change: (bytes: Buffer) => Uint8Array | undefined,
      plain: readonly ['snapshot-damaged' | 'snapshot-without-digest', number],
      skipped: 'restored' | 'snapshot-damaged',
    ])[] = [
      ['empty', () => Buffer.alloc(0), ['snapshot-without-digest', 3], 'snapshot-damaged'],
      [
        '16 bytes long',
        (all) => all.subarray(0, 16),
        ['snapshot-without-digest', 3],
        'snapshot-damaged',
      ],
      [
        'text',
        () => Buffer.from('no snapshot\n'),
        ['snapshot-without-digest', 3],
        'snapshot-damaged',
      ],
      [
        'cut to two pages',
        (all) => all.subarray(0, 8192),
        ['snapshot-without-digest', 3],
        'snapshot-damaged',
      ],
      [
        'without its digest',
        (all) => all.subarray(0, -DIGEST_SIZE),
        ['snapshot-without-digest', 3],
        'restored',
      ],
      [
        'flipped in its digest',
        (all) => flip(all, all.length - 1),
        ['snapshot-damaged', 4],
        'restored',
      ],
      ['flipped in a value', flipValue, ['snapshot-damaged', 4], 'restored'],
      [
        'without its first 512 bytes',
        (all) => all.fill(0, 0, 512),
        ['snapshot-damaged', 4],
        'snapshot-damaged',
      ],
      [
        'without both metas',
        (all) => all.fill(0, 16, 24).fill(0, 4096 + 16, 4096 + 24),
        ['snapshot-damaged', 4],
        'snapshot-damaged',
      ],
    ];

    it.each(damages)('%s', async (_, change, [code, exit], skipped) => {
      const place = directoryForTest();
      const path = await changed(change);
      const args = [path, `--data-dir=${join(place, 'data')}`];
      expectFailure(await untouched(place, () => restore(...args)), code, exit);
      const again = () => restore(...args, '--skip-hash-check');
      if (skipped === 'restored') {
        const { code: done, stderr } = await again();
        expect(done, stderr).toBe(0);
        expect(stderr).toMatch(/no digest was compared, the history of every key was followed/);
      } else expectFailure(await untouched(place, again), skipped, 4);
    });
  });

  describe.skipIf(noVolumes !== undefined)(`on a file system${because(noVolumes)}`, () => {
    it('without room for all of it', async () => {
      const { path } = await volumeForTest('size=66m');
      const run = () => restore(file, `--data-dir=${join(path, 'data')}`);
      const failure = expectFailure(await untouched(path, run), 'disk-full');
      expect(failure.message).toMatch(/needs \S+ MB, and \S+ MB are free there$/);
      expect(failure.aftermath).toBe('Nothing was written.');
    });

    it.each([2, 3, 4, 5, 6, 7, 8])('that gives %i files', async (inodes) => {
      const { path } = await volumeForTest(`size=200m,nr_inodes=${inodes}`);
      const run = () => restore(file, `--data-dir=${join(path, 'data')}`);
      const failure = expectFailure(await untouched(path, run), 'disk-full');
      expect(failure.aftermath).toBe('Nothing was written.');
    });

    it('that is read-only', async () => {
      const volume = await volumeForTest('size=200m');
      volume.makeReadOnly();
      const run = () => restore(file, `--data-dir=${join(volume.path, 'data')}`);
      expectFailure(await untouched(volume.path, run), 'target-unwritable');
    });
  });

  it('as somebody who may not write there', async () => {
    const place = directoryForTest();
    const args = ['snapshot', 'restore', file, `--data-dir=${join(place, 'data')}`];
    const outcome = await untouched(place, () => runCli(args, { uid: NOBODY }));
    expect(['target-unwritable', 'file-failed']).toContain(
      /\(([a-z-]+)\)$/m.exec(outcome.stderr)?.[1],
    );
  });

  it('never changes the snapshot', async () => {
    await untouched(directory, async () => {
      await restore(file, `--data-dir=${join(directoryForTest(), 'data')}`);
    });
  });
});

function flip(bytes: Buffer, at: number): Buffer {
  bytes[at]! ^= 1;
  return bytes;
}

function flipValue(bytes: Buffer): Buffer {
  return flip(bytes, bytes.lastIndexOf(VALUE));
}
