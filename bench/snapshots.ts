// The snapshots that readers are measured on: taken from a real member, one of many small objects and one of
// few large ones.

import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { openFileSource } from '../src/bbolt/file-source.ts';
import { readDatabaseStatus } from '../src/etcd/store/database-status.ts';
import { startEtcd } from '../test/servers/etcd.ts';
import type { Write } from '../test/servers/gateway.ts';
import { load } from '../test/servers/load.ts';
import type { EtcdBinaries } from '../test/servers/versions.ts';
import { ETCDKEEP, measure } from './measure.ts';
import { smallObjects } from './small-objects.ts';

export interface BenchSnapshot {
  readonly path: string;
  readonly name: string;
  readonly bytes: number;
  readonly records: number;
}

/** etcd refuses requests beyond 1.5 MiB. */
const LARGE_VALUE_BYTES = 1024 * 1024;

/** @param sizeBytes of all values, about */
export async function takeSnapshots(
  directory: string,
  release: EtcdBinaries,
  sizeBytes: number,
): Promise<BenchSnapshot[]> {
  return [
    await takeSnapshot(directory, release, 'many small objects', smallObjects(0, sizeBytes)),
    await takeLargeSnapshot(directory, release, 'few large objects', sizeBytes),
  ];
}

/** One of few large objects. @param sizeBytes of all values, about */
export function takeLargeSnapshot(
  directory: string,
  release: EtcdBinaries,
  name: string,
  sizeBytes: number,
): Promise<BenchSnapshot> {
  return takeSnapshot(directory, release, name, largeObjects(sizeBytes));
}

/** Reads a file, so that it is in memory for both. */
export function warm(path: string): void {
  const file = openSync(path, 'r');
  const buffer = Buffer.alloc(8 << 20);
  while (readSync(file, buffer) > 0);
  closeSync(file);
}

async function takeSnapshot(
  directory: string,
  release: EtcdBinaries,
  name: string,
  writes: Iterable<Write>,
): Promise<BenchSnapshot> {
  const path = join(directory, `${name.replaceAll(' ', '-')}.db`);
  await using cluster = await startEtcd({
    version: release,
    flags: ['--quota-backend-bytes', String(8 * 2 ** 30)],
  });
  await load(cluster.gateway, writes);
  await measure([ETCDKEEP, 'snapshot', 'save', path], { ETCDCTL_ENDPOINTS: cluster.endpoint });
  const source = openFileSource(path);
  const { entries } = await readDatabaseStatus(source);
  source.close();
  return { path, name, bytes: source.size, records: entries };
}

function* largeObjects(sizeBytes: number): Generator<Write> {
  for (let index = 0; index * LARGE_VALUE_BYTES < sizeBytes; index += 1) {
    const block = createHash('sha512').update(`object ${index}`).digest();
    yield {
      key: `/registry/configmaps/large-${index}`,
      value: Buffer.alloc(LARGE_VALUE_BYTES, block),
    };
  }
}
