// Runs etcdkeep as its users do: bin/etcdkeep as a process of its own, with pipes for its output.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import type { CommandResult } from '../servers/command.ts';
import { cleanEnvironment } from '../servers/processes.ts';

/** test/executable/ runs the same tests with what is installed. */
export const ETCDKEEP =
  process.env.ETCDKEEP_PROGRAM ?? fileURLToPath(new URL('../../bin/etcdkeep', import.meta.url));

const RUN_TIMEOUT_MS = 50_000;
const WAIT_MS = 50_000;

export interface RunOptions {
  readonly cwd?: string;
  /** Added to an environment without any variable of etcd's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Runs as this user and group; as this one's own if left out. */
  readonly uid?: number;
  /** After which it is killed, if not after the usual time. */
  readonly timeoutMs?: number;
  /** What stands before its command line. */
  readonly launcher?: readonly string[];
}

/** A run that is still under way. */
export class CliRun {
  /** Code, stdout and stderr; 128 + signal number if a signal ended it. */
  readonly outcome: Promise<CommandResult>;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.outcome = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        // Only SIGKILL can end it as a signal: the others are answered with a code.
        const exit = code ?? (signal === 'SIGKILL' ? 137 : -1);
        resolve({ code: exit, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Waits for a condition of this run, as that it has printed something. */
  async waitUntil(condition: () => boolean | Promise<boolean>): Promise<void> {
    const check = async (): Promise<void> => {
      if (!(await condition())) throw new Error(`not yet: ${this.#stdout}${this.#stderr}`);
    };
    await vi.waitFor(check, { timeout: WAIT_MS, interval: 5 });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal, and waits for the end. */
  end(signal: NodeJS.Signals): Promise<CommandResult> {
    this.signal(signal);
    return this.outcome;
  }

  /** From now on, nobody reads what it prints. */
  stopReading(): void {
    this.#child.stdout!.destroy();
    this.#child.stderr!.destroy();
  }
}

/** Starts it, with its stdin closed. */
export function startCli(args: readonly string[], options: RunOptions = {}): CliRun {
  return startProgram(ETCDKEEP, args, options);
}

/** The same for another program. */
export function startProgram(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): CliRun {
  const { uid, cwd } = options;
  const [file, ...rest] = [...(options.launcher ?? []), program, ...args];
  const child = spawn(file!, rest, {
    cwd,
    env: { ...cleanEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? RUN_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    ...(uid !== undefined && { uid, gid: uid }),
  });
  return new CliRun(child);
}

/** Runs it to its end. */
export function runCli(args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  return startCli(args, options).outcome;
}
