import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { message, varint } from './bucket-testing.ts';
import { MessageReader } from './message-reader.ts';

/** Fields by number, in order; undefined if the bytes are no message. */
function read(bytes: Uint8Array): [number, bigint | string][] | undefined {
  const reader = new MessageReader().open(bytes);
  const fields: [number, bigint | string][] = [];
  while (reader.next()) {
    const { field, isVarint, start, end } = reader;
    expect(start).toBeLessThanOrEqual(end);
    expect(end).toBeLessThanOrEqual(bytes.length);
    const text = (): string => Buffer.from(bytes.subarray(start, end)).toString();
    fields.push([field, isVarint ? reader.varint : text()]);
  }
  return reader.isMalformed ? undefined : fields;
}

describe('MessageReader', () => {
  it('reads every number of 64 bits', () =>
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        expect(read(message([1, value], [2, 'x']))).toEqual([
          [1, value],
          [2, 'x'],
        ]);
      }),
    ));

  it.each<[string, string, [number, bigint | string][] | undefined]>([
    // A lease of a real bucket.
    [
      'a lease',
      '088484d9d7a4c1a8a0201080a305',
      [
        [1, 0x2040a20a4af64204n],
        [2, 86_400n],
      ],
    ],
    ['a negative number', '08ffffffffffffffffff01', [[1, 2n ** 64n - 1n]]],
    ['nothing', '', []],
    ['fixed fields', '09000000000000000015000000000801', [[1, 1n]]],
    ['a fixed field that is cut off', '0900', undefined],
    ['bytes beyond the end', '0a0261', undefined],
    ['a length beyond all', '0affffffffffffffffff01', undefined],
    ['a number of eleven bytes', '08ffffffffffffffffffff01', undefined],
    ['a number that is cut off', '0880', undefined],
    ['the field 0', '0001', undefined],
    ['a group', '0b0c', undefined],
  ])('%s', (_, hex, fields) => expect(read(Buffer.from(hex, 'hex'))).toEqual(fields));

  it('stays within the bytes', () =>
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void read(bytes))));

  it('is held against varints that are made otherwise', () => {
    expect(varint(300n)).toEqual(Buffer.from([0xac, 0x02]));
  });
});
