// What the demonstration says, and the commands that it shows.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ETCDKEEP = fileURLToPath(new URL('../../bin/etcdkeep', import.meta.url));

export const say = (text: string): void => console.error(text);

/**
 * Runs etcdkeep, and shows what it prints.
 * @param shown what a user would have typed
 * @throws Error if it fails
 */
export async function etcdkeep(args: readonly string[], shown: string): Promise<void> {
  say(`\n$ ${shown}`);
  const child = spawn(ETCDKEEP, args, { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`etcdkeep ${args[0]!} ended with ${code ?? 'a signal'}`);
}
