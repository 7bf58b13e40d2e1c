// For tests: a shell whose host is this machine, without anything in between.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { NodeShell, RunningCommand } from './node-shell.ts';

export interface LocalShellOptions {
  readonly env?: NodeJS.ProcessEnv;
}

/** Each command is a process of its own here, as the user that runs the tests. */
export class LocalShell implements NodeShell {
  readonly way = 'this machine';
  readonly #env: NodeJS.ProcessEnv;

  constructor({ env = process.env }: LocalShellOptions = {}) {
    this.#env = env;
  }

  async run(
    [program, ...args]: readonly string[],
    { hasStdin }: { readonly hasStdin: boolean },
  ): Promise<RunningCommand> {
    const child = spawn(program!, args, {
      stdio: [hasStdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      env: this.#env,
    });
    const exit = once(child, 'close').then(([code]) => Number(code ?? 1));
    await once(child, 'spawn');
    return { stdin: child.stdin ?? undefined, stdout: child.stdout!, stderr: child.stderr!, exit };
  }
}
