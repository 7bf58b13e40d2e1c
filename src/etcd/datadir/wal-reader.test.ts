import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesSource } from '../../bbolt/testing.ts';
import { readSegments, validSnapshots, type Wal } from './wal-reader.ts';
import { RECORD_TYPES, SegmentReader } from './wal-segment.ts';
import {
  entry,
  frame,
  frames,
  hardState,
  metadata,
  put,
  type RecordType,
  segmentBytes,
  segmentOf,
  snapshotRecord,
} from './wal-testing.ts';

type Records = readonly (readonly [RecordType, Uint8Array])[];

const FIRST = '0000000000000000-0000000000000000.wal';
const SECOND = '0000000000000001-0000000000000004.wal';

const read = (bytes: Uint8Array): Wal => readSegments([segmentOf(FIRST, bytes)]);
const readRecords = (records: Records): Wal => read(segmentBytes(records, { size: 4096 }));

const HEAD: Records = [
  ['metadata', metadata(10n, 20n)],
  ['snapshot', snapshotRecord(0n, 0n)],
];

const entries = (from: number, to: number, term = 1n): Records =>
  Array.from({ length: to - from + 1 }, (_, at) => [
    'entry',
    entry(BigInt(from + at), term, put('key')),
  ]);

/** What a log comes to, in numbers. */
function summary({ log, hardState: state, end }: Wal): unknown {
  const { firstIndex, lastIndex } = log;
  return {
    entries: [firstIndex, lastIndex],
    term: log.termAt(lastIndex),
    writes: log.writes(0n, 2n ** 64n),
    commit: state?.commit,
    end: end.kind,
  };
}

describe('a log', () => {
  // server/storage/wal/testdata/TestNew.wal, which TestNew of wal_test.go holds a new log against.
  const TEST_NEW = Buffer.from(
    '040000000000008408041000000000001200000000000086' +
      '08011085d4fda0071a08736f6d6564617461000000000000' +
      '0e0000000000008208051080db81c1011a04080010000000',
    'hex',
  );

  it('is read from the bytes that etcd writes first', () => {
    const records = new SegmentReader().records(bytesSource(TEST_NEW));
    const read = [...records].map(({ type, data }) => [type, Buffer.from(data).toString('hex')]);
    expect(read).toEqual([
      [RECORD_TYPES.crc, ''],
      [RECORD_TYPES.metadata, Buffer.from('somedata').toString('hex')],
      [RECORD_TYPES.snapshot, '08001000'],
    ]);
  });

  it('ends where a length is 0, or with its file', () => {
    const records: Records = [...HEAD, ...entries(1, 3), ['state', hardState(1n, 10n, 3n)]];
    const whole = { entries: [1n, 3n], term: 1n, writes: 3, commit: 3n, end: 'clean' };
    for (const size of [0, 4096]) {
      const wal = read(segmentBytes(records, { size }));
      expect(summary(wal)).toEqual(whole);
      expect(wal).toMatchObject({ metadata: { memberId: 10n, clusterId: 20n }, segments: [FIRST] });
    }
  });

  it('goes on from file to file with its checksum', () => {
    const first: Records = [...HEAD, ...entries(1, 3)];
    const { crc } = frames(first);
    const second: Records = [['metadata', metadata(10n, 20n)], ...entries(4, 6)];
    const read2 = (crcOfSecond: number): Wal =>
      readSegments([
        segmentOf(FIRST, segmentBytes(first, { size: 1024 })),
        segmentOf(SECOND, segmentBytes(second, { crc: crcOfSecond })),
      ]);
    expect(summary(read2(crc))).toMatchObject({ entries: [1n, 6n], writes: 6, end: 'clean' });
    expect(read2(crc + 1).end).toEqual({
      kind: 'damaged',
      segment: SECOND,
      offset: 0,
      reason: 'the checksum of the file before is another one',
    });
    // Older files are removed once a snapshot is behind them: what was before is not known then.
    const purged = readSegments([segmentOf(SECOND, segmentBytes(second, { crc }))]);
    expect(summary(purged)).toMatchObject({ entries: [4n, 6n], end: 'clean' });
  });

  it('tells of a file that is missing in between, and of none at all', () => {
    const third = SECOND.replace('1-', '2-');
    const wal = readSegments([FIRST, third].map((name) => segmentOf(name, segmentBytes(HEAD))));
    expect(wal.end).toMatchObject({ kind: 'damaged', reason: 'files between 0 and 2 are missing' });
    expect(readSegments([]).end).toMatchObject({ kind: 'damaged', reason: 'there is no log' });
  });

  it('forgets entries that a later leader has replaced', () => {
    const replaced = readRecords([...HEAD, ...entries(1, 5), ...entries(3, 4, 2n)]);
    expect(summary(replaced)).toMatchObject({ entries: [1n, 4n], term: 2n, writes: 4 });
    expect(replaced.log.termAt(2n)).toBe(1n);
    expect(replaced.log.termAt(3n)).toBe(2n);
    expect(replaced.log.termAt(5n)).toBeUndefined();
  });

  it('goes on behind a snapshot that a leader has sent, and behind nothing else', () => {
    const gap = (snapshot: bigint): Wal =>
      readRecords([
        ...HEAD,
        ...entries(1, 2),
        ['snapshot', snapshotRecord(snapshot, 1n, 10n)],
        ...entries(8, 9),
      ]);
    expect(summary(gap(7n))).toMatchObject({ entries: [8n, 9n], writes: 2, end: 'clean' });
    expect(gap(6n).end).toMatchObject({
      kind: 'damaged',
      reason: 'an entry has the index 8 after 2',
    });
  });

  it.each<[string, RecordType, Uint8Array, string]>([
    [
      'metadata of another',
      'metadata',
      metadata(11n, 20n),
      'the metadata is that of another member than in the file before',
    ],
    [
      'an entry that is no message',
      'entry',
      Buffer.from([0x0a]),
      'an entry is no protobuf message',
    ],
    [
      'an entry of another type',
      'entry',
      entry(1n, 1n, Buffer.alloc(0), 3n),
      'an entry has the type 3',
    ],
    ['an entry without an index', 'entry', entry(0n, 1n), 'an entry has the index 0'],
    ['a state that is no message', 'state', Buffer.from([0x0a]), 'a state is no protobuf message'],
    [
      'a snapshot that is no message',
      'snapshot',
      Buffer.from([0x0a]),
      'a snapshot is no protobuf message',
    ],
    [
      'a change that is no message',
      'entry',
      entry(1n, 1n, Buffer.from([0x0a]), 1n),
      'an entry changes members and is no protobuf message',
    ],
  ])('is damaged by %s', (_, type, data, reason) => {
    const before = segmentBytes(HEAD).length;
    expect(readRecords([...HEAD, [type, data]]).end).toEqual({
      kind: 'damaged',
      segment: FIRST,
      offset: before,
      reason,
    });
  });

  it('is damaged by terms that go back', () => {
    const { end } = readRecords([...HEAD, ...entries(1, 2, 3n), ...entries(3, 3, 2n)]);
    expect(end.reason).toBe('an entry of index 3 has the term 2 after 3');
  });

  // TestValidSnapshotEntries of wal_test.go.
  it('tells only of snapshots up to what is committed', () => {
    const wal = readRecords([
      ...HEAD,
      ...entries(1, 4),
      ['state', hardState(1n, 0n, 1n)],
      ['snapshot', snapshotRecord(1n, 1n, 10n)],
      ['snapshot', snapshotRecord(2n, 1n, 10n)],
      ['state', hardState(1n, 0n, 2n)],
      ['snapshot', snapshotRecord(4n, 2n, 10n)],
    ]);
    expect(validSnapshots(wal).map(({ index }) => index)).toEqual([0n, 1n, 2n]);
  });
});

