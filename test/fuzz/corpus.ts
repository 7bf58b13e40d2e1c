// Inputs that failed once, a directory for each target: they are read again in every test run.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const CORPUS = join(import.meta.dirname, 'corpus');

/** What is kept of a target, by name. */
export function corpusOf(target: string): readonly (readonly [name: string, bytes: Buffer])[] {
  const directory = join(CORPUS, target);
  if (!existsSync(directory)) return [];
  return readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))] as const);
}
