// What a person sees. stdout is the answer, and never changes with the terminal; stderr is the
// telling: headings, progress, warnings, advice.

import { styleText } from 'node:util';
import { row } from './columns.ts';
import type { OutputFlags } from './common-flags.ts';
import type { CommandContext } from './context.ts';
import { errorDocument } from './error-screen.ts';
import { unknownVariables } from './etcd-flags.ts';
import { ProgressLine } from './progress-line.ts';

/**
 * Runs a command with a screen, and puts the screen away again. An error goes on to where exit
 * codes are made; with --output json it is a document too.
 */
export async function withScreen<T>(
  context: CommandContext,
  flags: OutputFlags,
  command: (screen: Screen) => Promise<T>,
): Promise<T> {
  const screen = new Screen(context, flags);
  try {
    for (const name of unknownVariables(context.process.env)) {
      screen.warn(`${name} is no variable of etcdctl's`);
    }
    return await command(screen);
  } catch (reason) {
    screen.document(errorDocument(reason));
    throw reason;
  } finally {
    screen.progress.stop();
  }
}

type Colour = 'green' | 'yellow' | 'red';

export class Screen {
  readonly progress: ProgressLine;
  readonly #context: CommandContext;
  readonly #flags: OutputFlags;

  constructor(context: CommandContext, flags: OutputFlags) {
    const { stderr, env } = context.process;
    const moving = stderr.isTTY && env['TERM'] !== 'dumb' && !flags.quiet;
    const output = flags.quiet ? { ...stderr, write: () => undefined } : stderr;
    this.#context = context;
    this.#flags = flags;
    this.progress = new ProgressLine(output, moving, () => performance.now());
  }

  /** A line of the answer, in the wording of the documented procedure. */
  answer(line: string): void {
    if (this.#flags.output === 'json') return;
    this.progress.clear();
    this.#context.process.stdout.write(`${line}\n`);
  }

  /** The whole answer as one document; 64-bit numbers must be strings by now. */
  document(value: unknown): void {
    if (this.#flags.output !== 'json') return;
    this.#context.process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
  }

  /** A noun on the left, a fact on the right. */
  tell(noun: string, fact: string): void {
    this.#print(row(noun, fact));
  }

  /** Goes on below the fact before. */
  tellMore(fact: string): void {
    this.#print(row('', fact));
  }

  /** A line of its own shape. */
  line(text: string): void {
    this.#print(text);
  }

  /** Something that is not as it should be, and does not stop the command. */
  warn(text: string): void {
    this.#print(row('warning', text).replace('warning', this.#colour('yellow', 'warning')));
  }

  /** An empty line. */
  blank(): void {
    this.#print('');
  }

  #print(line: string): void {
    if (this.#flags.quiet) return;
    this.progress.clear();
    this.#context.process.stderr.write(`${line}\n`);
  }

  /** A word of the answer that is a verdict, in its colour on a terminal. */
  verdict(word: string, colour: Colour): string {
    return this.#colour(colour, word, this.#context.process.stdout.isTTY);
  }

  #colour(
    colour: Colour,
    word: string,
    isTerminal: boolean = this.#context.process.stderr.isTTY,
  ): string {
    const { env } = this.#context.process;
    const coloured = isTerminal && env['TERM'] !== 'dumb' && (env['NO_COLOR'] ?? '') === '';
    return coloured ? styleText(colour, word, { validateStream: false }) : word;
  }
}
