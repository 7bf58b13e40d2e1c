import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type HandMadeMember, paxRecord, tarMember, tarOf } from '../../test/fixtures/tar.ts';
import { TarSyntaxError } from './tar-header.ts';
import { type TarEntry, TarReader } from './tar-reader.ts';

type Seen = TarEntry & { readonly sha256: string };

function read(archive: Buffer, step = archive.length): { seen: Seen[]; reader: TarReader } {
  const seen: Seen[] = [];
  let current: TarEntry | undefined;
  let hash = createHash('sha256');
  const reader = new TarReader({
    entry: (entry) => {
      current = entry;
      hash = createHash('sha256');
    },
    data: (bytes) => void hash.update(bytes),
    end: () => seen.push({ ...current!, sha256: hash.digest('hex') }),
  });
  for (let at = 0; at < archive.length; at += step) reader.push(archive.subarray(at, at + step));
  reader.finish();
  return { seen, reader };
}

const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');

function tree(): string {
  const root = mkdtempSync(join(tmpdir(), 'etcdkeep-test-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

const LONG = `${'d'.repeat(90)}/${'é'.repeat(60)}/${'n'.repeat(120)}`;

describe('what tar(1) writes is read as it lists it', () => {
  it.each(['gnu', 'oldgnu', 'pax', 'posix'])('--format=%s', (format) => {
    const root = tree();
    const names = ['plain', 'two words', 'new\nline', 'é-日本', LONG];
    for (const name of names) {
      mkdirSync(join(root, 't', name, '..'), { recursive: true });
      writeFileSync(join(root, 't', name), name.repeat(40));
      chmodSync(join(root, 't', name), 0o4640);
    }
    symlinkSync(`../${LONG}`, join(root, 't/link'));
    linkSync(join(root, 't/plain'), join(root, 't/zzz'));
    execFileSync('mkfifo', [join(root, 't/pipe')]);
    const archive = execFileSync('tar', [
      '-c',
      `--format=${format}`,
      '--sort=name',
      '-C',
      root,
      't',
    ]);
    const listing = execFileSync('tar', ['-t', '--quoting-style=literal', '--null'], {
      input: archive,
    });
    const { seen } = read(archive, 700);
    expect(seen.map(({ path }) => path).join('\n')).toBe(listing.toString().trimEnd());
    for (const name of names) {
      expect(seen.find(({ path }) => path === `t/${name}`)).toMatchObject({
        kind: 'file',
        mode: 0o4640,
        sha256: sha256(name.repeat(40)),
      });
    }
    const kinds = Object.fromEntries(
      seen.map(({ path, kind, linkTarget }) => [path, [kind, linkTarget]]),
    );
    expect(kinds).toMatchObject({
      't/': ['directory', undefined],
      't/link': ['symlink', `../${LONG}`],
      't/zzz': ['hard-link', 't/plain'],
      't/pipe': ['fifo', undefined],
    });
  });

  it.each(['ustar', 'v7'])('--format=%s, whose names are short', (format) => {
    const root = tree();
    mkdirSync(join(root, 't/d'), { recursive: true });
    writeFileSync(join(root, 't/d/f'), 'contents');
    const archive = execFileSync('tar', [
      '-c',
      `--format=${format}`,
      '--sort=name',
      '-C',
      root,
      't',
    ]);
    expect(read(archive).seen.map(({ path, kind, sha256 }) => [path, kind, sha256])).toEqual([
      ['t/', 'directory', sha256('')],
      ['t/d/', 'directory', sha256('')],
      ['t/d/f', 'file', sha256('contents')],
    ]);
  });

  it.each(['gnu', 'posix'])('a sparse file in --format=%s is told from others', (format) => {
    const root = tree();
    execFileSync('truncate', ['-s', '1M', join(root, 'sparse')]);
    const archive = execFileSync('tar', ['-c', '-S', `--format=${format}`, '-C', root, 'sparse']);
    expect(read(archive).seen.map(({ kind }) => kind)).toEqual(['other']);
  });
});

describe('sizes', () => {
  it('in base 256, as GNU writes what octal digits cannot', () => {
    const field = Buffer.alloc(12);
    field[0] = 0x80;
    field[11] = 5;
    const archive = tarOf({ path: 'f', body: 'hello', size: field.toString('latin1') });
    expect(read(archive).seen[0]).toMatchObject({ bytes: 5, sha256: sha256('hello') });
  });

  it('of a pax header go before those of the header', () => {
    const pax: HandMadeMember = { path: 'pax', type: 'x', body: paxRecord('size', '5') };
    const archive = tarOf(pax, { path: 'f', body: 'hello', size: '00000000000\0' });
    expect(read(archive).seen[0]).toMatchObject({ bytes: 5, sha256: sha256('hello') });
  });

  it.each([1, 511, 512, 513, 10_000])('archives in pieces of %i bytes are the same', (step) => {
    const archive = tarOf(
      { path: 'a', body: 'x'.repeat(1537) },
      { path: 'b' },
      { path: 'c', body: 'y' },
    );
    expect(read(archive, step).seen).toEqual(read(archive).seen);
    expect(read(archive).seen.map(({ bytes }) => bytes)).toEqual([1537, 0, 1]);
  });
});

describe('an end', () => {
  const member = tarMember({ path: 'f', body: 'x' });

  it.each<[string, Buffer]>([
    ['of two blocks', Buffer.concat([member, Buffer.alloc(1024)])],
    ['of one block, which tar(1) takes for one', Buffer.concat([member, Buffer.alloc(512)])],
    ['and a record of zeros', Buffer.concat([member, Buffer.alloc(20 * 512)])],
  ])('%s', (_, archive) => {
    execFileSync('tar', ['-t'], { input: archive, stdio: ['pipe', 'pipe', 'ignore'] });
    expect(read(archive).reader.dataAfterEnd).toBeUndefined();
  });

  it('with something behind it', () => {
    const archive = Buffer.concat([member, Buffer.alloc(2000), member]);
    const { seen, reader } = read(archive, 300);
    expect(seen).toHaveLength(1);
    expect(reader.dataAfterEnd).toBe(member.length + 2000);
  });
});

describe('defects', () => {
  const file = (more: Partial<HandMadeMember>): Buffer => tarOf({ path: 'f', body: 'x', ...more });

  it.each<[string, Buffer, RegExp]>([
    ['a checksum', file({ checksum: '000001\0 ' }), /checksum of a header is wrong/],
    ['a checksum that is no number', file({ checksum: 'abcdef\0 ' }), /checksum that is no number/],
    ['a size that is no number', file({ size: '0000000000x\0' }), /size that is no number/],
    ['a size below zero', file({ size: '\xff'.repeat(12) }), /size that is no number/],
    ['a size beyond 2^53', file({ size: `\x80${'\xff'.repeat(11)}` }), /size that is no number/],
    ['no name', file({ path: '' }), /has no name/],
    ['a link to nothing', file({ type: '2', body: '' }), /points to nothing/],
    ['a directory with contents', file({ path: 'd/', type: '5' }), /directory with contents/],
    ['a device with contents', file({ type: '3' }), /character-device with contents/],
    [
      'pax with a wrong length',
      tarOf({ path: 'p', type: 'x', body: '99 path=a\n' }),
      /pax header is damaged/,
    ],
    [
      'pax without a value',
      tarOf({ path: 'p', type: 'x', body: '7 path\n' }),
      /pax header is damaged/,
    ],
    [
      'pax with a size of letters',
      tarOf({ path: 'p', type: 'x', body: paxRecord('size', 'many') }),
      /no number/,
    ],
    [
      'pax with a name for all',
      tarOf({ path: 'p', type: 'g', body: paxRecord('path', 'x') }),
      /names all members/,
    ],
    ['an empty long name', tarOf({ path: 'l', type: 'L' }), /empty or too long/],
    [
      'a very long name',
      tarOf({ path: 'l', type: 'L', body: 'x'.repeat(70_000) }),
      /empty or too long/,
    ],
    [
      'a name that no file has',
      tarOf({ path: 'l', type: 'L', body: 'x'.repeat(5000) }, { path: 'f' }),
      /no file can have/,
    ],
    [
      'a NUL in a name',
      tarOf({ path: 'p', type: 'x', body: paxRecord('path', 'a\0b') }, { path: 'f' }),
      /no file can have/,
    ],
    ['no end', tarMember({ path: 'f', body: 'x' }), /not written to its end/],
    ['nothing at all', Buffer.alloc(0), /not written to its end/],
    ['half a header', tarMember({ path: 'f' }).subarray(0, 300), /in the middle of a member/],
    [
      'half a file',
      tarMember({ path: 'f', body: 'x'.repeat(900) }).subarray(0, 1000),
      /in the middle of a member/,
    ],
    ['zeros without an end', Buffer.alloc(2 << 20), /zeros without an end/],
  ])('%s', (_, archive, message) => {
    expect(() => read(archive)).toThrow(TarSyntaxError);
    expect(() => read(archive, 100)).toThrow(message);
  });

  it('a flipped bit in a header is seen, unless it changes how the checksum itself is filled', () => {
    const archive = tarOf({ path: 'some/name', body: 'x', prefix: 'a', link: 'l' });
    for (let bit = 0; bit < 512 * 8; bit += 1) {
      const changed = Buffer.from(archive);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      if (bit >> 3 < 148 || bit >> 3 > 155)
        expect(() => read(changed), `bit ${bit}`).toThrow(TarSyntaxError);
    }
  });

  it('whatever the bytes, an archive or the error of one', () => {
    const archive = tarOf(
      { path: 'p', type: 'x', body: paxRecord('path', 'x'.repeat(300)) },
      { path: 'f', body: 'contents' },
      { path: 'l', type: 'L', body: 'name\0' },
      { path: 'g', magic: 'gnu' },
    );
    const edits = fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(edits, fc.integer({ min: 1, max: 2000 }), (changes, step) => {
        const changed = Buffer.from(archive);
        for (const [at, byte] of changes) changed[at] = byte;
        try {
          read(changed, step);
        } catch (reason) {
          expect(reason).toBeInstanceOf(TarSyntaxError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
