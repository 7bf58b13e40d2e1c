// Guards a directory: after whatever happened, it is as it was.
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';

/** Every name below a directory, hidden ones included, with what is known of it. */
export async function listingOf(directory: string): Promise<Record<string, string>> {
  const names = (await readdir(directory, { recursive: true })).sort();
  const entries = await Promise.all(
    names.map(async (name) => [name, await describeEntry(join(directory, name))] as const),
  );
  return Object.fromEntries(entries);
}

/** SHA-256 of every file below a directory, by its name. */
export async function digestsOf(directory: string): Promise<Record<string, string>> {
  const listing = Object.entries(await listingOf(directory));
  const files = listing.flatMap(([name, what]) => {
    const digest = /, ([0-9a-f]{64})$/.exec(what)?.[1];
    return digest === undefined ? [] : [[name, digest] as const];
  });
  return Object.fromEntries(files);
}

async function describeEntry(path: string): Promise<string> {
  const found = await lstat(path, { bigint: true });
  const mode = (found.mode & 0o7777n).toString(8);
  // A directory's own time changes with what comes and goes in it.
  if (!found.isFile()) return `mode ${mode}`;
  const digest = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  return `mode ${mode}, inode ${found.ino}, modified ${found.mtimeNs}, ${digest}`;
}

/**
 * Does something, and expects a directory to be as it was before: the same names and in them the
 * same bytes, with the same modes and modification times.
 * @returns what the action returns
 */
export async function untouched<T>(directory: string, action: () => Promise<T>): Promise<T> {
  const before = await listingOf(directory);
  const result = await action();
  expect(await listingOf(directory)).toEqual(before);
  return result;
}
