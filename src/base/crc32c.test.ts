import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AlignedMemory } from './aligned-memory.ts';
import { Crc32c } from './crc32c.ts';
import { combineCrc32c } from './crc32c-combine.ts';

const memory = new AlignedMemory();
const crc32c = new Crc32c(memory);
const region = memory.reserve(4096);

/** The definition, a bit at a time. */
function plainCrc32c(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

describe('Crc32c', () => {
  // RFC 3720, appendix B.4, whose checksums are given there in the order of the wire.
  it.each([
    ['32 bytes of zeroes', new Uint8Array(32), 0x8a9136aa],
    ['32 bytes of ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['32 bytes ascending', Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
    ['32 bytes descending', Uint8Array.from({ length: 32 }, (_, index) => 31 - index), 0x113fdb5c],
  ])('agrees with the vector of the RFC: %s', (_, bytes, expected) =>
    expect(crc32c.update(0, bytes)).toBe(expected),
  );

  it('agrees with the definition at any place, length and cut', () =>
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(300),
        fc.nat(40),
        (bytes, cut, shift) => {
          memory.bytes.set(bytes, region + shift);
          const head = Math.min(cut, bytes.length);
          const first = crc32c.updateAt(0, region + shift, head);
          const both = crc32c.updateAt(first, region + shift + head, bytes.length - head);
          expect(both).toBe(plainCrc32c(bytes));
          expect(crc32c.update(0, bytes)).toBe(both);
          expect(crc32c.update(0, memory.view(region + shift, bytes.length))).toBe(both);
        },
      ),
    ));

  // Around what is folded (2528 bytes), the rows of 16 bytes, and a round of 32 KiB.
  it.each([2527, 2528, 2529, 2543, 2544, 32_767, 32_768, 32_769, 35_295, 35_296, 35_297, 100_003])(
    'folds %d bytes',
    (length) => {
      const start = memory.reserve(length + 1) + 1;
      const bytes = memory.view(start, length);
      for (let index = 0; index < length; index += 1)
        bytes[index] = (index * 31 + (index >> 7)) % 251;
      expect(crc32c.updateAt(0x89abcdef, start, length)).toBe(plainCrc32c(bytes, 0x89abcdef));
    },
  );

  it('copies what is longer than the scratch in pieces', () => {
    const bytes = Uint8Array.from({ length: 200_000 }, (_, index) => index % 251);
    expect(crc32c.update(0, bytes)).toBe(plainCrc32c(bytes));
  });
});

describe('combineCrc32c', () => {
  it('is the checksum of both in a row', () =>
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (first, second) => {
        const both = plainCrc32c(Buffer.concat([first, second]));
        expect(combineCrc32c(plainCrc32c(first), plainCrc32c(second), second.length)).toBe(both);
      }),
    ));

  it('takes lengths that are not worth remembering', () => {
    const first = Buffer.from('etcd');
    const second = new Uint8Array(70_001).fill(7);
    expect(combineCrc32c(plainCrc32c(first), plainCrc32c(second), second.length)).toBe(
      plainCrc32c(Buffer.concat([first, second])),
    );
  });

  it('takes lengths beyond 32 bits', () => {
    // Three times 2^33 zero bytes, appended at once and in turn.
    const zeroes = (crc: number, length: number): number => combineCrc32c(crc, 0, length);
    expect(zeroes(0x12345678, 3 * 2 ** 33)).toBe(
      zeroes(zeroes(zeroes(0x12345678, 2 ** 33), 2 ** 33), 2 ** 33),
    );
  });
});
