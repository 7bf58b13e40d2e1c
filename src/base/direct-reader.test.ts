import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AlignedMemory } from './aligned-memory.ts';
import { DirectReader } from './direct-reader.ts';

const content = randomBytes(3 * 4096 + 5);
// Beside the code and not under /tmp, which may be a tmpfs: that has no O_DIRECT.
let place: string;
beforeAll(() => {
  place = mkdtempSync(join(import.meta.dirname, 'direct-reader-'));
  writeFileSync(join(place, 'file'), content);
});
afterAll(() => rmSync(place, { recursive: true }));

describe('a file that is read around the page cache', () => {
  it.each([
    ['from its start', 0, 0, 8192],
    ['beyond its end', 4096, 0, 65_536],
    ['the end alone', 12_288, 0, 4096],
    ['from an offset within a page', 4097, 0, 8192],
    ['a length that is no page', 4096, 0, 5000],
    ['to memory within a page', 4096, 16, 4096],
    ['nothing, at its end', content.length, 0, 4096],
    ['nothing, beyond it', 65_536, 0, 4096],
  ])('is as it was written: %s', async (_, offset, memoryOffset, length) => {
    await using file = await DirectReader.open(join(place, 'file'));
    expect(file.size).toBe(content.length);
    const memory = new AlignedMemory(3 * 65_536);
    const bytes = memory.view(memory.reserve(length + memoryOffset) + memoryOffset, length);
    const filled = await file.read(bytes, offset);
    expect(bytes.subarray(0, filled).equals(content.subarray(offset, offset + length))).toBe(true);
  });

  it('is missed as any file is', async () => {
    await expect(DirectReader.open(join(place, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
