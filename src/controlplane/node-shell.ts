// A way to run commands as root on a control-plane host from elsewhere: through a debug pod, or by ssh. It carries streams
// and exit codes; what is run is said by whoever uses it.

import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { EtcdkeepError } from '../base/errors.ts';

export interface RunningCommand {
  /** Undefined unless it was asked for. */
  readonly stdin: Writable | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The exit code, once all that was printed was read. Rejects if the connection ends before the command. */
  readonly exit: Promise<number>;
}

export interface NodeShell {
  /** How it gets there, in words: `a debug pod`, `ssh core@10.0.1.2`. */
  readonly way: string;
  /**
   * Starts a command as root, with the host's own root directory.
   * @param command program and arguments; no shell reads them
   * @throws EtcdkeepError where it cannot be started
   */
  run(command: readonly string[], options: { readonly hasStdin: boolean }): Promise<RunningCommand>;
}

export interface CommandOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a short command to its end.
 * @throws EtcdkeepError as `run`, and where the connection breaks
 */
export async function runToEnd(
  shell: NodeShell,
  command: readonly string[],
): Promise<CommandOutcome> {
  const running = await shell.run(command, { hasStdin: false });
  const [stdout, stderr, code] = await Promise.all([
    text(running.stdout),
    text(running.stderr),
    running.exit,
  ]);
  return { code, stdout, stderr };
}

/** The same, of a script of sh. Its arguments are `$1` and on. */
export function shellScript(script: string, ...args: readonly string[]): string[] {
  return ['/bin/sh', '-c', script, 'etcdkeep', ...args];
}

/**
 * The output of a command that has to succeed.
 * @param purpose what it is for, as in "cannot <purpose>"
 * @throws EtcdkeepError `node-command-failed`, and as `runToEnd`
 */
export async function demandOutput(
  shell: NodeShell,
  command: readonly string[],
  purpose: string,
): Promise<string> {
  const { code, stdout, stderr } = await runToEnd(shell, command);
  if (code === 0) return stdout;
  throw nodeCommandFailed(purpose, code, stderr);
}

/** As a shell has it: of a command that was killed, this and the signal's number. */
const KILLED = 128;

/** Whether it is said there, in the C library's words for ENOSPC. */
export function isDiskFull(words: string): boolean {
  return /no space left on device/i.test(words);
}

/** The error of a command on the node: `disk-full`, or `node-command-failed` with the last thing that it said. */
export function nodeCommandFailed(purpose: string, code: number, stderr: string): EtcdkeepError {
  if (isDiskFull(stderr)) {
    return new EtcdkeepError(
      'disk-full',
      `cannot ${purpose} on the node: no space is left on the file system`,
    );
  }
  const signal = Object.entries(constants.signals).find(([, number]) => KILLED + number === code);
  const said = stderr.trim().split('\n').at(-1) ?? '';
  const ended = said === '' ? `it ended with ${code}` : said;
  // What it said before that is not why.
  const words = signal === undefined ? ended : `it was killed by ${signal[0]}`;
  return new EtcdkeepError('node-command-failed', `cannot ${purpose} on the node: ${words}`);
}
