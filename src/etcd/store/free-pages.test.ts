// What is free is not read: most of a fragmented file, and the hole of a sparse one.
import { expect, it } from 'vitest';
import { readDatabase } from '../../../test/fixtures/databases/databases.ts';
import { bytesSource, sealMeta } from '../../bbolt/testing.ts';
import { readDatabaseStatus } from './database-status.ts';
import { readStore } from './read-store.ts';

const FREE = 64 * 1024 * 1024;

/** A database of a real tool whose high water mark is behind a stretch of free pages. */
function withFreePages(): Buffer {
  const bytes = Buffer.concat([readDatabase('nested'), Buffer.alloc(FREE)]);
  for (const meta of [bytes.subarray(0, 80), bytes.subarray(4096, 4096 + 80)]) {
    meta.writeBigUInt64LE(meta.readBigUInt64LE(56) + BigInt(FREE / 4096), 56);
    sealMeta(meta);
  }
  return bytes;
}

it('free pages at the end are passed over, and the answer is the same', async () => {
  const sound = await readDatabaseStatus(bytesSource(readDatabase('nested')));
  const bytes = withFreePages();
  const source = bytesSource(bytes);
  const status = await readDatabaseStatus(source);
  expect(status.hash).toBe(sound.hash);
  expect(status.pages).toBe(sound.pages + FREE / 4096);
  expect(source.bytesRead).toBeLessThan(FREE / 4);
});

it('they are read where all bytes are to be seen', async () => {
  const bytes = withFreePages();
  let seen = 0;
  await readStore(bytesSource(bytes), {
    seen: ({ length }) => {
      seen += length;
      return undefined;
    },
  });
  expect(seen).toBe(bytes.length);
});
