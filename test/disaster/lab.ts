// What every scenario works with: the node, the laptop's directory of backups, a clock for the phases, and a way to wait.
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandResult } from '../servers/command.ts';
import type { LayoutName } from '../servers/node/images.ts';
import type { ControlPlaneNode } from '../servers/node/node.ts';

export interface Lab {
  readonly node: ControlPlaneNode;
  readonly layout: LayoutName;
  /** On the laptop. */
  readonly backups: string;
  /** Aborted when the whole run is told to stop. */
  readonly signal: AbortSignal;
  readonly phases: Phases;
}

/** No time is demanded of anything: after so long it is not going to come. */
const LIMIT_MS = 10 * 60_000;
const INTERVAL_MS = 250;

/** The phases of one disaster, as they come, and what each took. */
export class Phases {
  readonly title: string;
  readonly seconds = new Map<string, number>();

  constructor(title: string) {
    this.title = title;
  }

  /** Does what is a phase, and says how long it took; a failure is told with its name. */
  async time<T>(name: string, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      const result = await work();
      const seconds = (performance.now() - start) / 1000;
      this.seconds.set(name, seconds);
      console.log(`${this.title.padEnd(TITLE_WIDTH)}  ${name.padEnd(16)} ${format(seconds)} s`);
      return result;
    } catch (reason) {
      throw new Error(`${this.title}, ${name}: ${messageOf(reason)}`, { cause: reason });
    }
  }
}

const TITLE_WIDTH = 24;

/** A column for each disaster, a row for each phase, in seconds. */
export function phasesTable(columns: readonly Phases[]): string {
  const names = [...new Set(columns.flatMap(({ seconds }) => [...seconds.keys()]))];
  const width = Math.max(...columns.map(({ title }) => title.length)) + 2;
  const row = (name: string, cells: readonly string[]): string =>
    `${name.padEnd(16)}${cells.map((cell) => cell.padStart(width)).join('')}`;
  const sums = columns.map(({ seconds }) => [...seconds.values()].reduce((a, b) => a + b, 0));
  return [
    row(
      'seconds',
      columns.map(({ title }) => title),
    ),
    ...names.map((name) =>
      row(
        name,
        columns.map(({ seconds }) => (seconds.has(name) ? format(seconds.get(name)!) : '-')),
      ),
    ),
    row('all', sums.map(format)),
  ].join('\n');
}

function format(seconds: number): string {
  return seconds.toFixed(1).padStart(6);
}

/**
 * Waits for a state.
 * @param look says what is seen instead; undefined when it is there. What it throws is what is seen.
 */
export async function until(
  what: string,
  { signal }: Lab,
  look: () => Promise<string | undefined>,
): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  for (;;) {
    signal.throwIfAborted();
    const seen = await look().catch(messageOf);
    if (seen === undefined) return;
    if (performance.now() > deadline) {
      throw new Error(`after ${LIMIT_MS / 60_000} minutes not ${what}: ${seen}`);
    }
    await sleep(INTERVAL_MS, undefined, { signal });
  }
}

/** Says that something does not hold. */
export function demand(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

/** A command that has to succeed. @returns what it printed */
export function succeeded(what: string, { code, stdout, stderr }: CommandResult): string {
  demand(code === 0, `${what} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

export function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
