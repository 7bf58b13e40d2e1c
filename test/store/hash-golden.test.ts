// The hashes that etcd's own tests are written with (server/storage/mvcc/hash_test.go: TestHashByRevValue and
// TestHashByRevValueLastRevision), computed from snapshots of a real member that was given the same history.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openFileSource } from '../../src/bbolt/file-source.ts';
import { type HashKV, hashKV } from '../../src/etcd/store/hash-kv.ts';
import { runCli } from '../cli/run.ts';
import { directoryForTest, flagsFor } from '../cli/scene.ts';
import { type EtcdCluster, startEtcd } from '../servers/etcd.ts';
import { describeEachVersion } from '../servers/for-vitest.ts';
import { load } from '../servers/load.ts';

/** Hash, compact revision and hash revision, by rounds. */
type Golden = readonly (readonly [hash: number, compact: number, revision: number])[];

const IN_THE_MIDDLE: Golden = [
  [4082599214, -1, 35],
  [2279933401, 35, 106],
  [3284231217, 106, 177],
  [126286495, 177, 248],
  [900108730, 248, 319],
  [2475485232, 319, 390],
  [1226296507, 390, 461],
  [2503661030, 461, 532],
  [4155130747, 532, 603],
  [106915399, 603, 674],
  [406914006, 674, 745],
  [1882211381, 745, 816],
  [806177088, 816, 887],
  [664311366, 887, 958],
  [1496914449, 958, 1029],
  [2434525091, 1029, 1100],
  [3988652253, 1100, 1171],
  [1122462288, 1171, 1242],
  [724436716, 1242, 1883],
];

/** Those of the last revision that are known. */
const AT_THE_END: Golden = [
  [1913897190, -1, 73],
  [224860069, 73, 145],
  [1565167519, 145, 217],
];

const NAMES = ['alice', 'bob', 'celine', 'dominik', 'eve', 'frederica', 'gorge'];

/** PickKey of that file. */
function keyOf(index: number): string {
  if (index % 142 === 30) return 'zenek';
  if (index % 71 === 30) return 'xavery';
  return NAMES[index % NAMES.length]!;
}

/** Puts the values from `from` up to `to`, that one too, each in a revision of its own. */
async function putRange({ gateway }: EtcdCluster, from: number, to: number): Promise<void> {
  const writes = Array.from({ length: to - from + 1 }, (_, index) => ({
    key: keyOf(from + index),
    value: `${from + index}`,
  }));
  await load(gateway, writes, { concurrency: 1, operations: 1 });
}

async function hashOfSnapshot(cluster: EtcdCluster, revision: number): Promise<HashKV> {
  const path = join(directoryForTest(), 'snapshot.db');
  const saved = await runCli(['snapshot', 'save', path, ...flagsFor(cluster.member)]);
  expect(saved.code, saved.stderr).toBe(0);
  const source = openFileSource(path);
  try {
    return await hashKV(source, BigInt(revision));
  } finally {
    source.close();
  }
}

const ROUND = 71;

describeEachVersion('the hashes of etcd’s own tests', (version) => {
  it('in the middle of what is not compacted', async () => {
    await using cluster = await startEtcd({ version });
    const [last, ...before] = IN_THE_MIDDLE.toReversed();
    for (const [round, golden] of before.reverse().entries()) {
      await putRange(cluster, round * ROUND, (round + 1) * ROUND);
      await expectHash(cluster, golden);
    }
    const from = before.length * ROUND;
    await putRange(cluster, from, from + 1210);
    await expectHash(cluster, last!);
  });

  it('at the last revision', async () => {
    await using cluster = await startEtcd({ version });
    for (const [round, golden] of AT_THE_END.entries()) {
      await putRange(cluster, round * ROUND, (round + 1) * ROUND);
      await expectHash(cluster, golden);
    }
  });
});

/** Expects the hash at a revision, and compacts to it. */
async function expectHash(
  cluster: EtcdCluster,
  [hash, compactRevision, revision]: Golden[number],
): Promise<void> {
  const found = await hashOfSnapshot(cluster, revision);
  expect(found).toEqual({
    hash,
    compactRevision: BigInt(compactRevision),
    hashRevision: BigInt(revision),
  });
  await cluster.gateway.compact(BigInt(revision));
}
