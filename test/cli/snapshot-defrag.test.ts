// snapshot defrag: a smaller file that holds the same, by etcd's own tools and by a member that is restored
// from it; and nothing at all where that cannot be had.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Contents, writeDatabase } from '../../src/bbolt/testing-database.ts';
import { bootRestored, contentsOf } from '../compatibility/members.ts';
import { describeEachTool, statusBy } from '../compatibility/tools.ts';
import { DATABASES, GOLDEN, readDatabase } from '../fixtures/databases/databases.ts';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { Message } from '../fixtures/protobuf-writer.ts';
import { runBbolt } from '../servers/bbolt.ts';
import { runCommand } from '../servers/command.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { binariesOf, startEtcd } from '../servers/etcd.ts';
import { describeEachVersion, describeWithBbolt, describeWithEtcd } from '../servers/for-vitest.ts';
import { load } from '../servers/load.ts';
import { expectFailure } from './failure.ts';
import { runCli, startCli } from './run.ts';
import { directoryForTest } from './scene.ts';
import { listingOf, untouched } from './untouched.ts';
import { volumeForTest, volumesMissing } from './volume.ts';

const PAGE = 4096;
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** A file of its own directory, which nobody may write to. */
async function snapshotOf(bytes: Uint8Array): Promise<string> {
  const path = join(directoryForTest(), 'snapshot.db');
  await writeFile(path, bytes, { mode: 0o400 });
  return path;
}

/** Runs it, and expects the snapshot and what is beside it to be as they were. */
async function defrag(file: string, to: string, ...flags: string[]) {
  const line = ['snapshot', 'defrag', file, '--to', to, ...flags];
  return untouched(join(file, '..'), () => runCli(line));
}

/** The same, to a new file that has to be there afterwards. */
async function defragmented(file: string): Promise<string> {
  const to = join(directoryForTest(), 'copy.db');
  const { code, stdout, stderr } = await defrag(file, to);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(
    /^Snapshot defragmented to \S+: \S+ \wB before, \S+ \wB now, HashKV \d+ at revision \d+ in both\n$/,
  );
  return to;
}

