// What others say of a backup, who have never heard of us: etcd's own tool, tar, a digest.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readRecord } from '../../src/record/record.ts';
import type { BackupRecord } from '../../src/record/schema.ts';
import { type BackupFiles, filesBeside } from '../../src/record/stamp.ts';
import type { EtcdBinaries } from '../servers/versions.ts';

/**
 * Checks the newest backup of a directory.
 * @param say told of each thing that was found to be right
 * @throws Error if anything is not
 */
export async function checkBackup(
  directory: string,
  binaries: EtcdBinaries,
  say: (text: string) => void,
): Promise<BackupFiles> {
  const records = (await readdir(directory)).filter((name) => name.startsWith('backup_')).sort();
  const files = filesBeside(records.at(-1)!)!;
  const record = await readRecord(join(directory, files.record));
  const snapshot = join(directory, files.snapshot);
  const archive = join(directory, files.resources);

  expectEqual('the snapshot', await sha256(snapshot), record.snapshot.sha256);
  expectEqual('the archive', await sha256(archive), record.resources.sha256);
  say('  digests      snapshot and archive have the SHA-256 that the record names');
  checkByPeer(snapshot, record, binaries, say);
  checkArchive(archive, record, say);
  return files;
}

/** etcd's own tool must read it, and find the same revision. */
function checkByPeer(
  path: string,
  record: BackupRecord,
  { etcdctl, etcdutl, version }: EtcdBinaries,
  say: (text: string) => void,
): void {
  const tool = etcdutl ?? etcdctl;
  const result = spawnSync(tool, ['snapshot', 'status', path, '-w', 'json'], {
    encoding: 'utf8',
    env: { ...process.env, ETCDCTL_API: '3' },
  });
  if (result.status !== 0) throw new Error(`snapshot status failed: ${result.stderr}`);
  const status = JSON.parse(result.stdout) as { revision: number };
  expectEqual("etcd's own revision", `${status.revision}`, record.snapshot.revision);
  say(`  by etcd      snapshot status of ${version}: ${result.stdout.trim()}`);
}

function checkArchive(path: string, record: BackupRecord, say: (text: string) => void): void {
  const result = spawnSync('tar', ['-tzf', path], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`tar failed: ${result.stderr}`);
  const names = result.stdout.trim().split('\n');
  const base = record.host.layout === 'kubeadm' ? '/' : '/etc/kubernetes/';
  for (const pod of record.resources.pods) {
    const place = pod.path.slice(base.length);
    const isThere = names.some((name) => name === place || name.startsWith(`${place}/`));
    expectEqual(`${place} in the archive`, isThere, true);
  }
  const trees = new Set(names.map((name) => name.split('/').slice(0, 2).join('/')));
  say(`  by tar       ${names.length} entries: ${[...trees].join(' ')}`);
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function expectEqual(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) {
    throw new Error(`${what}: found ${String(found)}, expected ${String(expected)}`);
  }
}
