// Everything that takes bytes which somebody else wrote.
import type { Target } from '../target.ts';
import { ARCHIVES } from './archives.ts';
import { DATA_DIRECTORIES } from './data-directories.ts';
import { databases, largeDatabases } from './databases.ts';
import { MESSAGES } from './messages.ts';
import { storedObjects } from './objects.ts';
import { TEXTS } from './texts.ts';
import { words } from './words.ts';

export const TARGETS: readonly Target[] = [
  databases,
  largeDatabases,
  ...ARCHIVES,
  ...DATA_DIRECTORIES,
  ...MESSAGES,
  ...TEXTS,
  storedObjects,
  words,
];

/** @throws if there is none of that name */
export function targetOf(name: string): Target {
  const target = TARGETS.find((each) => each.name === name);
  if (target !== undefined) return target;
  throw new Error(`no target is called ${name}: ${TARGETS.map((each) => each.name).join(', ')}`);
}
