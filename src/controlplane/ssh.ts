// A node that is reached by the system's own ssh, with all of its configuration: keys, jump hosts, known hosts. The user
// has to become root there by sudo without a password, or be root.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { EtcdkeepError, systemCodeOf } from '../base/errors.ts';
import { type NodeShell, type RunningCommand, runToEnd, shellScript } from './node-shell.ts';

export interface SshOptions {
  /** As ssh takes it: `core@10.0.1.2`, or a name of ~/.ssh/config. */
  readonly destination: string;
  readonly signal: AbortSignal;
}

/** What ssh itself ends with when it has failed (ssh(1), EXIT STATUS). */
const SSH_FAILED = 255;

/** A connection that has gone silent ends after it. */
const KEEP_ALIVE = ['-o', 'ServerAliveInterval=10', '-o', 'ServerAliveCountMax=3'];

const DIRECTORIES = '/var/lib/etcdkeep/nodes';

export class SshShell implements NodeShell, AsyncDisposable {
  readonly way: string;
  /** On the host; removed at the end. */
  readonly directory = `${DIRECTORIES}/ssh-${randomBytes(3).toString('hex')}`;
  readonly #options: SshOptions;

  constructor(options: SshOptions) {
    this.#options = options;
    this.way = `ssh ${options.destination}`;
  }

  run(
    command: readonly string[],
    { hasStdin }: { readonly hasStdin: boolean },
  ): Promise<RunningCommand> {
    return this.#start(command, hasStdin, this.#options.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const anyway = new AbortController().signal;
    const shell = {
      way: this.way,
      run: (command: readonly string[]) => this.#start(command, false, anyway),
    };
    await runToEnd(shell, shellScript('rm -rf "$1"', this.directory)).catch(() => undefined);
  }

  async #start(
    command: readonly string[],
    hasStdin: boolean,
    signal: AbortSignal,
  ): Promise<RunningCommand> {
    signal.throwIfAborted();
    const { destination } = this.#options;
    const child = spawn(
      'ssh',
      ['-T', '-o', 'BatchMode=yes', ...KEEP_ALIVE, '--', destination, asRoot(command)],
      { stdio: [hasStdin ? 'pipe' : 'ignore', 'pipe', 'pipe'], signal },
    );
    await once(child, 'spawn').catch((reason: unknown) => {
      const why = systemCodeOf(reason) === 'ENOENT' ? 'there is no ssh' : 'ssh cannot be run';
      throw new EtcdkeepError('ssh-failed', `cannot reach ${destination}: ${why}`, {
        cause: reason,
      });
    });
    child.on('error', () => undefined);
    const { stdin, stdout, stderr } = child;
    stdin?.on('error', () => undefined);
    const exit = this.#exitOf(child, signal);
    // Whoever waits for the exit hears of it; nobody has to.
    exit.catch(() => undefined);
    return { stdin: stdin ?? undefined, stdout: stdout!, stderr: stderr!, exit };
  }

  async #exitOf(child: ChildProcess, signal: AbortSignal): Promise<number> {
    let said = '';
    child.stderr!.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
    // An abort is an error of the child's first, and its end after that.
    const code = await new Promise<number | null>((resolve) => void child.once('close', resolve));
    signal.throwIfAborted();
    if (code !== null && code !== SSH_FAILED) return code;
    const why = said.trim().split('\n').at(-1) || 'the connection ended';
    throw new EtcdkeepError('ssh-failed', `cannot reach ${this.#options.destination}: ${why}`);
  }
}

/** ssh gives a text to the user's shell there. */
function asRoot(command: readonly string[]): string {
  const words = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  return `if [ "$(id -u)" = 0 ]; then exec ${words}; else exec sudo -n -- ${words}; fi`;
}
