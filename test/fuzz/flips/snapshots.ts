// Small snapshots of real members of each version, with all that a snapshot has: branch pages, leaves of several
// pages, free pages with what they held, deletions, a lease, and a compaction that is over.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTemporaryDirectory, temporaryDirectory } from '../../servers/directories.ts';
import { startEtcd } from '../../servers/etcd.ts';
import type { EtcdVersion } from '../../servers/versions.ts';

/** @returns the file as that version's etcdctl saves it, its trailer included */
export async function snapshotOf(version: EtcdVersion, puts = 150): Promise<Buffer> {
  await using etcd = await startEtcd({ version });
  const { member, gateway } = etcd;
  const etcdctl = async (...line: string[]): Promise<void> => {
    const { code, stderr } = await member.etcdctl(line);
    if (code !== 0) throw new Error(stderr);
  };
  for (let index = 0; index < puts; index += 1) {
    const size = index % 70 === 9 ? 9000 : 40 + ((index * 37) % 200);
    await gateway.put(`/registry/${index % 60}`, Buffer.alloc(size, `value ${index} `));
    if (index === 100) await etcdctl('del', '/registry/5');
  }
  await etcdctl('compact', `${Math.floor(puts / 2)}`, '--physical');
  await etcdctl('del', '/registry/7');
  await etcdctl('put', '/registry/7', 'again');
  const directory = temporaryDirectory();
  try {
    const path = join(directory, 'snapshot.db');
    await etcdctl('snapshot', 'save', path);
    return await readFile(path);
  } finally {
    removeTemporaryDirectory(directory);
  }
}
