import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyValueReader } from './key-value.ts';

const reader = new KeyValueReader();

/** What is read of hex digits that lie in the middle of other bytes. */
function read(hex: string): [key: string, version: number] | undefined {
  const bytes = Buffer.from(`ffff${hex}ffff`, 'hex');
  if (!reader.read(bytes, 2, bytes.length - 2)) return undefined;
  return [bytes.subarray(reader.keyStart, reader.keyEnd).toString(), reader.version];
}

describe('KeyValueReader', () => {
  it.each([
    // Values of a real bucket.
    ['a put', '0a03666f6f10021802200132036261722a03626172', undefined],
    ['a put, well-formed', '0a03666f6f1002180220012a03626172', ['foo', 1]],
    ['a put with a lease', '0a03666f6f1002180520032a033132333080808080808001', ['foo', 3]],
    ['a tombstone', '0a03666f6f', ['foo', 0]],
    ['the marker of a bump', '', ['', 0]],
    ['a field that is not known', '0a03666f6f3a0178', ['foo', 0]],
    ['fixed fields that are not known', '39000000000000000045000000000a0161', ['a', 0]],
    ['a version of two bytes', '0a0161208001', ['a', 128]],
    ['a field twice', '0a01610a016220012002', ['b', 2]],
    ['a key that goes beyond the end', '0a04666f6f', undefined],
    ['a length that goes beyond all', '0affffffff0f', undefined],
    ['a length that is cut off', '0a80', undefined],
    ['a number of eleven bytes', '20ffffffffffffffffffff01', undefined],
    ['a number that is cut off', '0a016120', undefined],
    ['the field 0', '0200', undefined],
    ['a key that is a number', '0801', undefined],
    ['a version that is bytes', '220101', undefined],
    ['a fixed field that is cut off', '3900000000', undefined],
    ['a group', '3b3c', undefined],
  ])('%s', (_, hex, expected) => expect(read(hex)).toEqual(expected));

  it('stays within the bytes', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        if (!reader.read(bytes, 0, bytes.length)) return;
        expect(reader.keyStart).toBeLessThanOrEqual(reader.keyEnd);
        expect(reader.keyEnd).toBeLessThanOrEqual(bytes.length);
      }),
    ));
});
