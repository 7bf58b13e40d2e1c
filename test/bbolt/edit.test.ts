// What is changed, as bbolt itself sees it, of databases that we wrote and that bbolt and etcd did.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bytesSource } from '../../src/bbolt/testing.ts';
import {
  anyChanges,
  anyDatabase,
  change,
  edit,
  readContents,
  writeDatabase,
} from '../../src/bbolt/testing-database.ts';
import { directoryForTest } from '../cli/scene.ts';
import { DATABASES, readDatabase } from '../fixtures/databases/databases.ts';
import { describeWithBbolt } from '../servers/for-vitest.ts';
import { readByBbolt } from './by-bbolt.ts';

describeWithBbolt('a database that is changed', () => {
  it('is to bbolt what it is to us', async () => {
    const directory = directoryForTest();
    await fc.assert(
      fc.asyncProperty(anyDatabase, anyChanges, async (contents, numbers) => {
        const { bytes } = await writeDatabase(contents, { pageSize: 1024 });
        const edited = await edit(bytes, change(contents, numbers));
        expect(await readByBbolt(directory, edited.bytes)).toEqual(contents);
      }),
      { numRuns: 60 },
    );
  });

  it.each(DATABASES)('and was the database %s', async (name) => {
    const directory = directoryForTest();
    let bytes: Uint8Array = readDatabase(name);
    const contents = await readContents(bytesSource(bytes));
    for (const numbers of fc.sample(anyChanges, { seed: 11, numRuns: 5 })) {
      ({ bytes } = await edit(bytes, change(contents, numbers)));
      expect(await readByBbolt(directory, bytes)).toEqual(contents);
    }
  });
});
