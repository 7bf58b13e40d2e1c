// The one moving line of a terminal; without a terminal, a plain line now and then.

import { formatBytes, formatClock } from '../base/units.ts';
import { row } from './columns.ts';
import type { Output } from './context.ts';

const REDRAW_MS = 200;
const PLAIN_LINE_MS = 30_000;
const BAR_CELLS = 24;
/** The rate shown is that of this much time past. */
const RATE_WINDOW_MS = 3000;

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

/** Shows how far a transfer is, with its rate and the time left. */
export class ProgressLine {
  readonly #output: Output;
  readonly #moving: boolean;
  readonly #clock: () => number;
  readonly #timer: NodeJS.Timeout;
  #noun = '';
  #began = 0;
  #totalBytes: number | undefined;
  #samples: Sample[] = [];
  #shown = false;

  /**
   * @param moving whether the output understands a line that is drawn over itself
   * @param clock milliseconds that never go back
   */
  constructor(output: Output, moving: boolean, clock: () => number) {
    this.#output = output;
    this.#moving = moving;
    this.#clock = clock;
    this.#timer = setInterval(() => this.#draw(), moving ? REDRAW_MS : PLAIN_LINE_MS);
    this.#timer.unref();
  }

  /** Begins to show something else: a noun for the left column. */
  start(noun: string): void {
    this.#noun = noun;
    this.#began = this.#clock();
    this.#totalBytes = undefined;
    this.#samples = [];
  }

  advance(bytes: number, totalBytes: number): void {
    const at = this.#clock();
    this.#totalBytes = totalBytes;
    this.#samples = this.#samples.filter((sample) => at - sample.at <= RATE_WINDOW_MS);
    const last = this.#samples.at(-1);
    if (last === undefined || at - last.at >= REDRAW_MS / 2) this.#samples.push({ at, bytes });
    if (bytes === totalBytes) this.#samples.push({ at, bytes });
  }

  /** Removes the line, so that something else can be printed. */
  clear(): void {
    if (this.#shown) this.#output.write('\r\x1b[K');
    this.#shown = false;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.clear();
    this.#noun = '';
  }

  #draw(): void {
    if (this.#noun === '') return;
    const line = this.#line();
    if (!this.#moving) {
      this.#output.write(`${line}\n`);
      return;
    }
    this.#output.write(`\r${line.slice(0, Math.max(this.#output.columns - 1, 20))}\x1b[K`);
    this.#shown = true;
  }

  #line(): string {
    const newest = this.#samples.at(-1);
    const now = this.#clock();
    if (this.#totalBytes === undefined || newest === undefined) {
      return row(this.#noun, formatClock(now - this.#began));
    }
    const share = this.#totalBytes === 0 ? 1 : newest.bytes / this.#totalBytes;
    const percent = `${Math.floor(share * 100)} %`.padStart(5);
    const size = formatBytes(this.#totalBytes);
    return row(this.#noun, `${size}  ${this.#bar(share)} ${percent}${this.#pace(now)}`);
  }

  #bar(share: number): string {
    const full = Math.floor(share * BAR_CELLS);
    return '█'.repeat(full) + '░'.repeat(BAR_CELLS - full);
  }

  #pace(now: number): string {
    const oldest = this.#samples[0]!;
    const newest = this.#samples.at(-1)!;
    const silentMs = now - newest.at;
    if (silentMs > 2000) return `   nothing received for ${formatClock(silentMs)}`;
    const bytesPerMs = (newest.bytes - oldest.bytes) / (now - oldest.at);
    if (!(bytesPerMs > 0)) return '';
    const left = formatClock((this.#totalBytes! - newest.bytes) / bytesPerMs);
    return `   ${formatBytes(bytesPerMs * 1000)}/s   ${left} left`;
  }
}
