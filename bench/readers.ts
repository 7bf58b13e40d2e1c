// etcdkeep's readers beside those of etcd, bbolt and openssl: the same file in turn, warm cache.
//
//   npm run bench -- status check hashkv verify [--size 1GiB] [--rounds 5]

import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatBytes, formatCount } from '../src/base/units.ts';
import { prepareBbolt } from '../test/servers/bbolt.ts';
import type { FoundPart } from '../test/servers/parts.ts';
import type { EtcdBinaries } from '../test/servers/versions.ts';
import { ETCDKEEP, type Measured, measure, median } from './measure.ts';
import { type BenchSnapshot, takeSnapshots, warm } from './snapshots.ts';
import { row } from './table.ts';

/** What is measured. The targets are the project's own; one that is missed is said, and fails nothing. */
interface Race {
  readonly ours: (path: string) => string[];
  readonly theirs: (path: string) => string[];
  readonly peer: string;
  /** Whether the peer writes to the file that it reads. */
  readonly peerWrites?: boolean;
  readonly wall: number;
  /** Of the peer's peak memory; undefined where the peer needs none to speak of. */
  readonly memory: number | undefined;
}

export const READERS = ['status', 'check', 'hashkv', 'verify'] as const;
export type Reader = (typeof READERS)[number];

const PEAK_MAX = 160e6;

export interface ReaderBench {
  readonly readers: readonly Reader[];
  readonly sizeBytes: number;
  readonly rounds: number;
  readonly release: EtcdBinaries;
}

export async function benchReaders({ readers, sizeBytes, rounds, release }: ReaderBench) {
  const directory = mkdtempSync(join(tmpdir(), 'etcdkeep-bench-'));
  try {
    const bbolt = await prepareBbolt();
    console.log(`etcdutl ${release.version}, ${cpus().length} cores, ${rounds} rounds`);
    for (const snapshot of await takeSnapshots(directory, release, sizeBytes)) {
      const { name, bytes, records } = snapshot;
      console.log(`\n${name}: ${formatBytes(bytes)}, ${formatCount(records)} records`);
      console.log(row('', ['wall', 'cpu', 'peak', "peer's", 'of it']));
      for (const reader of readers) {
        const race = raceOf(reader, release.etcdutl!, bbolt);
        if (typeof race === 'string') console.log(race);
        else await run(reader, race, snapshot, rounds);
      }
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function raceOf(reader: Reader, etcdutl: string, bbolt: FoundPart): Race | string {
  switch (reader) {
    case 'status':
      return {
        ours: (path) => ['snapshot', 'status', path],
        theirs: (path) => [etcdutl, 'snapshot', 'status', path],
        peer: 'etcdutl snapshot status',
        wall: 0.65,
        memory: 0.1,
      };
    case 'hashkv':
      return {
        ours: (path) => ['snapshot', 'hashkv', path],
        theirs: (path) => [etcdutl, 'hashkv', path],
        peer: 'etcdutl hashkv',
        peerWrites: true,
        wall: 0.4,
        memory: 0.1,
      };
    case 'check':
      if ('reason' in bbolt) return `check: bbolt cannot be had: ${bbolt.reason}`;
      return {
        ours: (path) => ['snapshot', 'check', '--structure-only', path],
        theirs: (path) => [bbolt.path, 'check', path],
        peer: 'bbolt check',
        wall: 1,
        memory: 0.1,
      };
    case 'verify':
      return {
        ours: (path) => ['verify', path],
        theirs: (path) => ['openssl', 'dgst', '-sha256', path],
        peer: 'openssl dgst -sha256',
        wall: 1.5,
        memory: undefined,
      };
  }
}

async function run(reader: Reader, race: Race, { path }: BenchSnapshot, rounds: number) {
  const theirPath = race.peerWrites === true ? `${path}.copy` : path;
  const pair = async (withPeak: boolean): Promise<{ ours: Measured; theirs: Measured }> => {
    if (theirPath !== path) copyFileSync(path, theirPath);
    warm(theirPath);
    if (theirPath !== path) warm(path);
    const theirs = await measure(race.theirs(theirPath), {}, { withPeak });
    return { theirs, ours: await measure([ETCDKEEP, ...race.ours(path)], {}, { withPeak }) };
  };
  const pairs: { ours: Measured; theirs: Measured }[] = [];
  for (let round = 0; round < rounds; round += 1) pairs.push(await pair(false));
  const { ours, theirs } = await pair(true);
  if (theirPath !== path) rmSync(theirPath);
  const wall = median(pairs.map((each) => each.ours.wallMs / each.theirs.wallMs));
  const cpu = median(pairs.map((each) => each.ours.cpuMs / each.theirs.cpuMs));
  const peak = ours.peakBytes;
  const theirPeak = theirs.peakBytes;
  const ofIt = race.memory === undefined ? '' : (peak / theirPeak).toFixed(2);
  const cells = [wall.toFixed(2), cpu.toFixed(2), formatBytes(peak), formatBytes(theirPeak), ofIt];
  console.log(row(reader, cells), `  ${race.peer}`);
  const isMet =
    wall <= race.wall &&
    peak <= PEAK_MAX &&
    (race.memory === undefined || peak / theirPeak <= race.memory);
  const memory = race.memory === undefined ? '' : ` and ${race.memory} of the peer's`;
  console.log(
    `${' '.repeat(10)}wanted: wall <= ${race.wall}, peak <= ${formatBytes(PEAK_MAX)}${memory}: ${isMet ? 'met' : 'NOT met'}`,
  );
}
