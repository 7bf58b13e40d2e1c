// What a member keeps beside its database: the files of its log, and the .snap files.
import { checksum } from '../../../src/etcd/datadir/checksum.ts';
import { parseSnap } from '../../../src/etcd/datadir/snap-reader.ts';
import { parseV2Members } from '../../../src/etcd/datadir/v2-members.ts';
import { readSegments, validSnapshots } from '../../../src/etcd/datadir/wal-reader.ts';
import {
  entry,
  hardState,
  metadata,
  put,
  segmentBytes,
  snapshotRecord,
} from '../../../src/etcd/datadir/wal-testing.ts';
import { message } from '../../../src/etcd/store/bucket-testing.ts';
import type { Random } from '../../fixtures/random.ts';
import { CountingSource } from '../counting-source.ts';
import { mutateText } from '../mutate-text.ts';
import { demand, type Target } from '../target.ts';

type Records = Parameters<typeof segmentBytes>[0];

const FIRST = '0000000000000000-0000000000000000.wal';

const RECORDS: Records = [
  ['metadata', metadata(10n, 20n)],
  ['snapshot', snapshotRecord(0n, 0n)],
  ['entry', entry(1n, 1n, message([2, 0n], [3, 10n], [4, '{}']), 1n)],
  ['state', hardState(1n, 10n, 1n)],
  ...[2, 3, 4, 5].map((index) => ['entry', entry(BigInt(index), 2n, put(`key-${index}`))] as const),
  ['snapshot', snapshotRecord(3n, 2n, 10n, 11n)],
  ['entry', entry(4n, 3n, message([2, message([1, 1n], [2, 10n])]), 2n)],
  ['state', hardState(3n, 10n, 4n)],
];

/** A log whose records are others, under checksums that hold; or one whose bytes are. */
function makeWal(random: Random): Buffer {
  if (random.chance(0.5)) return mutateText(segmentBytes(RECORDS, { size: 1024 }), random);
  const records = RECORDS.map(([type, data]) =>
    random.chance(0.15) ? ([type, mutateText(data, random)] as const) : ([type, data] as const),
  );
  return segmentBytes(records.filter(() => !random.chance(0.05)));
}

const wals: Target = {
  name: 'wal',
  weight: 4,
  make: makeWal,
  run(input) {
    const read = (bytes: Uint8Array) => {
      const source = new CountingSource(bytes);
      return readSegments([
        { name: FIRST, open: () => Object.assign(source, { close: () => undefined }) },
      ]);
    };
    const wal = read(input);
    const { end, log, hardState: state } = wal;
    demand(end.offset <= input.length, `the log ends at ${end.offset} of ${input.length}`);
    demand(
      log.isEmpty || log.firstIndex <= log.lastIndex,
      `the log goes from ${log.firstIndex} to ${log.lastIndex}`,
    );
    demand(log.isEmpty || log.termAt(log.lastIndex) !== undefined, 'the last entry has no term');
    demand(
      log.writes(0n, 2n ** 64n - 1n) <= input.length / 8,
      'there are more entries than there is room for',
    );
    demand(
      validSnapshots(wal).every(({ index }) => index <= (state?.commit ?? 0n)),
      'a snapshot is valid that is not agreed on',
    );
    log.membersFrom(undefined, log.lastIndex);
    // What was read before the end does not hang on what is behind it.
    const again = read(input.subarray(0, end.offset));
    demand(
      again.log.lastIndex === log.lastIndex,
      'the log ends otherwise without what is behind it',
    );
    return end.kind === 'clean' ? 'read' : end.kind;
  },
};

const node = (children: unknown) => ({ Value: '', Children: children });
const raftAttributes = { Value: '{"peerURLs":["http://a:2380"]}', Children: null };
const STORE = JSON.stringify({
  Root: node({ 0: node({ members: node({ a: node({ raftAttributes }) }) }) }),
});
const POSITION = message([1, message([1, 5n], [2, 6n])], [2, 8n], [3, 2n]);

function makeSnap(random: Random): Buffer {
  const data = message(
    [1, random.chance(0.5) ? mutateText(Buffer.from(STORE), random) : STORE],
    [2, random.chance(0.3) ? mutateText(POSITION, random) : POSITION],
  );
  const bytes = random.chance(0.2) ? mutateText(data, random) : data;
  const file = message([1, BigInt(checksum(0, bytes))], [2, bytes]);
  return random.chance(0.3) ? mutateText(file, random) : file;
}

const snaps: Target = {
  name: 'snap',
  weight: 3,
  make: makeSnap,
  run(input) {
    const snapshot = parseSnap(input);
    if (typeof snapshot === 'string') return 'refused';
    demand(snapshot.data.length <= input.length, 'the store is longer than the file');
    const members = parseV2Members(snapshot.data);
    return typeof members === 'string' ? 'members refused' : 'read';
  },
};

export const DATA_DIRECTORIES: readonly Target[] = [wals, snaps];
