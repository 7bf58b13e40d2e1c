import { describe, expect, it } from 'vitest';
import { readMeta } from './meta.ts';
import { bytesSource, database, leafPage, metaPage, sealMeta } from './testing.ts';

const sound = (pageSize = 1024): Buffer => database([leafPage(2, [])], { pageSize });

/** The database with bytes of its meta pages changed, and their checksums made right again. */
function resealed(change: (meta: Buffer) => void): Buffer {
  const bytes = sound();
  for (const page of [0, 1]) {
    const meta = bytes.subarray(page * 1024, page * 1024 + 80);
    change(meta);
    sealMeta(meta);
  }
  return bytes;
}

const read = (bytes: Buffer) => readMeta(bytesSource(bytes));

describe('readMeta', () => {
  it('takes the meta page with the higher transaction id', async () => {
    expect(await read(sound())).toEqual({
      page: 0,
      pageSize: 1024,
      pages: 3,
      root: 2,
      freelist: undefined,
      txid: 8n,
    });
    const bytes = sound();
    metaPage(1, { pageSize: 1024, root: 2n, freelist: 2n, pages: 3n, txid: 9n }).copy(bytes, 1024);
    expect(await read(bytes)).toMatchObject({ page: 1, txid: 9n, freelist: 2 });
  });

  it.each(Array.from({ length: 15 }, (_, index) => 1024 << index))(
    'meta page 0 is damaged, pages are of %d bytes',
    async (pageSize) => {
      const bytes = sound(pageSize);
      bytes[20]! ^= 1;
      expect(await read(bytes)).toMatchObject({ page: 1, pageSize, txid: 7n });
    },
  );

  it('meta page 1 is damaged', async () => {
    const bytes = sound();
    bytes[1024 + 50]! ^= 1;
    expect(await read(bytes)).toMatchObject({ page: 0 });
  });

  it.each([
    ['empty', Buffer.alloc(0), 'the file ends'],
    ['of 79 bytes', sound().subarray(0, 79), 'the file ends'],
    ['text', Buffer.alloc(5000, 'no database'), 'the magic number is wrong'],
    ['of another format version', resealed((meta) => meta.writeUInt32LE(3, 20)), 'version'],
    [
      'damaged in both meta pages',
      (() => {
        const bytes = sound();
        bytes[40]! ^= 1;
        bytes[1024 + 40]! ^= 1;
        return bytes;
      })(),
      'the checksum is wrong',
    ],
    ['of pages of 0 bytes', resealed((meta) => meta.writeUInt32LE(0, 24)), 'pages of 0 bytes'],
    ['of odd pages', resealed((meta) => meta.writeUInt32LE(1025, 24)), 'pages of 1025 bytes'],
    ['of huge pages', resealed((meta) => meta.writeUInt32LE(2 ** 31, 24)), 'pages of 2147483648'],
    ['of no sane size', resealed((meta) => meta.writeBigUInt64LE(2n ** 63n, 56)), 'which no'],
    ['truncated', sound().subarray(0, 3071), 'the file ends at 3071 of 3072 bytes'],
    ['of other pages', resealed((meta) => meta.writeUInt16LE(2, 8)), 'page 0 is not the meta page'],
    ['of shifted pages', resealed((meta) => meta.writeUInt16LE(5, 0)), 'page 0 is not the meta'],
  ])('the file is %s', async (_, bytes, message) => {
    await expect(read(bytes)).rejects.toMatchObject({
      code: 'database-damaged',
      message: expect.stringContaining(message) as unknown,
    });
  });
});
