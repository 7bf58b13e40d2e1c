// Everything of the outside world that a command touches comes in here, so that a test can run
// a command in its own process.

import type { Readable, Writable } from 'node:stream';
import type { StricliProcess } from '@stricli/core';

/** A stream of a terminal, a pipe or a test. */
export interface Output {
  write(text: string): void;
  readonly isTTY: boolean;
  readonly columns: number;
}

export interface CommandContext {
  readonly process: StricliProcess & {
    readonly stdout: Output;
    readonly stderr: Output;
    readonly env: Readonly<Partial<Record<string, string>>>;
  };
  /** The streams themselves, for what is no text. */
  readonly pipes: { readonly stdin: Readable; readonly stdout: Writable };
  /** Effective user id. */
  readonly uid: number;
  readonly now: () => Date;
  /** Aborted with an EtcdkeepError when the process is told to stop. */
  readonly signal: AbortSignal;
  /** Asks on the terminal without an echo; undefined where there is no terminal. */
  readonly askSecret: ((prompt: string) => Promise<string>) | undefined;
  /** The same with an echo. */
  readonly ask: ((prompt: string) => Promise<string>) | undefined;
}