/** HashKV of etcdutl, which rewrites the file: of a copy. */
async function hashKVByEtcdutl(path: string): Promise<unknown> {
  const copy = join(directoryForTest(), 'copy.db');
  await copyFile(path, copy);
  const { etcdutl } = await binariesOf('3.7.3');
  const { code, stdout, stderr } = await runCommand(etcdutl!, ['hashkv', copy, '-w', 'json']);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

/** The file ends with the digest of what is before it, and has nothing but pages before it. */
async function expectDigest(path: string, pageSize: number): Promise<void> {
  const bytes = await readFile(path);
  const pages = bytes.subarray(0, -32);
  expect(bytes.subarray(-32)).toEqual(sha256(pages));
  expect(pages.length).toBe(Number(pages.readBigUInt64LE(56)) * pageSize);
}

const pageSizeOf = (name: string): number => Number(/^pages-of-(\d+)$/.exec(name)?.[1] ?? PAGE);

describe('snapshot defrag', () => {
  it.each(DATABASES)('of the database %s is smaller, and ends with its digest', async (name) => {
    const bytes = readDatabase(name);
    const to = await defragmented(await snapshotOf(bytes));
    await expectDigest(to, pageSizeOf(name));
    const { size, mode } = await stat(to);
    expect(size).toBeLessThan(bytes.length + 33);
    expect(mode & 0o777).toBe(0o600);
    expect(await readdir(join(to, '..'))).toEqual(['copy.db']);
  });

  // The copies, made once.
  const directory = temporaryDirectory();
  afterAll(() => removeTemporaryDirectory(directory));
  const copyOf = async (name: string): Promise<string> => {
    const to = join(directory, `${name}.db`);
    if (!existsSync(to)) await defrag(await snapshotOf(readDatabase(name)), to);
    return to;
  };

  describeEachTool('of every database is the same to', (tool) => {
    it.each(DATABASES)('%s', async (name) => {
      const to = await copyOf(name);
      const before =
        tool.version === '3.4.23'
          ? await statusBy(tool, await snapshotOf(readDatabase(name)))
          : GOLDEN[name]![tool.version];
      const totalSize = (await stat(to)).size - 32;
      expect(await statusBy(tool, to)).toEqual({ ...before, totalSize });
    });
  });

  describeWithEtcd('3.7.3', 'has the HashKV of the snapshot', () => {
    it.each(DATABASES.filter((name) => name !== 'nested'))('%s', async (name) => {
      const before = await hashKVByEtcdutl(await snapshotOf(readDatabase(name)));
      expect(await hashKVByEtcdutl(await copyOf(name))).toEqual(before);
    });
  });

  describeWithBbolt('is sound to bbolt', () => {
    it.each(DATABASES)('%s', async (name) => {
      const checked = await runBbolt(['check', await copyOf(name)]);
      expect(checked).toMatchObject({ code: 0, stdout: 'OK\n' });
    });
  });

  it('says all of it as a document', async () => {
    const file = await snapshotOf(readDatabase('tree'));
    const to = join(directoryForTest(), 'copy.db');
    const { stdout } = await defrag(file, to, '--output=json');
    const bytes = await readFile(to);
    const { hash, totalKey } = GOLDEN['tree']!['3.7.3'];
    expect(JSON.parse(stdout)).toEqual({
      file,
      to,
      bytesBefore: readDatabase('tree').length,
      bytes: bytes.length,
      sha256: sha256(bytes).toString('hex'),
      digestCompared: true,
      pagesBefore: 200,
      pagesReachable: 170,
      pages: (bytes.length - 32) / PAGE,
      hash,
      revision: '962',
      keys: totalKey,
      hashKV: { hash: 1788878132, hashRevision: '962', compactRevision: '450' },
    });
  });

  it('of its own result is the same again', async () => {
    const once = await defragmented(await snapshotOf(readDatabase('tree')));
    const again = await defragmented(once);
    expect((await readFile(again)).equals(await readFile(once))).toBe(true);
  });
});

describeEachVersion('snapshot defrag of a real snapshot', (version) => {
  it('a member that is restored from it serves the same, and runs on', async () => {
    const file = join(directoryForTest(), 'snapshot.db');
    let live: unknown;
    {
      await using etcd = await startEtcd({ version });
      await loadKubernetes(etcd.gateway, { objects: 1200, operations: 16 });
      await etcd.gateway.compact((await etcd.gateway.revision()) - 30n);
      await etcd.member.etcdctl(['del', '/kubernetes.io/events', '--prefix']);
      await etcd.member.etcdctl(['snapshot', 'save', file]);
      live = await contentsOf(etcd.member);
    }
    const to = await defragmented(file);
    expect((await stat(to)).size).toBeLessThan((await stat(file)).size);
    await using restored = await bootRestored(version, to);
    const { member } = restored;
    expect(await contentsOf(member)).toEqual(live);
    // All is deleted, compacted and written anew, so that bbolt merges and splits every page that we wrote.
    const { gateway } = member;
    await member.etcdctl(['del', '', '--prefix']);
    await gateway.compact(await gateway.revision());
    const keys = Array.from({ length: 2000 }, (_, index) => ({ key: `/${index}`, value: 'after' }));
    await load(gateway, keys, { operations: 8 });
    await member.etcdctl(['defrag']);
    const saved = join(directoryForTest(), 'after.db');
    expect(await member.etcdctl(['snapshot', 'save', saved])).toMatchObject({ code: 0 });
    // But for the warning that etcdutl's restore leaves raft's old members there.
    const checked = await runCli(['snapshot', 'check', saved]);
    expect(checked.code).toBe(0);
    expect(checked.stdout).toMatch(/^(member +warning: .*\n)?$/);
  });
});

describe('snapshot defrag refuses', () => {
  const refused = async (bytes: Uint8Array, ...flags: string[]) => {
    const directory = directoryForTest();
    const file = await snapshotOf(bytes);
    const to = join(directory, 'copy.db');
    return untouched(directory, () => defrag(file, to, ...flags));
  };
  const changed = (change: (bytes: Buffer, root: number) => void): Buffer => {
    const bytes = readDatabase('inline');
    change(bytes, Number(bytes.readBigUInt64LE(32)) * PAGE);
    return bytes;
  };
  const sealed = (bytes: Buffer): Buffer => {
    sha256(bytes.subarray(0, -32)).copy(bytes, bytes.length - 32);
    return bytes;
  };

  it('a snapshot whose digest is not that of what it holds, unless it is told not to look', async () => {
    const bytes = changed((whole) => whole.writeUInt8(whole.at(-1)! ^ 1, whole.length - 1));
    const failure = expectFailure(await refused(bytes), 'snapshot-damaged', 4);
    expect(failure.message).toMatch(/^its digest is not that of what it holds/);
    expect(failure.rows.get('do')).toContain('--skip-hash-check');
    expect(failure.rows.get('digest')).toBe(bytes.subarray(-32).toString('hex'));
    expect(failure.aftermath).toBe('Nothing was written.');
    const to = join(directoryForTest(), 'copy.db');
    const { code, stderr } = await defrag(await snapshotOf(bytes), to, '--skip-hash-check');
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^digest {6}not compared; made anew$/m);
    await expectDigest(to, PAGE);
  });

  it('takes a file without a digest, as a copy of a data directory is', async () => {
    const whole = readDatabase('tree').subarray(0, -32);
    for (const bytes of [whole, Buffer.concat([whole, Buffer.alloc(40 * PAGE)])]) {
      const file = await snapshotOf(bytes);
      await expectDigest(await defragmented(file), PAGE);
    }
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['is empty', Buffer.alloc(0), /^it is no bbolt database/],
    ['is a text', Buffer.from('no database\n'.repeat(500)), /^it is no bbolt database/],
    [
      'is cut off',
      readDatabase('tree').subarray(0, 100 * PAGE),
      /^the file ends at 409600 of 819200 bytes: it is truncated$/,
    ],
    [
      'has a root of another kind',
      sealed(changed((bytes, root) => bytes.writeUInt16LE(0x10, root + 8))),
      /^page \d+ is of a kind that cannot be there \(flags 16\)$/,
    ],
    [
      'has buckets out of order',
      sealed(
        changed((bytes, root) => {
          bytes.write('z', root + 16 + bytes.readUInt32LE(root + 16 + 4));
        }),
      ),
      /^page \d+ has keys out of order at element 1$/,
    ],
    [
      'has a record that is none',
      sealed(
        // Of revision 2, wherever pages that are free now have it, too.
        changed((bytes) => {
          const key = Buffer.from('00000000000000025f', 'hex');
          for (let at = bytes.indexOf(key); at >= 0; at = bytes.indexOf(key))
            bytes.write('k', at + 8);
        }),
      ),
      /^the revision in element 0 of page \d+ /,
    ],
  ])('a snapshot that %s', async (_, bytes, message) => {
    const failure = expectFailure(await refused(bytes), 'snapshot-damaged', 4);
    expect(failure.message).toMatch(message);
    expect(failure.rows.get('file')).toMatch(/snapshot\.db$/);
    expect(failure.aftermath).toBe('Nothing was written.');
  });

  it('a file that is not there, and a directory', async () => {
    const directory = directoryForTest();
    const to = join(directory, 'copy.db');
    for (const file of [join(directory, 'none.db'), directory]) {
      const line = ['snapshot', 'defrag', file, '--to', to];
      expectFailure(await untouched(directory, () => runCli(line)), 'file-failed');
    }
  });

  it('to replace a file, unless it is told to', async () => {
    const file = await snapshotOf(readDatabase('tree'));
    const directory = directoryForTest();
    const to = join(directory, 'copy.db');
    await writeFile(to, 'of before');
    const outcome = await untouched(directory, () => defrag(file, to));
    expectFailure(outcome, 'target-exists', 3);
    expect(await defrag(file, to, '--overwrite')).toMatchObject({ code: 0 });
    await expectDigest(to, PAGE);
    expect(await readdir(directory)).toEqual(['copy.db']);
  });

  it('to put the copy where it cannot be, or in the place of the snapshot', async () => {
    const file = await snapshotOf(readDatabase('tree'));
    const directory = directoryForTest();
    await symlink(file, join(directory, 'link.db'));
    const to = async (path: string) =>
      untouched(directory, () => defrag(file, path, '--overwrite'));
    expectFailure(await to(directory), 'target-unwritable');
    expectFailure(await to(join(directory, 'none', 'copy.db')), 'target-unwritable');
    const message = 'the copy would take the place of the snapshot itself';
    expect(expectFailure(await to(file), 'usage', 2).message).toBe(message);
    expect(expectFailure(await to(join(directory, 'link.db')), 'usage', 2).message).toBe(message);
    expectFailure(await runCli(['snapshot', 'defrag', file]), 'usage', 2);
  });
});

