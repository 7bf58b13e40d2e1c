import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Sha256Thread, startSha256 } from './sha256.ts';

const digest = (...parts: Uint8Array[]): string =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');

describe.each([
  ['a thread', () => new Sha256Thread()],
  ['the thread of a reader, for a few bytes', () => startSha256(1000)],
])('SHA-256 by %s', (_, start) => {
  it.each([
    ['nothing', [], 0],
    ['pieces smaller and larger than a slot, one of no bytes', [1, 1 << 20, 0, 5_000_001, 77], 32],
    ['more pieces than slots', Array.from({ length: 40 }, () => 4096), 32],
  ])('%s', async (_, sizes, tailSize) => {
    const parts = sizes.map((size, index) => Buffer.alloc(size, `part ${index}`));
    const tail = Buffer.alloc(tailSize, 'tail');
    await using thread = start();
    for (const part of parts) {
      // What was given is free again at once.
      const copy = Buffer.from(part);
      await thread.update(copy);
      copy.fill(0);
    }
    expect(await thread.finish(tail)).toEqual({
      body: digest(...parts),
      whole: digest(...parts, tail),
    });
  });

  it('whose bytes are given before it has taken those before', async () => {
    const parts = Array.from({ length: 100 }, (_, index) => Buffer.alloc(1 << 20, `part ${index}`));
    await using thread = start();
    await Promise.all(parts.map((part) => Promise.resolve(thread.update(part))));
    const tail = Buffer.from('tail');
    expect(await thread.finish(tail)).toEqual({
      body: digest(...parts),
      whole: digest(...parts, tail),
    });
  });
});
