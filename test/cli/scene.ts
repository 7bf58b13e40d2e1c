// Where the commands are tried: a member with data, the host it runs on, and places to save to.
import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import type { BackupRecord } from '../../src/record/schema.ts';
import {
  createOpenshiftHost,
  type HostOptions,
  type OpenshiftHost,
} from '../fixtures/openshift-host.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import type { EtcdCluster } from '../servers/etcd.ts';
import type { EtcdMember } from '../servers/member.ts';

/**
 * More than a stream can have on its way: 1 MiB of its window and what the sockets hold. A
 * transfer of this much that is slowed down is in mid-stream at both ends.
 */
export const LARGE_BYTES = 12 << 20;

/** Puts at least so many bytes that no compression makes fewer. */
export async function fill({ gateway }: EtcdCluster, sizeBytes: number): Promise<void> {
  for (let written = 0; written < sizeBytes; written += 1 << 20) {
    await gateway.put(`/filling/${written}`, randomBytes(1 << 20));
  }
}

/** A directory that is gone after the test. */
export function directoryForTest(): string {
  const directory = temporaryDirectory();
  onTestFinished(() => removeTemporaryDirectory(directory));
  return directory;
}

/** A directory in which something is already that must stay as it is. */
export async function usedDirectory(): Promise<string> {
  const directory = directoryForTest();
  await writeFile(join(directory, 'snapshot_2026-01-02_030405.db'), randomBytes(5000), {
    mode: 0o600,
  });
  await writeFile(
    join(directory, 'static_kuberesources_2026-01-02_030405.tar.gz'),
    randomBytes(500),
  );
  await writeFile(
    join(directory, 'backup_2026-01-02_030405.json'),
    '{"schema":"etcdkeep.backup/v1"}',
  );
  await writeFile(join(directory, '.hidden'), 'kept');
  return directory;
}

/** The host of a cluster's first member, for all tests of the describe block it is called in. */
export function hostForSuite(etcd: () => EtcdCluster, options?: HostOptions): () => OpenshiftHost {
  let host: OpenshiftHost | undefined;
  beforeAll(async () => {
    host = await createOpenshiftHost(etcd(), options);
  });
  afterAll(() => host?.remove());
  return () => host!;
}

/** The same for one test, which may spoil it. */
export async function hostForTest(
  etcd: EtcdCluster,
  options?: HostOptions,
): Promise<OpenshiftHost> {
  const host = await createOpenshiftHost(etcd, options);
  onTestFinished(() => host.remove());
  return host;
}

/** The flags that reach a member. */
export function flagsFor({ endpoint, tls }: EtcdMember): string[] {
  const pair =
    tls?.mode === 'mutual' ? [`--cert=${tls.client.cert}`, `--key=${tls.client.key}`] : [];
  return [`--endpoints=${endpoint}`, ...(tls === undefined ? [] : [`--cacert=${tls.ca}`]), ...pair];
}

/** Whether some of a snapshot has arrived in a directory, and is not published yet. */
export async function isReceiving(directory: string): Promise<boolean> {
  const names = await readdir(directory, { recursive: true });
  const partial = names.find((name) => /\.part$|(^|\/)\.etcdkeep-.*\.db$/.test(name));
  if (partial === undefined) return false;
  const found = await stat(join(directory, partial)).catch(() => undefined);
  return (found?.size ?? 0) >= 1 << 20;
}

/** The record of the one backup in a directory. */
export async function recordIn(directory: string): Promise<BackupRecord> {
  const name = (await readdir(directory)).find((one) => one.startsWith('backup_'))!;
  return JSON.parse(await readFile(join(directory, name), 'utf8')) as BackupRecord;
}
