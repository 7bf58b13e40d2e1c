// Programs as the distribution packages them, etcd above all, unpacked into the cache. Nothing is installed, and no
// service is started: the packages are downloaded and opened, not handed to dpkg.
import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fillCache, releaseDirectory } from './cache.ts';
import { lastLine, runCommand } from './command.ts';
import { removeTemporaryDirectory, temporaryDirectory } from './directories.ts';
import type { Part } from './parts.ts';
import { findOnPath } from './processes.ts';

const PACKAGES = ['etcd-server', 'etcd-client'];
const PROGRAMS = new Set(['etcd', 'etcdctl', 'etcdutl']);

/** The etcd version that the distribution packages, or the reason why there is none. */
export async function packagedVersion(): Promise<{ version: string } | { reason: string }> {
  if (findOnPath('apt-get') === undefined || findOnPath('dpkg-deb') === undefined) {
    return { reason: 'this is not a Debian' };
  }
  let version = await candidate();
  if (version === undefined) {
    // A fresh image has no package lists.
    const update = await runCommand('apt-get', ['update', '-qq']);
    version = await candidate();
    if (version === undefined) {
      const why = update.code === 0 ? '' : ` (apt-get update: ${lastLine(update.stderr)})`;
      return { reason: `the distribution has no package etcd-server${why}` };
    }
  }
  return { version };
}

/** Downloads and unpacks that version into the cache. Throws an Error with the reason. */
export async function unpackPackage(version: string): Promise<void> {
  const scratch = temporaryDirectory();
  try {
    await must('apt-get', ['download', '-qq', ...PACKAGES], scratch);
    for (const name of await readdir(scratch)) {
      await must('dpkg-deb', ['-x', name, 'unpacked'], scratch);
    }
    await fillCache(releaseDirectory(version), async (directory) => {
      const programs = join(scratch, 'unpacked/usr/bin');
      for (const name of await readdir(programs)) {
        if (PROGRAMS.has(name)) await copyFile(join(programs, name), join(directory, name));
      }
    });
  } finally {
    removeTemporaryDirectory(scratch);
  }
}

/**
 * A program of a package that needs nothing but the C library beside it, of whichever version there is.
 * @param path in the package
 * @param versionFlag with which it says its version, and nothing more
 */
export function packagedProgram(
  name: string,
  packageName: string,
  path: string,
  versionFlag = '--version',
): Part {
  return {
    name,
    version: 'of-debian',
    maker: `Debian's package ${packageName}`,
    isThis: async (installed) => (await runCommand(installed, [versionFlag])).code === 0,
    make: async (directory) => {
      const scratch = temporaryDirectory();
      try {
        const download = ['download', '-qq', packageName];
        const { code } = await runCommand('apt-get', download, { cwd: scratch });
        if (code !== 0) {
          // A fresh image has no package lists, an old one has those of packages that have been replaced.
          await must('apt-get', ['update', '-qq'], scratch);
          await must('apt-get', download, scratch);
        }
        const [file] = await readdir(scratch);
        await must('dpkg-deb', ['-x', file!, 'unpacked'], scratch);
        await copyFile(join(scratch, 'unpacked', path), join(directory, name));
      } finally {
        removeTemporaryDirectory(scratch);
      }
    },
  };
}

/** The upstream part of the candidate's version: `3.4.23` of `3.4.23-4+b4`. */
async function candidate(): Promise<string | undefined> {
  const { stdout } = await runCommand('apt-cache', ['show', '--no-all-versions', PACKAGES[0]!]);
  return /^Version: (?:\d+:)?(\d+\.\d+\.\d+)/m.exec(stdout)?.[1];
}

async function must(file: string, args: readonly string[], cwd: string): Promise<void> {
  const { code, stderr } = await runCommand(file, args, { cwd });
  if (code !== 0) throw new Error(`${file} ${args[0]!} failed: ${lastLine(stderr)}`);
}
