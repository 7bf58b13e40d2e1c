import { describe, expect, it, vi } from 'vitest';
import { RateLimit } from './rate-limit.ts';

/** A limit of 1000 bytes a second, and its clock. */
function limit(): { rate: RateLimit; pass: (milliseconds: number) => void } {
  let now = 5000;
  return { rate: new RateLimit(1000, () => now), pass: (milliseconds) => (now += milliseconds) };
}

describe('RateLimit', () => {
  it('lets a tenth of a second of the rate through at once', () => {
    const { rate } = limit();
    expect(rate.take(60)).toBe(0);
    expect(rate.take(40)).toBe(0);
    expect(rate.take(1)).toBe(101);
  });

  it('waits until what went through is paid for', () => {
    const { rate, pass } = limit();
    expect(rate.take(2000)).toBe(2000);
    pass(2000);
    expect(rate.take(100)).toBe(0);
    pass(50);
    expect(rate.take(100)).toBe(150);
  });

  it('saves nothing up while nothing goes through', () => {
    const { rate, pass } = limit();
    pass(60_000);
    expect(rate.take(500)).toBe(500);
  });

  it('keeps the rate over any length of time', () => {
    const { rate, pass } = limit();
    let passed = 0;
    for (let chunk = 0; chunk < 100; chunk += 1) {
      const wait = rate.take(77);
      pass(wait);
      passed += wait;
    }
    expect(passed).toBeGreaterThan(7700 - 101);
    expect(passed).toBeLessThanOrEqual(7700);
  });
});

describe('RateLimit.sleep', () => {
  it('waits for the time and for the other one', async () => {
    vi.useFakeTimers();
    try {
      const other = Promise.withResolvers<undefined>();
      const done = vi.fn();
      void RateLimit.sleep(1000, other.promise).then(done);
      await vi.advanceTimersByTimeAsync(5000);
      expect(done).not.toHaveBeenCalled();
      other.resolve(undefined);
      await vi.advanceTimersByTimeAsync(0);
      expect(done).toHaveBeenCalled();

      const late = vi.fn();
      void RateLimit.sleep(1000, Promise.resolve()).then(late);
      await vi.advanceTimersByTimeAsync(999);
      expect(late).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1);
      expect(late).toHaveBeenCalled();
    } finally {
      vi.useRealTimers();
    }
  });

  it('fails at once if the other one does', async () => {
    const failed = Promise.reject(new Error('disk full'));
    await expect(RateLimit.sleep(60_000, failed)).rejects.toThrow('disk full');
  });

  it('keeps no process alive', () => {
    const timers = (): number =>
      process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    void RateLimit.sleep(60_000, undefined);
    expect(timers()).toBe(before);
  });
});
