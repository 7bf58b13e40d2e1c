import { describe, expect, it } from 'vitest';
import { DATABASES, readDatabase } from '../../../test/fixtures/databases/databases.ts';
import { bucketValue, bytesSource, database, type Element, leafPage } from '../../bbolt/testing.ts';
import { checkStore } from './check-store.ts';

async function check(bytes: Uint8Array): Promise<string[]> {
  const lines: string[] = [];
  const { errors, warnings } = await checkStore(bytesSource(bytes), ({ rule, message }) => {
    lines.push(`${rule}: ${message}`);
  });
  expect(errors + warnings).toBe(lines.length);
  return lines;
}

const revision = (main: number, mark = ''): Buffer => {
  const bytes = Buffer.alloc(17, '_');
  bytes.writeBigUInt64BE(BigInt(main));
  bytes.writeBigUInt64BE(0n, 9);
  return Buffer.concat([bytes, Buffer.from(mark)]);
};
/** mvccpb.KeyValue, of small numbers. */
const keyValue = (key: string, created: number, modified: number, version: number): Buffer =>
  Buffer.from([
    ...[0x0a, key.length, ...Buffer.from(key)],
    ...[0x10, created, 0x18, modified, 0x20, version, 0x2a, 1, 0x76],
  ]);

const put = (main: number, key: string, created: number, version: number): Element => ({
  key: revision(main),
  value: keyValue(key, created, main, version),
});
const deletion = (main: number, key: string): Element => ({
  key: revision(main, 't'),
  value: Buffer.from([0x0a, key.length, ...Buffer.from(key)]),
});

/** A database of these records. @param notes of bucket `meta` */
function store(records: readonly Element[], notes: readonly Element[] = []): Buffer {
  const bucket = (key: string, elements: readonly Element[]): Element => ({
    key,
    value: bucketValue(0, leafPage(0, elements)),
    isBucket: true,
  });
  return database([leafPage(2, [bucket('key', records), bucket('meta', notes)])], {
    pageSize: 4096,
  });
}
const compactedTo = (main: number): Element[] => [
  { key: 'finishedCompactRev', value: revision(main) },
  { key: 'scheduledCompactRev', value: revision(main) },
];

describe('checkStore', () => {
  // Made by real members of 3.5 and 3.6: compacted, half compacted, restored with a bump.
  it.each(DATABASES)('finds nothing in the database %s', async (name) => {
    expect(await check(readDatabase(name))).toEqual([]);
  });

  it('finds nothing in a history of puts and deletions', async () => {
    const records = [
      ...[put(2, 'a', 2, 1), put(3, 'b', 3, 1), put(4, 'a', 2, 2)],
      ...[deletion(5, 'a'), put(6, 'a', 6, 1)],
    ];
    expect(await check(store(records))).toEqual([]);
  });

  it('finds nothing in what a compaction leaves', async () => {
    // Of before 3.4.34 and 3.5.16, and of later ones, which keep the deletion at the revision itself.
    const later = [put(7, 'b', 3, 5), put(8, 'c', 8, 1)];
    expect(await check(store([put(4, 'b', 3, 4), ...later], compactedTo(5)))).toEqual([]);
    const kept = [put(4, 'b', 3, 4), deletion(5, 'a'), ...later];
    expect(await check(store(kept, compactedTo(5)))).toEqual([]);
  });

  it.each<[string, Element[], string[], Element[]?]>([
    [
      'a revision that is none',
      [{ key: 'short', value: '' }, put(2, 'a', 2, 1)].reverse(),
      ['record: the revision in element 1 of page 2 is 5 bytes long, not 17 or 18'],
    ],
    [
      'a value that is none',
      [{ key: revision(2), value: '\xff\xff' }, put(3, 'a', 3, 1)],
      ['record: the value of revision 2 is no key-value'],
    ],
    [
      'the revision 1',
      [put(1, 'a', 1, 1)],
      ["history: revision 1 is none of etcd's, which begin with 2 (page 2)"],
    ],
    [
      'a record of another revision',
      [{ key: revision(3), value: keyValue('a', 3, 4, 1) }],
      ['history: revision 3 says that it is revision 4 (page 2)'],
    ],
    [
      'a version left out',
      [put(2, 'a', 2, 1), put(3, 'a', 2, 3)],
      ['history: revision 3 has version 3 after version 1 (page 2)'],
    ],
    [
      'a key that was made at two revisions',
      [put(2, 'a', 2, 1), put(4, 'a', 3, 2)],
      ['history: revision 4 has a key of 3 that is of 2 (page 2)'],
    ],
    [
      'a change of a key that is not there',
      [put(4, 'a', 2, 3)],
      ['history: revision 4 has version 3, and no record comes before it (page 2)'],
    ],
    [
      'a first version of an older key',
      [put(4, 'a', 2, 1)],
      ["history: revision 4 is its key's first, and the key is of 2 (page 2)"],
    ],
    [
      'a deletion of a key that is not there',
      [deletion(4, 'a')],
      ['history: revision 4 deletes a key that is not there (page 2)'],
    ],
    [
      'a deletion with a value',
      [put(2, 'a', 2, 1), { key: revision(3, 't'), value: keyValue('a', 2, 3, 2) }],
      ['history: revision 3 is a deletion and says more than its key (page 2)'],
    ],
    [
      'a record that a compaction should have removed',
      [put(3, 'a', 2, 2), put(4, 'a', 2, 3), put(6, 'b', 6, 1)],
      [
        'history: revision 4 should be gone: its key has an older record that the compaction to 5 left (page 2)',
      ],
      compactedTo(5),
    ],
    [
      'a note that etcd could not read',
      [],
      ['notes: meta/term is 3 bytes long, not 8'],
      [{ key: 'term', value: 'abc' }],
    ],
  ])('%s', async (_, records, lines, notes) => {
    expect(await check(store(records, notes))).toEqual(lines);
  });

  it('tells of a note that etcd could not read beside a record that does not fit', async () => {
    const records = [put(2, 'a', 2, 1), put(3, 'a', 2, 3)];
    expect(await check(store(records, [{ key: 'term', value: 'abc' }]))).toEqual([
      'history: revision 3 has version 3 after version 1 (page 2)',
      'notes: meta/term is 3 bytes long, not 8',
    ]);
  });

  it('of a damaged tree tells of the tree, and of the records that it reaches', async () => {
    const bytes = store([put(2, 'a', 2, 1), put(3, 'a', 2, 3)]);
    bytes.writeUInt8(0, 16);
    expect(await check(bytes)).toEqual([
      'meta: meta page 0 cannot be used: the magic number is wrong; the other one is',
      'history: revision 3 has version 3 after version 1 (page 2)',
    ]);
  });
});
