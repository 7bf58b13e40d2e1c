// What tests run beside etcd: programs, and directories full of them, that are found in the cache or on the PATH, or made once
// and kept in the cache.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../src/base/errors.ts';
import { cacheDirectory, fillCache, isExecutable, reasonFile, rememberReason } from './cache.ts';
import { findOnPath } from './processes.ts';

/** A program or a directory, and how it is come by. */
export interface Part {
  readonly name: string;
  readonly version: string;
  /** Whether a program that is installed here is this one. Without it none on the PATH will do. */
  readonly isThis?: (installed: string) => Promise<boolean>;
  /** Makes it, by its name, in a directory. Throws an Error with the reason. */
  readonly make: (directory: string) => Promise<void>;
  /** As in "from a build of its Go modules". */
  readonly maker: string;
}

/** Where it is, or one sentence that says why it cannot be had. */
export type FoundPart =
  | { readonly path: string; readonly source: string }
  | { readonly reason: string };

/** A part, if it is there already. Takes milliseconds and makes nothing. */
export async function findPart(part: Part): Promise<FoundPart> {
  const path = cached(part);
  if (await isExecutable(path)) return { path, source: 'the cache' };
  const installed = part.isThis === undefined ? undefined : findOnPath(part.name);
  if (installed !== undefined && (await part.isThis!(installed))) {
    return { path: installed, source: 'the PATH' };
  }
  const reason = await readFile(reasonFile(place(part)), 'utf8').catch(() => undefined);
  return { reason: reason?.trim() ?? 'it was not prepared (test/servers/prepare.ts)' };
}

/** A part, made if need be. */
export async function preparePart(part: Part): Promise<FoundPart> {
  const found = await findPart(part);
  if ('path' in found) return found;
  const filled = fillCache(join(cacheDirectory(), place(part)), part.make);
  const reason = await filled.then(() => undefined, messageOf);
  await rememberReason(place(part), reason);
  return reason === undefined ? { path: cached(part), source: part.maker } : { reason };
}

function place({ name, version }: Part): string {
  return `${name}-${version}`;
}

function cached(part: Part): string {
  return join(cacheDirectory(), place(part), part.name);
}
