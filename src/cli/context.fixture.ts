// For tests: the outside world of a command, with a terminal or without, that keeps what is printed.

import { PassThrough, Readable } from 'node:stream';
import type { CommandContext, Output } from './context.ts';

/** Keeps what is written. */
export class FakeOutput implements Output {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number;

  constructor(isTTY = false, columns = 80) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  // A field, as a stream's may be called without its object.
  readonly write = (text: string): void => void (this.text += text);
}

export interface FakeWorld {
  readonly context: CommandContext;
  readonly stdout: FakeOutput;
  readonly stderr: FakeOutput;
}

export interface FakeOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly uid?: number;
  readonly askSecret?: CommandContext['askSecret'];
  readonly ask?: CommandContext['ask'];
}

/** A world of root's, without a terminal and without variables unless they are given. */
export function fakeWorld(options: FakeOptions = {}): FakeWorld {
  const { env = {}, isTTY = false, columns, uid = 0, askSecret, ask } = options;
  const stdout = new FakeOutput(isTTY, columns);
  const stderr = new FakeOutput(isTTY, columns);
  const context: CommandContext = {
    process: { stdout, stderr, env },
    pipes: { stdin: Readable.from([]), stdout: new PassThrough() },
    uid,
    now: () => new Date(),
    signal: new AbortController().signal,
    askSecret,
    ask,
  };
  return { context, stdout, stderr };
}
