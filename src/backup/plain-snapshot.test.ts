import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DATABASES, readDatabase } from '../../test/fixtures/databases/databases.ts';
import { type HandMadeMember, tarGzOf, tarOf } from '../../test/fixtures/tar.ts';
import { openPlainSnapshot, type PlainSnapshotRequest } from './plain-snapshot.ts';
import { proveSnapshot } from './verify-snapshot.ts';

const DATABASE = readDatabase('tree');
const RESOURCES: HandMadeMember = {
  path: 'static-pod-resources/kube-apiserver-pod-13/kube-apiserver-pod.yaml',
  body: 'x'.repeat(700),
};
const zstd = (bytes: Uint8Array): Buffer =>
  zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });

interface Place {
  readonly path: string;
  readonly scratch: string;
}

/** A file, and a place to unpack it. */
async function place(bytes: Uint8Array, name = 'snapshot.db'): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'etcdkeep-test-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const scratch = join(directory, 'scratch');
  mkdirSync(scratch);
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return { path, scratch };
}

const openAt = ({ path, scratch }: Place, request: Partial<PlainSnapshotRequest> = {}) =>
  openPlainSnapshot({ path, directory: scratch, limitBytes: 2 ** 30, ...request });

/** Files of a directory that this process has open, also those without a name. */
async function openBelow(directory: string): Promise<string[]> {
  const numbers = await readdir('/proc/self/fd');
  const targets = await Promise.all(
    numbers.map((number) => readlink(`/proc/self/fd/${number}`).catch(() => '')),
  );
  return targets.filter((target) => target.startsWith(directory));
}

describe('a snapshot', () => {
  it('that is not packed is the file itself', async () => {
    const at = await place(DATABASE);
    using snapshot = await openAt(at);
    expect(snapshot).toMatchObject({
      path: at.path,
      compression: undefined,
      member: undefined,
      bytes: DATABASE.length,
    });
    expect(await openBelow(at.scratch)).toEqual([]);
  });

  it.each<[string, Uint8Array, object]>([
    ['gzip(1)', execFileSync('gzip', ['-c'], { input: DATABASE }), { compression: 'gzip' }],
    [
      'two gzip streams',
      Buffer.concat(
        [DATABASE.subarray(0, 9000), DATABASE.subarray(9000)].map((part) => gzipSync(part)),
      ),
      { compression: 'gzip' },
    ],
    ['zstd', zstd(DATABASE), { compression: 'zstd' }],
    [
      'two zstd frames',
      Buffer.concat([DATABASE.subarray(0, 9000), DATABASE.subarray(9000)].map(zstd)),
      { compression: 'zstd' },
    ],
    [
      'one archive with the static resources',
      tarGzOf({ path: 'snapshot.db', body: DATABASE }, RESOURCES),
      { compression: 'gzip', member: 'snapshot.db' },
    ],
    [
      'the same in another order',
      tarGzOf(RESOURCES, { path: './backup/snapshot_2020-04-15_092032.db', body: DATABASE }),
      { compression: 'gzip', member: './backup/snapshot_2020-04-15_092032.db' },
    ],
    [
      'an archive of a data directory',
      tarGzOf({ path: 'member/snap/db', body: DATABASE }),
      { member: 'member/snap/db' },
    ],
    [
      'an archive in zstd',
      zstd(tarOf({ path: 'snapshot.db', body: DATABASE })),
      { compression: 'zstd', member: 'snapshot.db' },
    ],
  ])('in %s comes out as it went in, whatever it is called', async (_, bytes, expected) => {
    const at = await place(bytes);
    using snapshot = await openAt(at);
    expect(snapshot).toMatchObject({ ...expected, bytes: DATABASE.length });
    expect(readFileSync(snapshot.path).equals(DATABASE)).toBe(true);
    expect(statSync(snapshot.path).mode & 0o777).toBe(0o600);
    expect(readFileSync(at.path).equals(bytes)).toBe(true);
  });

  it.each(DATABASES)('%s, compressed: is proven as it is when it is not', async (name) => {
    const database = readDatabase(name);
    const [plain, packed] = [await place(database), await place(gzipSync(database))];
    using snapshot = await openAt(packed);
    const { path, ...expected } = await proveSnapshot({ path: plain.path });
    expect(path).toBe(plain.path);
    expect(await proveSnapshot({ path: snapshot.path })).toMatchObject(expected);
  });

  it('has no name where it is unpacked, and is gone when it is let go', async () => {
    const at = await place(gzipSync(DATABASE));
    const snapshot = await openAt(at);
    expect(await readdir(at.scratch)).toEqual([]);
    expect(await openBelow(at.scratch)).toHaveLength(1);
    snapshot[Symbol.dispose]();
    expect(await openBelow(at.scratch)).toEqual([]);
  });
});

