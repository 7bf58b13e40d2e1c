// What bbolt itself says of a database, and reads from it.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openFileSource } from '../../src/bbolt/file-source.ts';
import { type Contents, readContents } from '../../src/bbolt/testing-database.ts';
import { runBbolt } from '../servers/bbolt.ts';

/** Has bbolt check a database, and copy it; what the copy holds is what bbolt read. */
export async function readByBbolt(directory: string, bytes: Uint8Array): Promise<Contents> {
  const [path, copy] = [join(directory, 'written.db'), join(directory, 'copy.db')];
  await writeFile(path, bytes);
  await rm(copy, { force: true });
  expect(await runBbolt(['check', path])).toMatchObject({ code: 0, stdout: 'OK\n' });
  const { code, stderr } = await runBbolt(['compact', '-o', copy, path]);
  expect(code, stderr).toBe(0);
  const source = openFileSource(copy);
  try {
    return await readContents(source);
  } finally {
    source.close();
  }
}
