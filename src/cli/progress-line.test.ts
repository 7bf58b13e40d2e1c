import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeOutput } from './context.fixture.ts';
import { ProgressLine } from './progress-line.ts';

const MB = 1_000_000;
const ERASE = '\r\x1b[K';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

/** A line on a terminal, and what it draws from one moment to the next. */
function terminalLine(columns = 200) {
  const output = new FakeOutput(true, columns);
  const line = new ProgressLine(output, true, Date.now);
  const drawnIn = (milliseconds: number): string => {
    output.text = '';
    vi.advanceTimersByTime(milliseconds);
    return output.text;
  };
  return { output, line, drawnIn };
}

/** Feeds 1 MB each 100 ms; returns the bytes so far. */
function transfer(line: ProgressLine, from: number, steps: number, totalBytes: number): number {
  let bytes = from;
  for (let step = 0; step < steps; step += 1) {
    bytes += MB;
    line.advance(bytes, totalBytes);
    vi.advanceTimersByTime(100);
  }
  return bytes;
}

describe('on a terminal', () => {
  it('nothing is drawn before something is shown', () => {
    const { drawnIn } = terminalLine();
    expect(drawnIn(10_000)).toBe('');
  });

  it('while no size is known, it counts the seconds', () => {
    const { line, drawnIn } = terminalLine();
    line.start('snapshot');
    expect(drawnIn(200)).toBe('\rsnapshot    0:01\x1b[K');
    vi.advanceTimersByTime(64_600);
    expect(drawnIn(200)).toBe('\rsnapshot    1:05\x1b[K');
  });

  it('size, bar, share, rate and time left', () => {
    const { line, drawnIn } = terminalLine();
    line.start('snapshot');
    transfer(line, 0, 20, 40 * MB);
    line.advance(21 * MB, 40 * MB);
    expect(drawnIn(200)).toBe(
      '\rsnapshot    40.0 MB  ████████████░░░░░░░░░░░░  52 %   9.09 MB/s   0:03 left\x1b[K',
    );
  });

  it('the rate is that of the last seconds', () => {
    const { line, drawnIn } = terminalLine();
    line.start('snapshot');
    // A slow minute, and then ten times as fast.
    let bytes = 0;
    for (let second = 0; second < 60; second += 1) {
      bytes += MB;
      line.advance(bytes, 1000 * MB);
      vi.advanceTimersByTime(1000);
    }
    transfer(line, bytes, 60, 1000 * MB);
    expect(drawnIn(200)).toMatch(/ 9\.\d\d MB\/s {3}1:3\d left/);
  });

  it('silence is told after two seconds, in place of a rate that is no more', () => {
    const { line, drawnIn } = terminalLine();
    line.start('snapshot');
    transfer(line, 0, 10, 40 * MB);
    vi.advanceTimersByTime(1400);
    expect(drawnIn(200)).toContain('left');
    vi.advanceTimersByTime(3000);
    expect(drawnIn(200)).toMatch(/25 % {3}nothing received for 0:05\x1b/);
  });

  it('a single number is no rate', () => {
    const { line, drawnIn } = terminalLine();
    line.start('snapshot');
    line.advance(MB, 2 * MB);
    expect(drawnIn(200)).toMatch(/50 %\x1b\[K$/);
  });

  it('all of it is 100 %', () => {
    const { line, drawnIn } = terminalLine();
    line.start('snapshot');
    transfer(line, 0, 10, 10 * MB);
    expect(drawnIn(200)).toMatch(/ █{24} 100 % /);
  });

  it('a database of nothing divides by nothing', () => {
    const { line, drawnIn } = terminalLine();
    line.start('snapshot');
    line.advance(0, 0);
    expect(drawnIn(200)).toMatch(/0 B {2}█{24} 100 %/);
  });

  it('is cut to the width of the terminal, so that it stays one line', () => {
    const { line, drawnIn } = terminalLine(40);
    line.start('snapshot');
    transfer(line, 0, 10, 40 * MB);
    expect(drawnIn(200)).toBe(`\r${'snapshot    40.0 MB  ██████░░░░░░░░░░░░'.slice(0, 39)}\x1b[K`);
  });

  it('what is shown next begins anew', () => {
    const { line, drawnIn } = terminalLine();
    line.start('snapshot');
    transfer(line, 0, 10, 40 * MB);
    line.start('archive');
    expect(drawnIn(200)).toBe('\rarchive     0:01\x1b[K');
  });

  it('is removed for other lines and drawn again below them', () => {
    const { output, line, drawnIn } = terminalLine();
    line.start('snapshot');
    drawnIn(200);
    output.text = '';
    line.clear();
    line.clear();
    expect(output.text).toBe(ERASE);
    expect(drawnIn(200)).toMatch(/^\rsnapshot/);
  });

  it('is removed at the end, and stays away', () => {
    const { output, line, drawnIn } = terminalLine();
    line.start('snapshot');
    drawnIn(200);
    output.text = '';
    line.stop();
    expect(output.text).toBe(ERASE);
    expect(drawnIn(10_000)).toBe('');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('without a terminal', () => {
  it('is a plain line each half minute', () => {
    const output = new FakeOutput();
    const line = new ProgressLine(output, false, Date.now);
    line.start('snapshot');
    transfer(line, 0, 100, 1000 * MB);
    expect(output.text).toBe('');
    line.advance(101 * MB, 1000 * MB);
    vi.advanceTimersByTime(20_000);
    expect(output.text).toMatch(/^snapshot {4}1\.00 GB {2}██░{22} +10 % {3}nothing .* 0:20\n$/);
    line.stop();
    expect(output.text).not.toContain('\x1b');
  });
});
