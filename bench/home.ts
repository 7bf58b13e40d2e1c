// Bringing a backup home from a node, beside kubectl exec POD -- cat FILE of a file of that size: on a real control plane of one
// node, in turn, into a file each. Ours is packed, unpacked, hashed and synced on the way; etcdkeep itself, which is sent
// there first, is said apart.
//
//   npm run build -- --no-image && npm run bench -- home [--size 1GiB] [--rounds 5]

import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeFlags } from '../scripts/build/executable.ts';
import { formatBytes } from '../src/base/units.ts';
import { debugPod } from '../test/node/debug-pod.ts';
import { runCommand } from '../test/servers/command.ts';
import { Gateway, type Write } from '../test/servers/gateway.ts';
import { load } from '../test/servers/load.ts';
import { type ControlPlaneNode, startNode } from '../test/servers/node/node.ts';
import type { HomeRun } from './home-run.ts';
import { measure, median } from './measure.ts';
import { row } from './table.ts';

const HOME = fileURLToPath(new URL('..', import.meta.url));
const RUN = join(HOME, 'bench/home-run.ts');

/** What the project wants of itself. A target that is missed is said; it fails nothing. */
const TARGET = 1;

/** On the node, for kubectl. */
const ON_NODE = '/var/backup';

const VALUE_BYTES = 2000;

export interface HomeBench {
  readonly sizeBytes: number;
  readonly rounds: number;
}

export async function benchHome({ sizeBytes, rounds }: HomeBench): Promise<void> {
  console.log(`kubectl exec -- cat, ${cpus().length} cores, ${rounds} rounds`);
  const directory = mkdtempSync(join(tmpdir(), 'etcdkeep-bench-'));
  try {
    await race('plain objects', plainObjects(sizeBytes), directory, rounds);
    await race('encrypted ones', encryptedObjects(sizeBytes), directory, rounds);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function race(
  name: string,
  writes: Iterable<Write>,
  directory: string,
  rounds: number,
): Promise<void> {
  await using node = await startNode();
  await using pod = await debugPod(node);
  await fillEtcd(node, writes, directory);
  const first = await ours(node, join(directory, 'first'));
  // What kubectl brings is the very snapshot.
  const [snapshot] = readdirSync(join(directory, 'first')).filter((file) => file.endsWith('.db'));
  mkdirSync(node.path(ON_NODE));
  const copied = await runCommand('cp', [join(directory, 'first', snapshot!), node.path(ON_NODE)]);
  if (copied.code !== 0) throw new Error(copied.stderr);
  rmSync(join(directory, 'first'), { recursive: true });
  console.log(`\n${name}, ${formatBytes(first.bytes)}`);
  console.log(row('round', ['wall', 'peak', 'kubectl', 'MB/s', 'sending']));
  const line = pod.execLine(['cat', `/host${ON_NODE}/${snapshot!}`]);
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const theirs = await measure(['sh', '-c', 'exec "$@" > "$FILE"', 'sh', ...line], {
      FILE: join(directory, 'theirs'),
    });
    const run = await ours(node, join(directory, 'ours'));
    rmSync(join(directory, 'ours'), { recursive: true });
    ratios.push(run.homeMs / theirs.wallMs);
    const cells = [
      ratios.at(-1)!.toFixed(2),
      formatBytes(run.peakBytes),
      formatBytes(theirs.peakBytes),
      (run.bytes / run.homeMs / 1000).toFixed(0),
      `${(run.sentMs / 1000).toFixed(1)} s`,
    ];
    console.log(row(`${round + 1}`, cells));
  }
  const wall = median(ratios);
  console.log(row('median', [wall.toFixed(2)]));
  console.log(`wanted: wall <= ${TARGET}: ${wall <= TARGET ? 'met' : 'NOT met'}`);
}

async function ours(node: ControlPlaneNode, directory: string): Promise<HomeRun> {
  const run = [...(await nodeFlags(HOME)), RUN, node.kubeconfig, directory];
  const { code, stdout, stderr } = await runCommand(process.execPath, run);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as HomeRun;
}

async function fillEtcd(
  node: ControlPlaneNode,
  writes: Iterable<Write>,
  directory: string,
): Promise<void> {
  const { etcd, etcdClient } = node.pki;
  const tls = { ca: 'ca', cert: 'cert', key: 'key' } as const;
  const files = { ca: etcd.cert, cert: etcdClient.cert, key: etcdClient.key };
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(directory, file), bytes);
  const gateway = new Gateway(`https://${node.address}:2379`, {
    tls: {
      ca: join(directory, tls.ca),
      cert: join(directory, tls.cert),
      key: join(directory, tls.key),
    },
  });
  await load(gateway, writes);
  gateway.close();
}

/** As the API server writes what is encrypted: nothing of it can be packed. */
function* encryptedObjects(sizeBytes: number): Generator<Write> {
  for (let index = 0; index * VALUE_BYTES < sizeBytes; index += 1) {
    yield { key: keyOf('secrets', index), value: randomBytes(VALUE_BYTES) };
  }
}

/** As it writes what is not: names and labels over and over, and uids that are new each time. */
function* plainObjects(sizeBytes: number): Generator<Write> {
  for (let index = 0; index * VALUE_BYTES < sizeBytes; index += 1) {
    const words = `k8s\0\n\x0c\n\x02v1\x12\x06Object${keyOf('configmaps', index)}app.kubernetes.io/managed-by`;
    const blocks = Array.from({ length: 10 }, () => `${words}${randomBytes(18).toString('hex')}`);
    const value = Buffer.from(blocks.join('"\x18kubectl-client-side-apply').slice(0, VALUE_BYTES));
    yield { key: keyOf('configmaps', index), value };
  }
}

function keyOf(resource: string, index: number): string {
  return `/kubernetes.io/${resource}/namespace-${index % 97}/object-${index}`;
}
