// bbolt's own command, which checks a database and compacts it: found in the cache or on the PATH, or built
// from its published Go module.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../src/base/errors.ts';
import { cacheDirectory, fillCache, isExecutable, reasonFile, rememberReason } from './cache.ts';
import { type CommandResult, runCommand } from './command.ts';
import { removeTemporaryDirectory, temporaryDirectory } from './directories.ts';
import { buildProgram, canBuild } from './go-build.ts';
import { findOnPath } from './processes.ts';

export const BBOLT_VERSION = '1.5.0';

const NAME = `bbolt-${BBOLT_VERSION}`;
const MODULE = 'go.etcd.io/bbolt';

/** The program, or one sentence that says why it cannot be had. */
export type FoundBbolt =
  | { readonly program: string; readonly source: string }
  | { readonly reason: string };

/** The program, if it is there already. Takes milliseconds and makes nothing. */
export async function findBbolt(): Promise<FoundBbolt> {
  if (await isExecutable(cached())) return { program: cached(), source: 'the cache' };
  const installed = findOnPath('bbolt');
  if (installed !== undefined) {
    const { stdout } = await runCommand(installed, ['version'], { timeoutMs: 10_000 });
    if (stdout.startsWith(`bbolt Version: ${BBOLT_VERSION}\n`)) {
      return { program: installed, source: 'the PATH' };
    }
  }
  const reason = await readFile(reasonFile(NAME), 'utf8').catch(() => undefined);
  return { reason: reason?.trim() ?? 'it was not prepared (test/servers/prepare.ts)' };
}

/** The program, built if need be. */
export async function prepareBbolt(): Promise<FoundBbolt> {
  const found = await findBbolt();
  if ('program' in found) return found;
  const reason = canBuild()
    ? await build().then(() => undefined, messageOf)
    : 'there is no go to build it with';
  await rememberReason(NAME, reason);
  if (reason !== undefined) return { reason };
  return { program: cached(), source: 'a build of its Go module' };
}

/** Runs it. Throws if it cannot be had. */
export async function runBbolt(args: readonly string[]): Promise<CommandResult> {
  const found = await findBbolt();
  if ('reason' in found) throw new Error(`bbolt cannot be had: ${found.reason}`);
  return await runCommand(found.program, args, { timeoutMs: 60_000 });
}

function cached(): string {
  return join(cacheDirectory(), NAME, 'bbolt');
}

async function build(): Promise<void> {
  const scratch = temporaryDirectory();
  try {
    await fillCache(join(cacheDirectory(), NAME), async (directory) => {
      const program = { module: MODULE, main: `${MODULE}/cmd/bbolt`, version: BBOLT_VERSION };
      await buildProgram(scratch, program, join(directory, 'bbolt'));
    });
  } finally {
    removeTemporaryDirectory(scratch);
  }
}
