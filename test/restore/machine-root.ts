// Programs of the host: a restore of a host that is seen as a directory runs them in its root. Here they are this machine's,
// and stand-ins, which only the run itself sees mounted there.
import { spawnSync } from 'node:child_process';
import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import type { Scene } from './host-scene.ts';

/** Why there can be none here; undefined where there can. */
export const noChroot = ((): string | undefined => {
  const { status } = spawnSync('unshare', ['-m', 'chroot', '/', 'true']);
  return status === 0 ? undefined : 'this process may not chroot';
})();

/** Makes the places where programs are mounted. */
export async function prepareRoot(scene: Scene): Promise<void> {
  for (const place of ['/usr', '/mnt/usr', '/opt/bin', '/dev']) {
    await mkdir(scene.path(place), { recursive: true });
  }
  for (const link of ['bin', 'sbin', 'lib', 'lib64']) {
    await symlink(`usr/${link}`, scene.path(`/${link}`));
  }
  await writeFile(scene.path('/dev/null'), '');
}

/** Puts a program into the host's /usr/local/bin. */
export async function installProgram(scene: Scene, name: string, file: string): Promise<void> {
  await copyFile(file, scene.path(`/opt/bin/${name}`));
  await chmod(scene.path(`/opt/bin/${name}`), 0o755);
}

/** What stands before a command line that sees them. */
export function inHostsRoot(scene: Scene): string[] {
  const mounts = [
    `mount --bind /usr ${scene.path('/mnt/usr')}`,
    `mount --bind ${scene.path('/opt/bin')} ${scene.path('/mnt/usr/local/bin')}`,
    `mount --rbind ${scene.path('/mnt/usr')} ${scene.path('/usr')}`,
  ];
  return ['unshare', '-m', 'sh', '-c', `${mounts.join(' && ')} && exec "$0" "$@"`];
}
