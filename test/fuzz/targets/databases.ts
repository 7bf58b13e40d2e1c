// A database, through every reader that there is. They share little and have to agree: on what is wrong, on what
// they read, and however the bytes come.
import { AlignedMemory } from '../../../src/base/aligned-memory.ts';
import { checkDatabase } from '../../../src/bbolt/check.ts';
import { checkStore } from '../../../src/etcd/store/check-store.ts';
import { readDatabaseStatus } from '../../../src/etcd/store/database-status.ts';
import { hashKV } from '../../../src/etcd/store/hash-kv.ts';
import { SnapshotScan } from '../../../src/etcd/store/snapshot-scan.ts';
import { isStoreRule, type StoreFinding } from '../../../src/etcd/store/store-finding.ts';
import type { Random } from '../../fixtures/random.ts';
import { CountingSource } from '../counting-source.ts';
import { mutateDatabase } from '../mutate-database.ts';
import { largeSeeds, type Seed, smallSeeds } from '../seeds.ts';
import { attempt, demand, Fault, show, type Target } from '../target.ts';

type Found = Pick<StoreFinding, 'rule' | 'message'>;

/** What bbolt lets pass, and so do those who only want to read. */
const ODD: ReadonlySet<Found['rule']> = new Set([
  ...([
    'history',
    'single-child',
    'empty',
    'odd',
    'freelist',
    'lease',
    'member',
    'alarm',
    'auth',
  ] as const),
]);

/** Elements of a file are 16 bytes, and each has few rules to break. */
const findingsMax = (bytes: Uint8Array): number => bytes.length + 1000;

/** What a check finds, by a reader that is given a place for it. */
async function findingsOf(
  bytes: Uint8Array,
  check: (source: CountingSource, found: (finding: Found) => void) => Promise<object>,
): Promise<readonly Found[]> {
  const all: Found[] = [];
  const checked = await check(new CountingSource(bytes), ({ rule, message }) => {
    all.push({ rule, message });
    if (all.length > findingsMax(bytes)) throw new Fault(`${all.length} findings`);
  });
  const { findings, errors = 0, warnings = 0 } = checked as Record<string, number>;
  demand(
    (findings ?? errors + warnings) === all.length,
    `${show(checked)} are counted of ${all.length}`,
  );
  return all;
}

const CHUNK_MAX = 4 * 1024 * 1024;

/** The status of a database that comes in chunks. */
async function streamed(bytes: Uint8Array, nextLength: () => number): Promise<unknown> {
  const memory = new AlignedMemory();
  const chunk = memory.reserve(CHUNK_MAX);
  const scan = new SnapshotScan(bytes.length, memory);
  for (let offset = 0; offset < bytes.length; ) {
    const length = Math.min(nextLength(), bytes.length - offset);
    memory.bytes.set(bytes.subarray(offset, offset + length), chunk);
    scan.push(chunk, length);
    offset += length;
  }
  return attempt(() => scan.finish(new CountingSource(bytes)), 'database-damaged');
}

async function readAll(bytes: Uint8Array, random: Random): Promise<string> {
  const status = await attempt(
    () => readDatabaseStatus(new CountingSource(bytes)),
    'database-damaged',
  );
  const findings = await findingsOf(bytes, (source, found) => checkStore(source, found));
  agree(status, findings);
  const hash = await attempt(() => hashKV(new CountingSource(bytes)), 'database-damaged');
  demand(
    !('value' in status) || 'value' in hash,
    `the status is read, HashKV is not: ${show(hash)}`,
  );
  // What costs as much as all of these is done for some.
  if (random.chance(0.2)) await checksAgree(bytes, findings);
  if (random.chance(0.2)) await streamsAgree(bytes, status, random);
  if (random.chance(0.2)) {
    const revision = BigInt(random.between(1, 130));
    const codes = ['database-damaged', 'revision-compacted', 'revision-future'];
    await attempt(() => hashKV(new CountingSource(bytes), revision), ...codes);
  }
  if ('code' in status) return status.code;
  return findings.length > 0 ? 'read, and found odd' : 'read';
}

/** However it comes, it is the same database. */
async function streamsAgree(bytes: Uint8Array, status: object, random: Random): Promise<void> {
  const whole = await streamed(bytes, () => CHUNK_MAX);
  demand(
    show(whole) === show(status),
    `of a stream the status is ${show(whole)}, of a file ${show(status)}`,
  );
  const sizes = [1, 100, 1000, 1024, 4096, 5000, 32_768];
  const most = random.pick(bytes.length > 100_000 ? sizes.slice(3) : sizes);
  const pieces = await streamed(bytes, () => random.between(Math.ceil(most / 2), most));
  demand(
    show(pieces) === show(whole),
    `in chunks the status is ${show(pieces)}, not ${show(whole)}`,
  );
}

/** Who needs a sound database is refused one that is not, and no other. */
function agree(status: object, findings: readonly Found[]): void {
  const isRead = 'value' in status;
  const damage = findings.find(({ rule }) => !ODD.has(rule));
  if (!isRead)
    demand(damage !== undefined, `${show(status)}, and the check finds ${show(findings)}`);
  // Of two metas the second is enough, and a note can be read and yet not be true.
  const grave = findings.find(({ rule }) => !ODD.has(rule) && rule !== 'meta' && rule !== 'notes');
  demand(!isRead || grave === undefined, `it is read, and the check finds ${show(grave)}`);
}

/** By single reads of pages, and by a scan, with records and without: the structure is what it is. */
async function checksAgree(bytes: Uint8Array, findings: readonly Found[]): Promise<void> {
  const expected = show(findings.filter(({ rule }) => !isStoreRule(rule)));
  const structure = await findingsOf(bytes, (source, found) =>
    checkStore(source, found, { structureOnly: true }),
  );
  demand(show(structure) === expected, `the structure alone: ${show(structure)}, not ${expected}`);
  const walked = await findingsOf(bytes, checkDatabase);
  demand(show(walked) === expected, `the walk alone: ${show(walked)}, not ${expected}`);
}

function databaseTarget(name: string, weight: number, seeds: () => readonly Seed[]): Target {
  let made: readonly Seed[] | undefined;
  return {
    name,
    weight,
    make(random) {
      made ??= seeds();
      const { bytes, pageSize } = random.pick(made);
      return mutateDatabase(bytes, pageSize, random);
    },
    async run(input, random) {
      const before = Buffer.from(input);
      const outcome = await readAll(input, random);
      demand(before.equals(input), 'reading has changed it');
      return outcome;
    },
  };
}

/** Some kilobytes each. */
export const databases = databaseTarget('database', 60, smallSeeds);
/** Those of real members, up to 2 MB. */
export const largeDatabases = databaseTarget('large-database', 0.3, largeSeeds);