describe('what is no snapshot', () => {
  const packed = gzipSync(DATABASE);
  const changed = (at: number): Buffer => {
    const bytes = Buffer.from(packed);
    bytes[at]! ^= 1;
    return bytes;
  };

  it.each<[string, Buffer, RegExp]>([
    ['a stream that ends early', packed.subarray(0, -9), /gzip ends before it is whole/],
    ['a stream without its end', packed.subarray(0, -1), /gzip ends before it is whole/],
    ['zstd that ends early', zstd(DATABASE).subarray(0, -5), /zstd ends before it is whole/],
    ['another CRC', changed(packed.length - 8), /gzip is damaged: incorrect data check/],
    ['another length', changed(packed.length - 4), /gzip is damaged: incorrect length check/],
    [
      'something behind it',
      Buffer.concat([packed, Buffer.from('more')]),
      /something follows the end of gzip/,
    ],
    ['an archive without a database', tarGzOf(RESOURCES), /there is no database in this archive/],
    [
      'an archive with two',
      tarGzOf({ path: 'a.db', body: 'x' }, { path: 'b.db', body: 'y' }),
      /more than one database/,
    ],
    [
      'an archive that is not at its end',
      gzipSync(tarOf({ path: 'a.db', body: DATABASE }).subarray(0, -1024)),
      /not written to its end/,
    ],
    [
      'an archive that is damaged',
      tarGzOf({ path: 'a.db', body: 'x' }, { path: 'b', checksum: '000000\0 ' }),
      /checksum of a header is wrong/,
    ],
  ])('%s is named, and nothing is left', async (_, bytes, message) => {
    const at = await place(bytes);
    await expect(openAt(at)).rejects.toMatchObject({
      code: 'snapshot-damaged',
      exitCode: 4,
      message: expect.stringMatching(message) as unknown,
      position: { path: at.path },
    });
    expect([await readdir(at.scratch), await openBelow(at.scratch)]).toEqual([[], []]);
  });

  it('cut anywhere: an error of that kind', async () => {
    for (let length = 4; length < packed.length; length += Math.ceil(packed.length / 97)) {
      const cut = openAt(await place(packed.subarray(0, length)));
      await expect(cut, `cut at ${length}`).rejects.toMatchObject({ code: 'snapshot-damaged' });
    }
  });

  it.each([
    ['gzip', gzipSync(Buffer.alloc(64 << 20))],
    ['zstd', zstd(Buffer.alloc(64 << 20))],
    ['an archive', tarGzOf({ path: 'a.db', body: Buffer.alloc(64 << 20) })],
  ])('a bomb in %s ends at the limit', async (_, bytes) => {
    const at = await place(bytes);
    let written = 0;
    const progress = (): void => void (written += 1);
    await expect(openAt(at, { limitBytes: 1 << 20, progress })).rejects.toMatchObject({
      code: 'snapshot-too-large',
      message: 'the snapshot unpacks to more than 1.05 MB',
      position: { path: at.path },
    });
    expect(written).toBe(0);
    expect([await readdir(at.scratch), await openBelow(at.scratch)]).toEqual([[], []]);
  });

  it('of exactly the limit is none', async () => {
    using snapshot = await openAt(await place(packed), { limitBytes: DATABASE.length });
    expect(snapshot.bytes).toBe(DATABASE.length);
  });

  it.each([
    ['a directory', (path: string) => mkdirSync(path)],
    ['a pipe that nobody writes to', (path: string) => execFileSync('mkfifo', [path])],
    ['not there', () => undefined],
  ])('%s', async (_, make) => {
    const at = await place(packed);
    const path = `${at.path}.other`;
    make(path);
    await expect(openAt({ ...at, path })).rejects.toMatchObject({
      code: 'file-failed',
      position: { path },
    });
  });
});

describe('where it cannot be unpacked', () => {
  it('there is no such directory', async () => {
    const at = await place(gzipSync(DATABASE));
    const scratch = join(at.scratch, 'none');
    await expect(openAt({ ...at, scratch })).rejects.toMatchObject({ code: 'target-unwritable' });
  });

  it('no space is left', async () => {
    const at = await place(gzipSync(randomBytes(3 << 20)));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', at.scratch]);
    try {
      await expect(openAt(at)).rejects.toMatchObject({
        code: 'disk-full',
        position: { path: at.scratch },
      });
    } finally {
      // Fails while a file on it is still open.
      execFileSync('umount', [at.scratch]);
    }
  });

  it.each([
    ['before it began', 0],
    ['in the middle', 20],
  ])('told to stop %s: its reason comes out, and nothing is left', async (_, delayMs) => {
    const large = Buffer.alloc(128 << 20);
    const at = await place(gzipSync(large, { level: 1 }));
    const stop = new AbortController();
    const reason = new Error('enough');
    if (delayMs === 0) stop.abort(reason);
    else
      setTimeout(() => {
        stop.abort(reason);
      }, delayMs);
    await expect(openAt(at, { signal: stop.signal })).rejects.toBe(reason);
    expect([await readdir(at.scratch), await openBelow(at.scratch)]).toEqual([[], []]);
  });

  it('a database of which only holes are known takes no memory', async () => {
    const bytes = 512 << 20;
    const at = await place(Buffer.alloc(0));
    truncateSync(at.path, bytes);
    const packed = await place(
      execFileSync('gzip', ['-1', '-c', at.path], { maxBuffer: 16 << 20 }),
    );
    // In a process of its own: the memory of this one is also that of the tests before.
    const module = join(import.meta.dirname, 'plain-snapshot.ts');
    const script = `
      const { openPlainSnapshot } = await import(${JSON.stringify(module)});
      const before = process.resourceUsage().maxRSS;
      const { bytes } = await openPlainSnapshot(${JSON.stringify({
        path: packed.path,
        directory: packed.scratch,
        limitBytes: 2 ** 30,
      })});
      console.log(bytes, (process.resourceUsage().maxRSS - before) * 1024);`;
    const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script]);
    const [unpacked, more] = String(printed).split(' ').map(Number);
    expect(unpacked).toBe(bytes);
    expect(more).toBeLessThan(bytes / 4);
  });
});
