// bbolt's own command, which checks a database and compacts it: found in the cache or on the PATH, or built
// from its published Go module.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../src/base/errors.ts';
import { cacheDirectory, fillCache, isExecutable, reasonFile, rememberReason } from './cache.ts';
import { type CommandResult, lastLine, runCommand } from './command.ts';
import { removeTemporaryDirectory, temporaryDirectory } from './directories.ts';
import { canBuild } from './go-build.ts';
import { findOnPath } from './processes.ts';

export const BBOLT_VERSION = '1.4.3';

const NAME = `bbolt-${BBOLT_VERSION}`;
const MODULE = 'go.etcd.io/bbolt';

/** Far beyond the few seconds that it takes. */
const BUILD_TIMEOUT_MS = 5 * 60_000;

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
    await writeFile(
      join(scratch, 'go.mod'),
      `module etcdkeep.test/servers\n\ngo 1.24\n\nrequire ${MODULE} v${BBOLT_VERSION}\n`,
    );
    await fillCache(join(cacheDirectory(), NAME), async (directory) => {
      const output = join(directory, 'bbolt');
      const program = `${MODULE}/cmd/bbolt`;
      // -mod=mod lets go add the indirect requirements and go.sum by itself.
      const flags = ['-mod=mod', '-trimpath', '-ldflags', '-s -w', '-o', output, program];
      const { code, stderr } = await runCommand('go', ['build', ...flags], {
        cwd: scratch,
        env: { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false', GOWORK: 'off' },
        timeoutMs: BUILD_TIMEOUT_MS,
      });
      if (code !== 0) throw new Error(`go build ${program} failed: ${lastLine(stderr)}`);
    });
  } finally {
    removeTemporaryDirectory(scratch);
  }
}
