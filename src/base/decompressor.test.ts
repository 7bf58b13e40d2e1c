import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type Compression, CompressionError, compressionOf, Decompressor } from './decompressor.ts';

const PLAIN = Buffer.concat([randomBytes(70_000), Buffer.alloc(300_000), randomBytes(5)]);
const PACKED: Readonly<Record<Compression, Buffer>> = {
  gzip: execFileSync('gzip', ['-c'], { input: PLAIN }),
  // As zstd(1) does it unless told otherwise: with a checksum.
  zstd: zstdCompressSync(PLAIN, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
};
const BOTH = Object.keys(PACKED) as Compression[];

async function unpack(bytes: Buffer, compression: Compression, step = 65_536): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const decompressor = new Decompressor(compression, (piece) => pieces.push(Buffer.from(piece)));
  try {
    for (let at = 0; at < bytes.length; at += step) {
      await decompressor.write(bytes.subarray(at, at + step));
    }
    await decompressor.end();
  } catch (reason) {
    throw Object.assign(reason as Error, { before: Buffer.concat(pieces) });
  } finally {
    decompressor.close();
  }
  return Buffer.concat(pieces);
}

describe('compressionOf', () => {
  it.each(BOTH)('knows %s', (name) =>
    expect(compressionOf(PACKED[name].subarray(0, 4))).toBe(name),
  );

  it.each([
    ['', undefined],
    ['\x1f', undefined],
    ['SQLi', undefined],
    ['\x28\xb5\x2f', undefined],
  ])('knows nothing of %j', (text, expected) =>
    expect(compressionOf(Buffer.from(text, 'latin1'))).toBe(expected),
  );
});

describe.each(BOTH)('Decompressor of %s', (name) => {
  const packed = PACKED[name];

  it.each([1 << 20, 65_536, 1000, packed.length - 1, packed.length])(
    'takes it in pieces of %i bytes',
    async (step) => expect((await unpack(packed, name, step)).equals(PLAIN)).toBe(true),
  );

  it.each([1 << 20, 777, packed.length, packed.length + 1, packed.length + 2])(
    'goes on with a second stream behind the first, in pieces of %i bytes',
    async (step) => {
      const twice = await unpack(Buffer.concat([packed, packed]), name, step);
      expect(twice.equals(Buffer.concat([PLAIN, PLAIN]))).toBe(true);
    },
  );

  it.each([1, 2, 3, 4, 100, 100_000])(
    '%i bytes behind the end are told, after all else',
    async (more) => {
      const junk = Buffer.alloc(more, 'junk');
      for (const step of [1 << 20, packed.length, packed.length + 1, 500]) {
        const ending = unpack(Buffer.concat([packed, junk]), name, step);
        await expect(ending).rejects.toMatchObject({ kind: 'trailing', offset: packed.length });
        const { before } = (await ending.catch((reason: unknown) => reason)) as { before: Buffer };
        expect(before.equals(PLAIN)).toBe(true);
      }
    },
  );

  it('a beginning of it is truncated, wherever it is cut', async () => {
    const lengths = [
      0,
      1,
      2,
      3,
      4,
      5,
      9,
      10,
      17,
      18,
      ...Array.from({ length: 60 }, (_, n) => n * 1150),
    ];
    for (const length of [...lengths, packed.length - 1, packed.length - 4]) {
      const reason: unknown = await unpack(packed.subarray(0, length), name).catch(
        (caught: unknown) => caught,
      );
      expect(reason, `cut at ${length}`).toBeInstanceOf(CompressionError);
      expect((reason as CompressionError).kind).toBe('truncated');
    }
  });

  it('something else is damaged', async () => {
    await expect(unpack(randomBytes(3000).fill('x', 0, 4), name)).rejects.toMatchObject({
      kind: 'damaged',
      offset: 0,
    });
  });

  it('a flipped bit in the middle is damage', async () => {
    const changed = Buffer.from(packed);
    changed[30_000]! ^= 4;
    await expect(unpack(changed, name)).rejects.toMatchObject({ kind: 'damaged' });
  });

  it('what the taker throws comes out, and nothing more goes in', async () => {
    const reason = new Error('enough');
    let taken = 0;
    const bomb =
      name === 'gzip' ? gzipSync(Buffer.alloc(64 << 20)) : zstdCompressSync(Buffer.alloc(64 << 20));
    const decompressor = new Decompressor(name, (piece) => {
      taken += piece.length;
      if (taken > 1 << 20) throw reason;
    });
    await expect(decompressor.write(bomb)).rejects.toBe(reason);
    expect(taken).toBeLessThan(2 << 20);
    decompressor.close();
  });
});

describe('zeros behind the end', () => {
  const zeros = Buffer.alloc(5000);

  it.each([1 << 20, PACKED.gzip.length, 500])(
    'are padding of gzip, in pieces of %i bytes',
    async (step) => {
      const padded = Buffer.concat([PACKED.gzip, zeros]);
      execFileSync('gzip', ['-t'], { input: padded });
      expect((await unpack(padded, 'gzip', step)).equals(PLAIN)).toBe(true);
    },
  );

  it('but not with something behind them', async () => {
    const padded = Buffer.concat([PACKED.gzip, zeros, PACKED.gzip]);
    await expect(unpack(padded, 'gzip', 700)).rejects.toMatchObject({ kind: 'trailing' });
  });

  it('and not of zstd, which zstd(1) says of them too', async () => {
    const padded = Buffer.concat([PACKED.zstd, zeros]);
    await expect(unpack(padded, 'zstd')).rejects.toMatchObject({ kind: 'trailing' });
  });
});
