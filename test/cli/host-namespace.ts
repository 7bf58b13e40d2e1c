// A process to which a host's files are this machine's own, in a mount namespace that ends with it: for
// programs that know no other root than /.
import { spawnSync } from 'node:child_process';
import type { CommandResult } from '../servers/command.ts';
import { cleanEnvironment } from '../servers/processes.ts';
import { volumesMissing } from './volume.ts';

/** Why there can be none here; undefined where there can. */
export const namespacesMissing = volumesMissing;

// /etc as it is, with the host's /etc/kubernetes and proxy file in it; and a /run for this process alone.
const SCRIPT = `
set -e
mount -t tmpfs tmpfs /run
mkdir /run/upper /run/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /etc
mkdir -p /etc/kubernetes /etc/mco
mount --bind "$1/etc/kubernetes" /etc/kubernetes
if [ -d "$1/etc/mco" ]; then mount --bind "$1/etc/mco" /etc/mco; fi
shift
exec "$@"
`;

/** Runs a program to its end. @param root the host's root directory */
export function runAsHost(
  { root }: { readonly root: string },
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): CommandResult {
  const line = ['-m', 'sh', '-c', SCRIPT, 'sh', root, program, ...args];
  const { status, stdout, stderr } = spawnSync('unshare', line, {
    encoding: 'utf8',
    env: { ...cleanEnvironment(), ...env },
    timeout: 60_000,
  });
  return { code: status ?? -1, stdout, stderr };
}