const noVolumes = volumesMissing();
const because = noVolumes === undefined ? '' : ` (not run: ${noVolumes})`;

describe.skipIf(noVolumes !== undefined)(`snapshot defrag, on a file system${because}`, () => {
  it('that is read-only: the snapshot', async () => {
    const volume = await volumeForTest('size=8m');
    const file = join(volume.path, 'snapshot.db');
    await writeFile(file, readDatabase('tree'), { mode: 0o400 });
    await chmod(volume.path, 0o500);
    volume.makeReadOnly();
    await expectDigest(await defragmented(file), PAGE);
  });

  it('that is read-only: the copy', async () => {
    const volume = await volumeForTest('size=8m');
    volume.makeReadOnly();
    const outcome = await defrag(
      await snapshotOf(readDatabase('tree')),
      join(volume.path, 'copy.db'),
    );
    expect(expectFailure(outcome, 'target-unwritable').message).toMatch(/is read-only$/);
  });

  // The copy has 170 pages, and the digest one of its own; what was there before has one.
  it.each([0, 1, 100, 169, 170])('that has room for %i pages', async (pages) => {
    const { path } = await volumeForTest(`size=${(pages + 1) * PAGE}`);
    await writeFile(join(path, 'of before'), 'kept');
    const file = await snapshotOf(readDatabase('tree'));
    const outcome = await untouched(path, () => defrag(file, join(path, 'copy.db')));
    const failure = expectFailure(outcome, 'disk-full');
    expect(failure.message).toMatch(/no space is left on the file system$/);
    expect(failure.aftermath).toBe('Nothing was written.');
  });
});

