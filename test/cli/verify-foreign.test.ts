// verify, of snapshots that others have made, in the shapes that they have.
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { DatabaseEdit } from '../../src/bbolt/edit.ts';
import { bytesSource } from '../../src/bbolt/testing.ts';
import { DATABASES, GOLDEN, readDatabase } from '../fixtures/databases/databases.ts';
import { runCommand } from '../servers/command.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { directoryForTest } from './scene.ts';
import { untouched } from './untouched.ts';
import { leafPage, PAGE, snapshotOf, verifyJson, withTrailer } from './verified.ts';

describe('verify, of files that others have made', () => {
  const WITHOUT_TRAILER = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length - 32);

  async function file(name: string, bytes: Uint8Array) {
    const directory = directoryForTest();
    await writeFile(join(directory, name), bytes, { mode: 0o400 });
    return { directory, path: join(directory, name) };
  }

  it.each(DATABASES)('the database %s is good', async (name) => {
    const { directory, path } = await file('snapshot.db', snapshotOf(name));
    const { code, document } = await untouched(directory, () => verifyJson(path));
    expect(code).toBe(0);
    const { revision, totalKey } = GOLDEN[name]!['3.7.3'];
    expect(document.backups[0]!.snapshot.keys).toBe(totalKey);
    expect(Number(document.backups[0]!.snapshot.revision)).toBeGreaterThanOrEqual(revision);
  });

  it('a copy of a member’s database: nothing to compare with, structure sound', async () => {
    const { path } = await file('db', WITHOUT_TRAILER(readDatabase('tree')));
    const outcome = await runCli(['verify', path]);
    const failure = expectFailure(outcome, 'backup-unproven', 5);
    expect(failure.message).toBe(
      'the database carries no digest to compare with: its structure is sound',
    );
    expect(outcome.stdout).toMatch(/^ {2}digest +none to compare with: /m);
  });

  it('with the digest left out: unproven, and what the rest tells', async () => {
    const { path } = await file('snapshot.db', readDatabase('tree'));
    const outcome = await runCli(['verify', '--skip-hash-check', path]);
    expect(expectFailure(outcome, 'backup-unproven', 5).message).toBe(
      'the digest was not computed',
    );
    const flipped = readDatabase('tree');
    flipped[(await leafPage(flipped)) * PAGE + 16 + 10]! ^= 0x40;
    const bad = await file('snapshot.db', flipped);
    const found = await runCli(['verify', '--skip-hash-check', bad.path]);
    expect(expectFailure(found, 'backup-bad', 4).message).toMatch(/element 0 out of its bounds/);
  });

  it('a marked pair beside one of the same second is named by its file', async () => {
    const { directory } = await file('snapshot_2026-11-23_145301.db', readDatabase('inline'));
    const marked = join(directory, 'snapshot_2026-11-23_145301__POSSIBLY_DIRTY__.db');
    await writeFile(marked, readDatabase('tree'));
    const { stdout } = await runCli(['verify', marked]);
    expect(stdout).toContain(`good: ${marked}`);
  });

  it.each([
    ['gzip', 'etcd-backup.db.gz', (bytes: Buffer) => gzipSync(bytes)],
    ['zstd', 'etcd-backup.db.zst', (bytes: Buffer) => zstdCompressSync(bytes)],
    ['gzip, and named as if it were not', 'snapshot.db', (bytes: Buffer) => gzipSync(bytes)],
  ])('compressed with %s: the same as without', async (_, name, compress) => {
    const snapshot = snapshotOf('tree');
    const plain = await verifyJson((await file('snapshot.db', snapshot)).path);
    const { directory, path } = await file(name, compress(snapshot));
    const packed = await untouched(directory, () => verifyJson(path));
    expect(packed.code).toBe(0);
    expect({ ...packed.document.backups[0]!.snapshot, path: '' }).toEqual({
      ...plain.document.backups[0]!.snapshot,
      path: '',
    });
  });

  it('compressed and cut off: bad, and it is said why', async () => {
    const packed = gzipSync(snapshotOf('tree'));
    const { path } = await file('snapshot.db.gz', packed.subarray(0, packed.length >> 1));
    const failure = expectFailure(await runCli(['verify', path]), 'backup-bad', 4);
    expect(failure.message).toMatch(/gzip/);
  });

  it('one archive with snapshot and static resources, of OpenShift 4.3.0', async () => {
    const directory = directoryForTest();
    const stamp = '2020-03-18_220218';
    const tree = join(directory, 'tree');
    await mkdir(join(tree, 'static-pod-resources/etcd-pod-1'), { recursive: true });
    await writeFile(join(tree, `snapshot_${stamp}.db`), snapshotOf('tree'));
    await writeFile(join(tree, 'static-pod-resources/etcd-pod-1/etcd-pod.yaml'), 'kind: Pod\n');
    const path = join(directory, `snapshot_db_kuberesources_${stamp}.tar.gz`);
    const tar = await runCommand('tar', ['-czf', path, '-C', tree, '.'], { timeoutMs: 10_000 });
    expect(tar.code, tar.stderr).toBe(0);
    const { document } = await verifyJson(path);
    const { revision, totalKey } = GOLDEN['tree']!['3.7.3'];
    expect(document.backups[0]!.snapshot).toMatchObject({
      revision: `${revision}`,
      keys: totalKey,
    });
    // Of the four static pods this one lacks three.
    expect(document.backups[0]!.reasons.join()).toMatch(/static resources: .*kube-/);
  });

  it('with a warning: good, and what it holds is said all the same', async () => {
    const database = WITHOUT_TRAILER(snapshotOf('tree'));
    const changed = Buffer.alloc(database.length + (1 << 20));
    database.copy(changed);
    const edit = await DatabaseEdit.open(bytesSource(database));
    // etcdserverpb.AlarmMember: NOSPACE of member 1.
    edit.bucket(Buffer.from('alarm')).put(Buffer.from([8, 1, 16, 1]), Buffer.alloc(0));
    const { size } = await edit.commit({
      write(bytes, offset) {
        changed.set(bytes, offset);
        return undefined;
      },
    });
    const { path } = await file('snapshot.db', withTrailer(changed.subarray(0, size)));
    const { code, stdout } = await runCli(['verify', path]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^ {2}store +warning: alarm NOSPACE of member 1 .*\n +sound: revision 962, /m,
    );
  });

  it('in a directory of a job, below the one that is named', async () => {
    const directory = directoryForTest();
    const job = join(directory, 'backup-nightly-2026-11-23_145301');
    await mkdir(job);
    const database = readDatabase('tree');
    await writeFile(join(job, 'snapshot_2026-11-23_145301.db'), database);
    const { stdout } = await runCli(['verify', directory]);
    expect(stdout).toContain(`good: ${join(job, 'snapshot_2026-11-23_145301.db')}`);
    const digest = createHash('sha256').update(WITHOUT_TRAILER(database)).digest();
    expect(digest.equals(database.subarray(-32))).toBe(true);
  });

  it.each([
    ['nothing is there', ['/nowhere/at/all'], 'backup-not-found', 1],
    ['no backup in a directory', ['.'], 'backup-not-found', 1],
    ['all of a directory without any', ['.', '--all'], 'backup-not-found', 1],
    ['of no stamp', ['.', '--stamp', 'yesterday'], 'usage', 2],
    ['all and one', ['.', '--all', '--stamp', '2026-11-23_145301'], 'usage', 2],
  ] as const)('%s', async (_, args, code, exit) => {
    const cwd = directoryForTest();
    expectFailure(await runCli(['verify', ...args], { cwd }), code, exit);
  });
});
