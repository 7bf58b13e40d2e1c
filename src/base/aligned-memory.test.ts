import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ALIGNMENT, AlignedMemory } from './aligned-memory.ts';

describe('AlignedMemory', () => {
  it('hands out regions that do not overlap', () => {
    const memory = new AlignedMemory();
    const first = memory.reserve(1);
    const second = memory.reserve(ALIGNMENT + 1);
    const third = memory.reserve(10);
    expect([first, second, third]).toEqual([ALIGNMENT, 2 * ALIGNMENT, 4 * ALIGNMENT]);
  });

  it('refuses what does not fit', () => {
    const memory = new AlignedMemory();
    memory.reserve(60 * 1024 * 1024);
    expect(() => memory.reserve(8 * 1024 * 1024)).toThrow(RangeError);
  });

  it('costs nothing until it is touched', () => {
    const before = process.memoryUsage.rss();
    const memories = Array.from({ length: 8 }, () => new AlignedMemory());
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
    expect(memories).toHaveLength(8);
  });

  it('can be written from with O_DIRECT', () => {
    // Beside the code and not under /tmp, which may be a tmpfs: that has no O_DIRECT.
    const directory = mkdtempSync(join(import.meta.dirname, 'aligned-memory-'));
    try {
      const memory = new AlignedMemory();
      const view = memory.view(memory.reserve(8192), 8192).fill(7);
      const path = join(directory, 'direct');
      const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_DIRECT);
      try {
        expect(writeSync(file, view)).toBe(8192);
      } finally {
        closeSync(file);
      }
      expect(readFileSync(path).equals(view)).toBe(true);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
