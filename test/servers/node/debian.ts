// The system of a node, and of its images: a root directory with what Debian has for it, unpacked and not installed. No
// script of a package is run, so that no chroot is needed, and nothing of this machine is changed.
import { createHash } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastLine, runCommand } from '../command.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../directories.ts';
import type { Part } from '../parts.ts';

const PACKAGES = [
  'bash',
  // Of which kubeadm's image of etcd has its shell.
  'bash-static',
  'containernetworking-plugins',
  'coreutils',
  'findutils',
  'grep',
  'gzip',
  'iproute2',
  // What etcdkeep's own executable is linked to.
  'libstdc++6',
  'mawk',
  'mount',
  'procps',
  'runc',
  'sed',
  'tar',
  'util-linux',
  'zstd',
];

/** What a package's script would have written. */
const FILES: Readonly<Record<string, string>> = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
  'etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
};

/** And which directories. */
const DIRECTORIES = ['mnt', 'opt', 'usr/local/bin', 'usr/local/sbin'];

/** Which program stands in for another one: the shell is bash, as on a Red Hat system. */
const LINKS: Readonly<Record<string, string>> = { 'usr/bin/awk': 'mawk', 'usr/bin/sh': 'bash' };

/** Since Debian 12 these are links, which no package brings along. */
const MERGED = ['bin', 'sbin', 'lib', 'lib64'];

const UNPACK = `
for package in "$1"/*.deb; do
  dpkg-deb --fsys-tarfile "$package" |
    tar --extract --keep-directory-symlink --exclude-from "$1/excluded" --directory "$2" || exit 1
done`;

/** What nobody reads on a node. */
export const EXCLUDED = ['doc', 'info', 'locale', 'man'].map((name) => `./usr/share/${name}/*`);

const TIMEOUT_MS = 10 * 60_000;

export const SYSTEM: Part = {
  name: 'node-system',
  version: createHash('sha256')
    .update(JSON.stringify([PACKAGES, EXCLUDED, FILES, DIRECTORIES, LINKS]))
    .digest('hex')
    .slice(0, 12),
  maker: 'packages of Debian',
  make: async (directory) => {
    const root = join(directory, 'node-system');
    await unpackPackages(PACKAGES, root, EXCLUDED);
    for (const path of DIRECTORIES) await mkdir(join(root, path), { recursive: true });
    for (const [path, text] of Object.entries(FILES)) await writeFile(join(root, path), text);
    for (const [path, to] of Object.entries(LINKS)) await symlink(to, join(root, path));
  },
};

/**
 * Makes a root directory with packages and all that they depend on.
 * @param excluded paths that stay out of it, as patterns of tar
 */
export async function unpackPackages(
  packages: readonly string[],
  root: string,
  excluded: readonly string[],
): Promise<void> {
  const scratch = temporaryDirectory();
  try {
    await download(packages, scratch);
    for (const name of MERGED) {
      await mkdir(join(root, 'usr', name), { recursive: true });
      await symlink(`usr/${name}`, join(root, name));
    }
    await writeFile(join(scratch, 'archives/excluded'), excluded.join('\n'));
    await must('sh', ['-c', UNPACK, 'sh', join(scratch, 'archives'), root]);
  } finally {
    removeTemporaryDirectory(scratch);
  }
}

/** Downloads them, as if nothing were installed. */
async function download(packages: readonly string[], scratch: string): Promise<void> {
  await mkdir(join(scratch, 'archives/partial'), { recursive: true });
  await writeFile(join(scratch, 'status'), '');
  const settings = [
    `Dir::State::status=${join(scratch, 'status')}`,
    `Dir::Cache=${scratch}`,
    'APT::Install-Recommends=false',
    'Debug::NoLocking=true',
  ].flatMap((setting) => ['-o', setting]);
  const args = [...settings, '--quiet', '--yes', '--download-only', 'install', ...packages];
  const first = await runCommand('apt-get', args, { timeoutMs: TIMEOUT_MS });
  if (first.code === 0) return;
  // A fresh image has no package lists, an old one has those of packages that have been replaced.
  await must('apt-get', ['update', '--quiet']);
  await must('apt-get', args);
}

async function must(file: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await runCommand(file, args, { timeoutMs: TIMEOUT_MS });
  if (code !== 0) throw new Error(`${file} failed: ${lastLine(stderr)}`);
}