describe('snapshot defrag, interrupted', () => {
  /** Large enough that some part of it is still to be done when a signal comes. */
  function large(): Promise<{ readonly bytes: Buffer }> {
    const records: Contents = new Map();
    for (let revision = 2; revision < 252; revision += 1) {
      const key = Buffer.alloc(17);
      key.writeBigUInt64BE(BigInt(revision));
      key.write('_', 8);
      const record = new Message().string(1, `/key/${revision}`).integer(2, revision);
      record
        .integer(3, revision)
        .integer(4, 1)
        .bytes(5, Buffer.alloc(1 << 20, revision));
      records.set(key.toString('latin1'), record.encode());
    }
    return writeDatabase(new Map([['key', records]]), { pageSize: PAGE });
  }

  it.each([
    ['SIGINT', 'interrupted', 130],
    ['SIGTERM', 'terminated', 143],
  ] as const)('by %s leaves nothing', async (signal, code, exitCode) => {
    const file = await snapshotOf((await large()).bytes);
    const directory = directoryForTest();
    await writeFile(join(directory, 'of before'), 'kept');
    const before = await listingOf(directory);
    const run = startCli(['snapshot', 'defrag', file, '--to', join(directory, 'copy.db')]);
    await run.waitUntil(async () =>
      (await readdir(directory)).some((name) => name.endsWith('.part')),
    );
    const failure = expectFailure(await run.end(signal), code, exitCode);
    expect(failure.aftermath).toBe('Nothing was written.');
    expect(await listingOf(directory)).toEqual(before);
  });
});
