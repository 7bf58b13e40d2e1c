// Where servers are kept between runs: one directory a release, complete or not there at all.
import {
  access,
  constants,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from './processes.ts';
import type { EtcdBinaries } from './versions.ts';

/** Prefix of a directory in the making; the process id follows. */
const UNFINISHED = '.unfinished-';

/** `servers` below ETCDKEEP_CACHE, or below the user's cache directory. */
export function cacheDirectory(): string {
  const base = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return join(process.env.ETCDKEEP_CACHE ?? join(base, 'etcdkeep'), 'servers');
}

/** The place of one release in the cache. */
export function releaseDirectory(version: string): string {
  return join(cacheDirectory(), `etcd-${version}`);
}

/** Versions that lie in the cache, whichever they are. */
export async function cachedVersions(): Promise<string[]> {
  const names = await readdir(cacheDirectory()).catch(() => []);
  return names.filter((name) => name.startsWith('etcd-')).map((name) => name.slice(5));
}

/** The programs of a release in the cache, or undefined. */
export async function findCached(version: string): Promise<EtcdBinaries | undefined> {
  return binariesIn(releaseDirectory(version), version, 'the cache');
}

/** The programs in a directory, or undefined if etcd or etcdctl is not there. */
export async function binariesIn(
  directory: string,
  version: string,
  source: string,
): Promise<EtcdBinaries | undefined> {
  const [etcd, etcdctl, etcdutl] = ['etcd', 'etcdctl', 'etcdutl'].map((name) =>
    join(directory, name),
  ) as [string, string, string];
  if (!(await isExecutable(etcd)) || !(await isExecutable(etcdctl))) return undefined;
  const hasEtcdutl = await isExecutable(etcdutl);
  return { version, etcd, etcdctl, etcdutl: hasEtcdutl ? etcdutl : undefined, source };
}

/**
 * Fills a place in the cache. `fill` writes the programs into a directory of its own, which gets its name
 * only when it is complete: a killed build leaves nothing that looks whole, and of two processes that make
 * the same release the first one wins and the other one drops its work.
 */
export async function fillCache(
  place: string,
  fill: (directory: string) => Promise<void>,
): Promise<void> {
  await mkdir(cacheDirectory(), { recursive: true });
  await removeUnfinished();
  const directory = await mkdtemp(join(cacheDirectory(), `${UNFINISHED}${process.pid}-`));
  try {
    await fill(directory);
    await rename(directory, place).catch(async (error: unknown) => {
      await access(place).catch(() => {
        throw error;
      });
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Removes what killed processes left behind. */
async function removeUnfinished(): Promise<void> {
  for (const name of await readdir(cacheDirectory())) {
    if (!name.startsWith(UNFINISHED) || isAlive(parseInt(name.slice(UNFINISHED.length), 10))) {
      continue;
    }
    await rm(join(cacheDirectory(), name), { recursive: true, force: true });
  }
}

/** Remembers why a server could not be had, for the tests that will not run. */
export async function rememberReason(server: string, reason: string | undefined): Promise<void> {
  await mkdir(cacheDirectory(), { recursive: true });
  if (reason === undefined) await rm(reasonFile(server), { force: true });
  else await writeFile(reasonFile(server), `${reason}\n`);
}

/** The file with that reason. */
export function reasonFile(server: string): string {
  return join(cacheDirectory(), `missing-${server}`);
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
