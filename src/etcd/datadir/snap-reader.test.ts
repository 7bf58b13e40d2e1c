import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { message } from '../store/bucket-testing.ts';
import { checksum } from './checksum.ts';
import { parseSnap, parseSnapName } from './snap-reader.ts';
import { parseV2Members } from './v2-members.ts';

/** A .snap file, by default with the checksum that it has to have. */
function snapFile(data: Uint8Array, crc = checksum(0, data)): Buffer {
  return message([1, BigInt(crc)], [2, Buffer.from(data)]);
}

const position = message([1, message([1, 5n], [2, 6n])], [2, 8n], [3, 2n]);
const SNAPSHOT = message([1, '{}'], [2, position]);

describe('a .snap file', () => {
  it('is read', () => {
    const read = parseSnap(snapFile(SNAPSHOT));
    const members = { voters: [5n], learners: [6n] };
    expect(read).toEqual({ index: 8n, term: 2n, members, data: Buffer.from('{}') });
  });

  // TestBadCRC, TestEmptySnapshot of snapshotter_test.go.
  it.each([
    ['of a wrong checksum', snapFile(SNAPSHOT, 1), 'has a checksum that is not that of its bytes'],
    ['of no bytes', Buffer.alloc(0), 'is empty'],
    ['without data', message([1, 7n]), 'is empty'],
    ['without a checksum', message([2, SNAPSHOT]), 'is empty'],
    ['that is cut off', snapFile(SNAPSHOT).subarray(0, -1), 'is no protobuf message'],
    ['of something else', snapFile(Buffer.from([0x0a])), 'holds what is no protobuf message'],
  ])('%s', (_, bytes, defect) => expect(parseSnap(bytes)).toBe(defect));

  it('is never taken for another after a bit of it was flipped', () =>
    fc.assert(
      fc.property(fc.integer({ min: 0, max: snapFile(SNAPSHOT).length * 8 - 1 }), (bit) => {
        const flipped = snapFile(SNAPSHOT);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        const read = parseSnap(flipped);
        // Of the checksum's last byte only four bits count.
        if (typeof read !== 'string') expect(read).toEqual(parseSnap(snapFile(SNAPSHOT)));
      }),
    ));

  it('is refused or read, whatever its bytes are', () =>
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseSnap(bytes))));

  it.each([
    ['0000000000000002-0000000000000033.snap', { term: 2n, index: 51n }],
    ['0000000000000033.snap.db', undefined],
    ['0000000000000002-0000000000000033.snap.broken', undefined],
    ['db', undefined],
  ])('%s', (name, parsed) => {
    expect(parseSnapName(name)).toEqual(parsed && { name, ...parsed });
  });
});

describe('the members of the old store', () => {
  const node = (children: unknown) => ({ Value: '', Children: children });
  const leaf = (value: unknown) => ({ Value: JSON.stringify(value), Children: null });
  const store = (members: unknown) =>
    Buffer.from(JSON.stringify({ Root: node({ 0: node({ members: node(members) }) }) }));
  const raftAttributes = leaf({ peerURLs: ['http://a:2380'] });

  it('are read with what they have told', () => {
    const attributes = leaf({ name: 'a', clientURLs: ['http://a:2379'] });
    const learner = leaf({ peerURLs: ['http://b:2380'], isLearner: true });
    const json = store({
      '8e9e05c52164694d': node({ attributes, raftAttributes }),
      b: node({ raftAttributes: learner }),
    });
    const urls = { peerUrls: ['http://a:2380'], clientUrls: ['http://a:2379'] };
    const told = { id: 0x8e9e05c52164694dn, name: 'a', ...urls, isLearner: false };
    const joined = { name: '', peerUrls: ['http://b:2380'], clientUrls: [], isLearner: true };
    expect(parseV2Members(json)).toEqual(expect.arrayContaining([told, { id: 0xbn, ...joined }]));
  });

  it.each<[string, Buffer, string | readonly never[]]>([
    ['text', Buffer.from('nothing'), 'is no JSON'],
    ['nothing', Buffer.alloc(0), 'is no JSON'],
    ['an empty store', Buffer.from('{}'), []],
    ['a list', Buffer.from('[[]]'), []],
    ['members that are none', store(7), []],
    ['an id that is none', store({ x: node({ raftAttributes }) }), 'has a member whose id is none'],
    ['a member without URLs', store({ a: node({}) }), 'has a member a without its URLs'],
    [
      'URLs that are none',
      store({ a: node({ raftAttributes: leaf({ peerURLs: 'x' }) }) }),
      'has a member a without its URLs',
    ],
  ])('%s', (_, json, members) => expect(parseV2Members(json)).toEqual(members));

  it('are read or refused, whatever the JSON is', () =>
    fc.assert(fc.property(fc.json(), (json) => void parseV2Members(Buffer.from(json)))));
});
