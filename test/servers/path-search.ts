// The etcd that is installed on this machine, if there is one.
import { dirname } from 'node:path';
import { binariesIn } from './cache.ts';
import { runCommand } from './command.ts';
import { findOnPath } from './processes.ts';
import type { EtcdBinaries } from './versions.ts';

/** The etcd on the PATH with the etcdctl beside it, whichever version it is; undefined if none. */
export async function findInstalled(): Promise<EtcdBinaries | undefined> {
  const etcd = findOnPath('etcd');
  if (etcd === undefined) return undefined;
  const version = await versionOf(etcd);
  return version === undefined ? undefined : binariesIn(dirname(etcd), version, 'the PATH');
}

/** What `etcd --version` says, or undefined if the file does not run. */
export async function versionOf(etcd: string): Promise<string | undefined> {
  const { stdout } = await runCommand(etcd, ['--version'], { timeoutMs: 10_000 });
  return /^etcd Version: (\d+\.\d+\.\d+)/m.exec(stdout)?.[1];
}
