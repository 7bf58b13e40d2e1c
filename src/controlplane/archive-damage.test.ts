import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { tarGzOf, tarMember, tarOf } from '../../test/fixtures/tar.ts';
import { type ArchiveRule } from './archive-finding.ts';
import {
  inspect,
  inspectWith,
  membersOf,
  NOW,
  rulesOf,
  SOUND,
} from './archive-inspection.fixture.ts';
import { type ArchiveInspectionRequest, inspectArchive } from './archive-inspection.ts';
import { temporaryDirectory } from './host.fixture.ts';

describe('an archive that is not whole', () => {
  const archive = tarGzOf(...membersOf(SOUND));
  const damaged = async (bytes: Buffer, rule: ArchiveRule = 'archive-damaged') => {
    const found = await inspect(bytes);
    expect(rulesOf(found)[0]).toBe(rule);
    expect(found.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    return found;
  };

  it('cut anywhere', async () => {
    for (let length = 0; length < archive.length; length += length < 40 ? 1 : 13) {
      await damaged(archive.subarray(0, length));
    }
    await damaged(archive.subarray(0, -1));
  });

  it('a flipped bit anywhere: a finding, or the same contents under another digest', async () => {
    const sound = await inspect(archive);
    const unseen = new Set<number>();
    for (let at = 0; at < archive.length; at += at < 30 || at > archive.length - 20 ? 1 : 7) {
      const changed = Buffer.from(archive);
      changed[at]! ^= 1 << (at & 7);
      const found = await inspect(changed);
      expect(found.sha256).not.toBe(sound.sha256);
      if (found.count.error > 0) continue;
      expect(found.members).toEqual(sound.members);
      unseen.add(at);
    }
    // RFC 1952, 2.3: the time, the level and the system are in no checksum; and a run of zeros can be written in more ways than one.
    expect(unseen.size).toBeLessThan(20);
  });

  it.each([
    ['the CRC', -8],
    ['the length', -4],
  ])('%s is another', async (_, at) => {
    const changed = Buffer.from(archive);
    changed[archive.length + at]! ^= 1;
    const { isWhole, findings } = await damaged(changed);
    // What is missing is not known, and not said.
    expect([isWhole, findings.length]).toEqual([false, 1]);
  });

  it.each([1, 4, 9, 300_000])(
    '%i bytes of something else follow, where tar -xzf fails',
    async (count) => {
      const bytes = Buffer.concat([archive, Buffer.alloc(count, 'junk')]);
      const found = await damaged(bytes, 'trailing-garbage');
      expect(found.findings).toHaveLength(1);
      expect(found.pods).toHaveLength(4);
      const path = join(await temporaryDirectory(), 'a.tar.gz');
      writeFileSync(path, bytes);
      expect(() => execFileSync('tar', ['-tzf', path], { stdio: 'pipe' })).toThrow();
    },
  );

  it.each<[string, Buffer]>([
    ['empty', Buffer.alloc(0)],
    ['a tar archive that is not compressed', tarOf(...membersOf(SOUND))],
    ['compressed text', gzipSync('a text\n'.repeat(200))],
    ['compressed nothing', gzipSync('')],
    ['not written to its end', gzipSync(tarOf(...membersOf(SOUND)).subarray(0, -1024))],
    ['with a broken header', tarGzOf(...membersOf(SOUND), { path: 'x', checksum: '000000\0 ' })],
  ])('%s', async (_, bytes) => {
    await damaged(bytes);
  });
});

describe('bounds', () => {
  const GIB = 2 ** 30;

  const ZEROS = gzipSync(Buffer.alloc(GIB / 16));

  /** A member of a gigabyte of zeros and some more: gzip's members are one stream. */
  async function bomb(moreBytes: number): Promise<string> {
    const size = `${(GIB + moreBytes).toString(8).padStart(11, '0')}\0`;
    const pieces = [
      gzipSync(tarMember({ path: 'zeros', size })),
      ...Array.from({ length: 16 }, () => ZEROS),
      gzipSync(Buffer.alloc(moreBytes + 1024)),
    ];
    const path = join(await temporaryDirectory(), 'bomb.tar.gz');
    writeFileSync(path, Buffer.concat(pieces));
    return path;
  }

  async function measure(path: string, request: Partial<ArchiveInspectionRequest> = {}) {
    const start = { time: performance.now(), rss: process.memoryUsage.rss() };
    let rss = 0;
    const timer = setInterval(() => (rss = Math.max(rss, process.memoryUsage.rss())), 5);
    const found = await inspectArchive({ path, now: NOW, ...request });
    clearInterval(timer);
    return { found, ms: performance.now() - start.time, grownBytes: rss - start.rss };
  }

  it('a gigabyte of zeros: read to its end, in little memory', async () => {
    const { found, ms, grownBytes } = await measure(await bomb(0));
    expect(rulesOf(found)).toEqual(['layout-unknown']);
    expect(found.members).toMatchObject([{ path: 'zeros', bytes: GIB }]);
    expect(ms).toBeLessThan(20_000);
    expect(grownBytes).toBeLessThan(100 << 20);
  }, 60_000);

  it('a block more ends at its header', async () => {
    const { found, ms } = await measure(await bomb(512));
    expect(rulesOf(found)).toEqual(['too-large']);
    expect(ms).toBeLessThan(5000);
  }, 60_000);

  it('zeros and nothing else', async () => {
    const path = join(await temporaryDirectory(), 'zeros.tar.gz');
    writeFileSync(path, Buffer.concat(Array.from({ length: 16 }, () => ZEROS)));
    const { found, ms } = await measure(path);
    expect(rulesOf(found)).toEqual(['archive-damaged']);
    expect(ms).toBeLessThan(5000);
  }, 60_000);

  it.each<[string, Partial<ArchiveInspectionRequest['limits']>]>([
    ['all that is unpacked', { unpackedBytes: 5000 }],
    ['members', { members: 5 }],
    ['names', { nameBytes: 200 }],
    ['one member', { memberBytes: 100 }],
  ])('a limit of %s', async (_, limits) => {
    const found = await inspect(tarGzOf(...membersOf(SOUND)), { limits: limits! });
    expect(rulesOf(found)[0]).toBe('too-large');
  });

  it('directories without an end', async () => {
    const path = 'd/'.repeat(200);
    expect(
      rulesOf(await inspectWith({ path: 'l', type: 'L', body: `${path}\0` }, { path: 'x' })),
    ).toContain('too-large');
  });

  it('stops when it is told to', async () => {
    const reason = new Error('enough');
    const stop = new AbortController();
    const path = await bomb(0);
    const inspecting = inspectArchive({ path, now: NOW, signal: stop.signal });
    setTimeout(() => {
      stop.abort(reason);
    }, 50);
    await expect(inspecting).rejects.toBe(reason);
  }, 60_000);

  it.each([
    ['a directory', (path: string) => mkdirSync(path)],
    ['a pipe that nobody writes to', (path: string) => execFileSync('mkfifo', [path])],
    ['not there', () => undefined],
  ])('%s is an error', async (_, make) => {
    const path = join(await temporaryDirectory(), 'a.tar.gz');
    make(path);
    await expect(inspectArchive({ path, now: NOW })).rejects.toMatchObject({ code: 'file-failed' });
  });

  it('growing while it is read: it ends, with an error', async () => {
    const path = join(await temporaryDirectory(), 'a.tar.gz');
    writeFileSync(path, tarGzOf(...membersOf(SOUND)));
    const progress = (): void => appendFileSync(path, 'x');
    const inspecting = inspectArchive({ path, now: NOW, progress });
    await expect(inspecting).rejects.toMatchObject({
      code: 'file-failed',
      message: 'cannot read the archive: it was changed while it was read',
    });
  });
});
