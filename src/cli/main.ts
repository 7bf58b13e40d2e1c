// The process: its streams, its signals, its exit code.

import { isatty } from 'node:tty';
import { EtcdkeepError } from '../base/errors.ts';
import type { CommandContext, Output } from './context.ts';
import { VERSION } from './version.ts';

/** stricli's own codes are negative: every one of them is about the command line. */
const USAGE_EXIT_CODE = 2;
const DEFAULT_COLUMNS = 80;

function outputOf(stream: NodeJS.WriteStream & { fd: 1 | 2 }): Output {
  const isTTY = isatty(stream.fd);
  // Whoever reads may be gone (`| head -1`, a full disk): a backup goes on, and cleans up, all the same.
  stream.on('error', () => undefined);
  return {
    write: (text) => void stream.write(text),
    isTTY,
    columns: isTTY ? stream.columns : DEFAULT_COLUMNS,
  };
}

/** The first signal asks the command to clean up and end; a second one ends the process. */
function stopOnSignals(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () =>
    controller.abort(new EtcdkeepError('interrupted', 'stopped by SIGINT')),
  );
  // SIGHUP is a lost ssh session: the backup ends as cleanly as if it had been told to.
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () =>
      controller.abort(new EtcdkeepError('terminated', `stopped by ${signal}`)),
    );
  }
  return controller.signal;
}

async function askSecret(prompt: string, signal: AbortSignal): Promise<string> {
  const { Writable } = await import('node:stream');
  process.stderr.write(prompt);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await question('', silent, 'stopped at the question for the password', signal);
  } finally {
    process.stderr.write('\n');
  }
}

async function askAloud(prompt: string, signal: AbortSignal): Promise<string> {
  try {
    return await question(prompt, process.stderr, 'stopped at the question', signal);
  } catch (reason) {
    // What is said next has a line of its own.
    process.stderr.write('\n');
    throw reason;
  }
}

async function question(
  prompt: string,
  output: NodeJS.WritableStream,
  ifStopped: string,
  signal: AbortSignal,
): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const readline = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await readline.question(prompt, { signal });
  } catch {
    signal.throwIfAborted();
    // While readline reads keys, Ctrl-C and Ctrl-D are two of them, and no signal is sent.
    throw new EtcdkeepError('interrupted', ifStopped);
  } finally {
    readline.close();
  }
}

function outsideWorld(): CommandContext {
  const signal = stopOnSignals();
  const hasTerminal = isatty(0) && isatty(2);
  return {
    process: {
      stdout: outputOf(process.stdout),
      stderr: outputOf(process.stderr),
      env: process.env,
    },
    uid: process.geteuid?.() ?? 0,
    now: () => new Date(),
    signal,
    askSecret: hasTerminal ? (prompt) => askSecret(prompt, signal) : undefined,
    ask: hasTerminal ? (prompt) => askAloud(prompt, signal) : undefined,
  };
}

/** @returns the exit code */
async function main(words: readonly string[]): Promise<number> {
  if (words.length === 1 && words[0] === '--version') {
    // Needs none of what is loaded below.
    outputOf(process.stdout).write(`${VERSION}\n`);
    return 0;
  }
  const context = outsideWorld();
  const { run } = await import('@stricli/core');
  const { appFor } = await import('./app.ts');
  const { flagsLast } = await import('./argv.ts');
  const ordered = flagsLast(words);
  await run(await appFor(ordered), ordered, context);
  const exitCode = Number(context.process.exitCode ?? 0);
  return exitCode < 0 ? USAGE_EXIT_CODE : exitCode;
}

// Until the command has ended: a process that runs out of work before is no success.
process.exitCode = 1;
// Not awaited: the script of an executable is CommonJS, which knows no await outside of functions (scripts/build/).
void main(process.argv.slice(2)).then((exitCode) => (process.exitCode = exitCode));
