// npm run flips -- [--count 10000] [--seed 1]: flips single bits of snapshots of every version, and prints what finds
// them, by where they lie.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../../fixtures/random.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../../servers/directories.ts';
import { ETCD_VERSIONS } from '../../servers/versions.ts';
import { reuseMemory } from '../reused-memory.ts';
import { detectWithVerify } from './detect.ts';
import { Flipper, type Report, table } from './flips.ts';
import { snapshotOf } from './snapshots.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
  },
});

reuseMemory();
const random = new Random(Number(values.seed));
const report: Report = new Map();
const directory = temporaryDirectory();
const flipper = new Flipper(detectWithVerify(join(directory, 'flipped.db')), report);
const began = performance.now();
for (const version of ETCD_VERSIONS) {
  const file = await snapshotOf(version);
  await flipper.run(file, Math.ceil(Number(values.count) / ETCD_VERSIONS.length), random);
  console.log(`etcd ${version}: a snapshot of ${file.length} bytes`);
}
removeTemporaryDirectory(directory);
console.log(table(report));
const all = [...report.values()];
const flips = all.reduce((sum, each) => sum + each.flips, 0);
const digest = all.reduce((sum, each) => sum + each.digest, 0);
const seconds = (performance.now() - began) / 1000;
console.log(
  `seed ${values.seed}: ${flips} flips in ${seconds.toFixed(0)} s, ${digest} found by verify`,
);
process.exitCode = digest === flips ? 0 : 1;
