// A node that is reached by the system's own ssh, with all of its configuration: keys, jump hosts, known hosts. The user
// has to become root there by sudo without a password, or be root.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { EtcdkeepError, systemCodeOf } from '../base/errors.ts';
import {
  leftBehindWords,
  MAKE_DIRECTORY,
  NODE_DIRECTORIES,
  PATIENCE_SECONDS,
  REMOVE_DIRECTORY,
} from './node-directory.ts';
import {
  type CommandOutcome,
  type NodeShell,
  nodeCommandFailed,
  type RunningCommand,
  runToEnd,
  shellScript,
} from './node-shell.ts';

export interface SshOptions {
  /** As ssh takes it: `core@10.0.1.2`, or a name of ~/.ssh/config. */
  readonly destination: string;
  /** Hears what is left when it could not be removed. */
  readonly leftBehind: (words: string) => void;
  readonly signal: AbortSignal;
  /** For tests: how long the directory outlives its client. */
  readonly patienceSeconds?: number;
}

/** What ssh itself ends with when it has failed (ssh(1), EXIT STATUS). */
const SSH_FAILED = 255;

/** A connection that has gone silent ends after it. */
const KEEP_ALIVE = ['-o', 'ServerAliveInterval=10', '-o', 'ServerAliveCountMax=3'];

/** Watches over the directory `$1` until it is told that all is done, or `$2` seconds after nobody can tell it any more. */
const HOLD = `
${REMOVE_DIRECTORY}
${MAKE_DIRECTORY}
echo held
read -r word
[ "$word" = done ] || sleep "$2"
remove "$1"
`;

export class SshShell implements NodeShell, AsyncDisposable {
  readonly way: string;
  /** On the host, from `hold` on; removed at the end. */
  readonly directory = `${NODE_DIRECTORIES}/ssh-${randomBytes(3).toString('hex')}`;
  readonly #options: SshOptions;
  #holder: RunningCommand | undefined;

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

  /**
   * Makes the directory, which goes with this shell, or some time after whoever has it is gone.
   * @throws EtcdkeepError `ssh-failed`, `node-command-failed`; the signal's reason
   */
  async hold(): Promise<void> {
    const { patienceSeconds = PATIENCE_SECONDS } = this.#options;
    const command = shellScript(HOLD, this.directory, String(patienceSeconds));
    const holder = await this.run(command, { hasStdin: true });
    holder.stderr.resume();
    const ended = holder.exit.then((code) => {
      throw nodeCommandFailed(`make ${this.directory}`, code, '');
    });
    // Its first word says that the directory is there.
    await Promise.race([once(holder.stdout, 'data'), ended]);
    this.#holder = holder;
  }

  /** If it cannot be removed that is no error: it goes by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#holder === undefined) return;
    this.#holder.stdin!.end('done\n');
    const isGone = await this.#remove().then(
      ({ code }) => code === 0,
      () => false,
    );
    if (!isGone) this.#options.leftBehind(leftBehindWords(`${this.directory} on the host`));
  }

  /** Also when the connection that has held it is gone, and all else was told to stop. */
  #remove(): Promise<CommandOutcome> {
    const anyway = new AbortController().signal;
    const shell = {
      way: this.way,
      run: (command: readonly string[]) => this.#start(command, false, anyway),
    };
    return runToEnd(shell, shellScript(`${REMOVE_DIRECTORY}\nremove "$1"`, this.directory));
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
    const why = said.trim().split('\n').at(-1)!.replace(/\.$/, '') || 'the connection ended';
    throw new EtcdkeepError('ssh-failed', `cannot reach ${this.#options.destination}: ${why}`);
  }
}

/** ssh gives a text to the user's shell there. */
function asRoot(command: readonly string[]): string {
  const words = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  return `if [ "$(id -u)" = 0 ]; then exec ${words}; else exec sudo -n -- ${words}; fi`;
}
