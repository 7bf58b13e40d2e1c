// etcdkeep snapshot save beside etcdctl snapshot save: the same member, in turn, files synced by both.
//
//   npm run bench -- save [--size 1GiB] [--rounds 5]

import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatBytes } from '../src/base/units.ts';
import { type EtcdCluster, startEtcd } from '../test/servers/etcd.ts';
import { load } from '../test/servers/load.ts';
import type { EtcdBinaries } from '../test/servers/versions.ts';
import { ETCDKEEP, type Measured, measure, median } from './measure.ts';
import { smallObjects } from './small-objects.ts';

/** What the project wants of itself. A target that is missed is said; it fails nothing. */
const TARGETS = { wall: 0.75, cpu: 0.55, peakBytes: 150e6 };

export interface SaveBench {
  readonly sizeBytes: number;
  readonly rounds: number;
  readonly release: EtcdBinaries;
}

export async function benchSave({ sizeBytes, rounds, release }: SaveBench): Promise<void> {
  console.log(`etcd and etcdctl ${release.version}, ${cpus().length} cores, ${rounds} rounds`);
  for (const tls of ['off', 'mutual'] as const) {
    await using cluster = await startEtcd({
      version: release,
      tls,
      flags: ['--quota-backend-bytes', String(8 * 2 ** 30)],
    });
    await benchPort(cluster, release, tls, sizeBytes, rounds);
  }
}

async function benchPort(
  cluster: EtcdCluster,
  { etcdctl }: EtcdBinaries,
  tls: 'off' | 'mutual',
  sizeBytes: number,
  rounds: number,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'etcdkeep-bench-'));
  const file = join(directory, 'snapshot.db');
  const env = environment(cluster);
  const run = async (program: string): Promise<Measured> => {
    rmSync(file, { force: true });
    return measure([program, 'snapshot', 'save', file], env);
  };
  try {
    const port = tls === 'off' ? 'plain port' : 'TLS port';
    await load(cluster.gateway, smallObjects(0, sizeBytes / 4));
    const small = await run(ETCDKEEP);
    const smallBytes = statSync(file).size;
    await load(cluster.gateway, smallObjects(sizeBytes / 4, sizeBytes));
    await run(etcdctl);
    const pairs: { ours: Measured; theirs: Measured }[] = [];
    for (let round = 0; round < rounds; round += 1) {
      pairs.push({ theirs: await run(etcdctl), ours: await run(ETCDKEEP) });
    }
    console.log(`\n${port}, ${formatBytes(statSync(file).size)}`);
    console.log(`peak memory at ${formatBytes(smallBytes)}: ${formatBytes(small.peakBytes)}`);
    report(pairs);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function environment({ member, endpoint }: EtcdCluster): Record<string, string> {
  if (member.tls === undefined) return { ETCDCTL_ENDPOINTS: endpoint };
  return {
    ETCDCTL_ENDPOINTS: endpoint,
    ETCDCTL_CACERT: member.tls.ca,
    ETCDCTL_CERT: member.tls.client.cert,
    ETCDCTL_KEY: member.tls.client.key,
  };
}

function report(pairs: readonly { ours: Measured; theirs: Measured }[]): void {
  const row = (...cells: string[]): string => cells.map((cell) => cell.padStart(14)).join('');
  console.log(row('round', 'wall', 'cpu', 'peak', 'peak etcdctl'));
  const ratios = pairs.map(({ ours, theirs }) => ({
    wall: ours.wallMs / theirs.wallMs,
    cpu: ours.cpuMs / theirs.cpuMs,
    peakBytes: ours.peakBytes,
  }));
  for (const [round, { wall, cpu, peakBytes }] of ratios.entries()) {
    const peaks = [formatBytes(peakBytes), formatBytes(pairs[round]!.theirs.peakBytes)];
    console.log(row(`${round + 1}`, wall.toFixed(2), cpu.toFixed(2), ...peaks));
  }
  const wall = median(ratios.map((ratio) => ratio.wall));
  const cpu = median(ratios.map((ratio) => ratio.cpu));
  const peakBytes = Math.max(...ratios.map((ratio) => ratio.peakBytes));
  console.log(row('median', wall.toFixed(2), cpu.toFixed(2), formatBytes(peakBytes)));
  const met = wall <= TARGETS.wall && cpu <= TARGETS.cpu && peakBytes <= TARGETS.peakBytes;
  console.log(
    `targets: wall <= ${TARGETS.wall}, cpu <= ${TARGETS.cpu}, ` +
      `peak <= ${formatBytes(TARGETS.peakBytes)}: ${met ? 'met' : 'NOT met'}`,
  );
}