describe('the end of a log', () => {
  const records: Records = [...HEAD, ...entries(1, 20)];
  const sound = segmentBytes(records);

  // TestOpenOnTornWrite, TestRepairWriteTearLast: a sector that was never written.
  it('is torn where a sector of the last record is empty', () => {
    const big = Buffer.alloc(2000, 'x');
    const last = segmentBytes([...records, ['entry', entry(21n, 1n, put(big.toString()))]]);
    const torn = Buffer.concat([last, Buffer.alloc(1000)]);
    torn.fill(0, Math.ceil(sound.length / 512) * 512 + 512, last.length);
    const wal = read(torn);
    expect(wal.end).toMatchObject({ kind: 'torn', offset: sound.length });
    expect(summary(wal)).toMatchObject({ entries: [1n, 20n] });
    // In a file with others behind it, that is no end.
    const both = readSegments([segmentOf(FIRST, torn), segmentOf(SECOND, segmentBytes(HEAD))]);
    expect(both.end).toMatchObject({ kind: 'damaged', segment: FIRST });
  });

  // TestRepairWriteTearMiddle.
  it('is damaged where bytes are others, and no sector is empty', () => {
    const flipped = Buffer.concat([sound, Buffer.alloc(512)]);
    flipped[sound.length - 20]! ^= 1;
    expect(read(flipped).end).toMatchObject({
      kind: 'damaged',
      reason: 'the checksum of a record is not that of its bytes',
    });
  });

  // TestLastRecordLengthExceedFileEnd; TestReadRecord: a frame that is cut off.
  it('is torn where a record goes beyond the file', () => {
    const claims = frame(Buffer.alloc(40, 1));
    const cut = Buffer.concat([sound, claims.subarray(0, 30)]);
    expect(read(cut).end).toMatchObject({ kind: 'torn', offset: sound.length });
    const header = Buffer.concat([sound, claims.subarray(0, 5)]);
    expect(read(header).end.reason).toBe('the length of a record is cut off');
    const endless = Buffer.concat([sound, Buffer.alloc(7, 0xff), Buffer.from([0x87])]);
    expect(read(endless).end.kind).toBe('torn');
  });

  it('is found wherever the file is cut off', () =>
    fc.assert(
      fc.property(fc.integer({ min: 0, max: sound.length }), (length) => {
        const { end, log } = read(sound.subarray(0, length));
        expect(end.kind).not.toBe('damaged');
        expect(end.offset).toBeLessThanOrEqual(length);
        expect(log.lastIndex).toBeLessThanOrEqual(20n);
        if (length === sound.length) expect([end.kind, log.lastIndex]).toEqual(['clean', 20n]);
        // All that is before the end is there: no record is given that is not whole.
        expect(read(sound.subarray(0, end.offset)).end).toMatchObject({ kind: 'clean' });
      }),
    ));

  it('is found wherever a bit is flipped: no entry is believed that was not written', () =>
    fc.assert(
      fc.property(fc.integer({ min: 0, max: sound.length * 8 - 1 }), (bit) => {
        const flipped = Buffer.from(sound);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        const { end, log } = read(flipped);
        expect(log.termAt(log.lastIndex) ?? 1n).toBe(1n);
        const lost = end.kind !== 'clean' || log.lastIndex < 20n;
        // Padding has no checksum, and a record's own type is not under it.
        if (!lost) expect(log.writes(1n, 20n)).toBe(20);
      }),
    ));

  it('is found in any bytes', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(['clean', 'torn', 'damaged']).toContain(read(bytes).end.kind);
      }),
    ));
});
