// bbolt's own command, which checks a database and compacts it.
import { type CommandResult, runCommand } from './command.ts';
import { goProgram } from './go-build.ts';
import { type FoundPart, findPart, type Part, preparePart } from './parts.ts';

export const BBOLT_VERSION = '1.5.0';

const MODULE = 'go.etcd.io/bbolt';

const BBOLT: Part = {
  ...goProgram('bbolt', { module: MODULE, main: `${MODULE}/cmd/bbolt`, version: BBOLT_VERSION }),
  isThis: async (installed) => {
    const { stdout } = await runCommand(installed, ['version'], { timeoutMs: 10_000 });
    return stdout.startsWith(`bbolt Version: ${BBOLT_VERSION}\n`);
  },
};

/** The program, if it is there already. */
export function findBbolt(): Promise<FoundPart> {
  return findPart(BBOLT);
}

/** The program, built if need be. */
export function prepareBbolt(): Promise<FoundPart> {
  return preparePart(BBOLT);
}

/** Runs it. Throws if it cannot be had. */
export async function runBbolt(args: readonly string[]): Promise<CommandResult> {
  const found = await findBbolt();
  if ('reason' in found) throw new Error(`bbolt cannot be had: ${found.reason}`);
  return await runCommand(found.path, args, { timeoutMs: 60_000 });
}
