// A view of this machine in which no etcd is to be found but those that a test puts there: other processes are not seen,
// and what the distribution has installed is covered.
import { spawnSync } from 'node:child_process';
import { findOnPath } from '../servers/processes.ts';

const COVERED = ['/usr/local/bin/etcd', '/usr/bin/etcd'];

/** Why there can be none here; undefined where there can. */
export function namespacesMissing(): string | undefined {
  if (findOnPath('unshare') === undefined) return 'there is no unshare';
  const { status } = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']);
  return status === 0 ? undefined : 'this process may not make namespaces';
}

/**
 * What stands before a command line, and its environment. All that it starts ends with it.
 * @param path directories that are on the PATH before those without an etcd
 */
export function withoutEtcd(path: readonly string[]) {
  const covers = COVERED.map((file) => `[ ! -e ${file} ] || mount --bind /dev/null ${file}`);
  const script = [...covers, 'exec "$@"'].join('\n');
  const namespaces = ['--pid', '--fork', '--kill-child', '--mount-proc'];
  return {
    launcher: ['unshare', ...namespaces, 'sh', '-c', script, 'sh'],
    env: { PATH: [...path, '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(':') },
  };
}
