// What is written, as bbolt itself sees it: its check finds nothing, and it reads the same keys and values.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { anyDatabase, type Contents, writeDatabase } from '../../src/bbolt/testing-database.ts';
import { directoryForTest } from '../cli/scene.ts';
import { describeWithBbolt } from '../servers/for-vitest.ts';
import { readByBbolt } from './by-bbolt.ts';

describeWithBbolt('a database that is written', () => {
  it('is to bbolt what it is to us', async () => {
    const directory = directoryForTest();
    const options = fc.record({
      pageSize: fc.constantFrom(1024, 1024, 4096, 65_536),
      fillPercent: fc.constantFrom(0.5, 0.9, 1),
    });
    await fc.assert(
      fc.asyncProperty(anyDatabase, options, async (contents, writerOptions) => {
        const { bytes } = await writeDatabase(contents, writerOptions);
        expect(await readByBbolt(directory, bytes)).toEqual(contents);
      }),
      { numRuns: 60 },
    );
  });

  it.each([1024, 16 * 1024 * 1024])('in pages of %i bytes', async (pageSize) => {
    const bucket: Contents = new Map(
      Array.from({ length: 150_000 }, (_, index) => [
        index.toString().padStart(6, '0'),
        Buffer.alloc(index % 4),
      ]),
    );
    const contents: Contents = new Map([['b', bucket]]);
    const { bytes } = await writeDatabase(contents, { pageSize });
    expect(await readByBbolt(directoryForTest(), bytes)).toEqual(contents);
  });
});
