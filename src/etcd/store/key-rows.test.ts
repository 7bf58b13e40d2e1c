import { expect, it } from 'vitest';
import { IndexedKey, KeyRows } from './key-rows.ts';

it('rows of many keys, and of long ones, are found again', () => {
  const rows = new KeyRows();
  const values = new IndexedKey();
  const nameOf = (index: number): Buffer =>
    Buffer.from(index % 5000 === 1 ? `${index}/`.repeat(60_000) : `/registry/pods/${index}`);
  for (let index = 0; index < 20_000; index += 1) {
    const name = nameOf(index);
    expect(rows.find(name, 0, name.length)).toBe(-1);
    const row = rows.findOrAdd(name, 0, name.length);
    expect(row).toBe(index);
    values.modRevision = BigInt(index);
    values.page = 2;
    rows.write(row, values);
  }
  for (let index = 0; index < 20_000; index += 1) {
    const name = nameOf(index);
    const row = rows.findOrAdd(name, 0, name.length);
    const read = rows.read(row, values);
    expect(read.modRevision).toBe(BigInt(index));
    expect(Buffer.from(read.key).equals(name)).toBe(true);
  }
  expect(rows.count).toBe(20_000);
});
