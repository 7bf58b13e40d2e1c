import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { message, varint } from '../store/bucket-testing.ts';
import {
  changedMembers,
  type Entry,
  parseEntry,
  parseHardState,
  parseMemberChanges,
  parseRaftMembers,
  parseRaftSnapshot,
  parseWalMetadata,
  parseWalSnapshot,
} from './raft-reader.ts';
import { RequestReader } from './request-kind.ts';
import { entry, hardState, metadata, put, snapshotRecord } from './wal-testing.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const NO_BYTES = new Uint8Array(0);

describe('raft messages', () => {
  it('are read as gogo protobuf writes them, and as 3.7 does without fields that are 0', () => {
    const normal = { type: 'normal', term: 2n, index: 2n, data: NO_BYTES };
    expect(parseEntry(hex('08 00 10 02 18 02'))).toMatchObject(normal);
    expect(parseEntry(hex('10 02 18 02'))).toMatchObject(normal);
    const position = { index: 2n, term: 1n, members: { voters: [5n, 6n], learners: [] } };
    expect(parseWalSnapshot(hex('08 02 10 01 1a 06 08 05 08 06 28 00'))).toEqual(position);
    expect(parseWalSnapshot(hex('08 02 10 01 1a 04 08 05 08 06'))).toEqual(position);
    // As 3.4 writes it.
    expect(parseWalSnapshot(hex('08 02 10 01'))).toEqual({ ...position, members: undefined });
    const added = [{ type: 'add-voter', id: 9n }];
    const change = (data: string): Entry => ({ ...normal, type: 'conf-change', data: hex(data) });
    expect(parseMemberChanges(change('08 00 10 00 18 09 22 02 7b 7d'))).toEqual(added);
    expect(parseMemberChanges(change('18 09 22 02 7b 7d'))).toEqual(added);
  });

  it('are read whatever their numbers are', () =>
    fc.assert(
      fc.property(uint64, uint64, uint64, fc.uint8Array(), (one, two, three, data) => {
        const read = parseEntry(entry(one, two, data));
        expect(read).toMatchObject({ index: one, term: two, data: Buffer.from(data) });
        expect(parseHardState(hardState(one, two, three))).toEqual({
          term: one,
          vote: two,
          commit: three,
        });
        expect(parseWalMetadata(metadata(one, two))).toEqual({ memberId: one, clusterId: two });
        expect(parseWalSnapshot(snapshotRecord(one, two, three))).toEqual({
          index: one,
          term: two,
          members: { voters: [three], learners: [] },
        });
      }),
    ));

  it('are refused or read, whatever the bytes are', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const parsers = [parseEntry, parseHardState, parseWalMetadata, parseRaftMembers];
        for (const parse of [...parsers, parseWalSnapshot, parseRaftSnapshot]) {
          const parsed = parse(bytes);
          if (typeof parsed === 'string') expect(parsed).toMatch(/^(is|has) \S/);
        }
        for (const type of ['conf-change', 'conf-change-v2'] as const) {
          parseMemberChanges({ type, term: 1n, index: 1n, data: bytes });
        }
        new RequestReader().kindOf(bytes);
      }),
    ));

  it('count members of a joint change as voters, and read lists that are packed', () => {
    const state = message([1, 1n], [1, 2n], [2, 3n], [3, 4n], [4, 5n], [5, 1n]);
    const members = { voters: [1n, 2n, 4n], learners: [3n, 5n] };
    expect(parseRaftMembers(state)).toEqual(members);
    const both = Buffer.concat([varint(1n), varint(2n), varint(4n)]);
    const packed = message([1, both], [2, Buffer.concat([varint(3n), varint(5n)])]);
    expect(parseRaftMembers(packed)).toEqual(members);
    const large = message([1, varint(2n ** 64n - 1n)]);
    expect(parseRaftMembers(large)).toEqual({ voters: [2n ** 64n - 1n], learners: [] });
    expect(parseRaftMembers(message([1, Buffer.alloc(20, 0xff)]))).toMatchObject({ voters: [] });
  });

  it('of changes: one, or several in the newer form', () => {
    const newer = message([1, 0n], [2, message([1, 3n], [2, 7n])], [2, message([1, 1n], [2, 8n])]);
    const changes = parseMemberChanges({
      ...{ type: 'conf-change-v2', term: 1n, index: 1n, data: newer },
    });
    expect(changes).toEqual([
      { type: 'add-learner', id: 7n },
      { type: 'remove', id: 8n },
    ]);
    expect(parseMemberChanges({ type: 'normal', term: 1n, index: 1n, data: newer })).toEqual([]);
  });
});

describe('members', () => {
  const before = { voters: [1n, 2n], learners: [3n] };

  it.each([
    ['add-voter', 4n, { voters: [1n, 2n, 4n], learners: [3n] }],
    ['add-voter', 3n, { voters: [1n, 2n, 3n], learners: [] }],
    ['add-learner', 4n, { voters: [1n, 2n], learners: [3n, 4n] }],
    ['remove', 1n, { voters: [2n], learners: [3n] }],
    ['remove', 9n, before],
    ['update', 1n, before],
    ['unknown', 1n, before],
  ] as const)('after %s of %s', (type, id, after) => {
    expect(changedMembers(before, [{ type, id }])).toEqual(after);
  });
});

describe('a request', () => {
  const requests = new RequestReader();

  it.each([
    ['a put', put('key'), 'write'],
    ['a deletion', message([1, 1n], [5, message([1, 'key'])]), 'write'],
    ['a transaction', message([1, 1n], [6, message()]), 'write'],
    ['an end of a lease', message([1, 1n], [9, message([1, 5n])]), 'write'],
    ['a lease', message([1, 1n], [8, message([1, 5n])]), 'other'],
    ['a compaction', message([1, 1n], [7, message([1, 5n])]), 'other'],
    ['a version of the cluster', message([1300, message([1, '3.6.0'])]), 'other'],
    // How 3.4 and 3.5 publish a member's name: a request of the old store.
    ['attributes', message([1, 1n], [2, 'PUT'], [3, '/0/members/1/attributes']), 'v2'],
    ['a word of the old store that there is not', message([2, 'HEAP'], [3, '/0']), 'other'],
    ['a new leader', NO_BYTES, 'other'],
  ])('%s', (_, data, kind) => expect(requests.kindOf(data)).toBe(kind));
});
