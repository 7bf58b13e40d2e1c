import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findRelease } from './binaries.ts';
import {
  cacheDirectory,
  fillCache,
  findCached,
  releaseDirectory,
  rememberReason,
} from './cache.ts';
import { removeTemporaryDirectory, temporaryDirectory } from './directories.ts';
import { serves } from './versions.ts';

describe('the cache of servers', () => {
  let directory: string;
  beforeEach(() => {
    directory = temporaryDirectory();
    vi.stubEnv('ETCDKEEP_CACHE', directory);
    vi.stubEnv('PATH', directory);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    removeTemporaryDirectory(directory);
  });

  const fill = async (place: string): Promise<void> => {
    for (const name of ['etcd', 'etcdctl', 'etcdutl']) {
      await writeFile(join(place, name), '', { mode: 0o755 });
    }
  };

  it('has a release once it is filled', async () => {
    expect(await findCached('3.6.16')).toBeUndefined();
    await fillCache(releaseDirectory('3.6.16'), fill);
    const etcd = join(directory, 'servers/etcd-3.6.16/etcd');
    expect(await findRelease('3.6.16')).toMatchObject({ binaries: { version: '3.6.16', etcd } });
  });

  it('has nothing of a release whose making failed', async () => {
    const failing = fillCache(releaseDirectory('3.6.16'), async (place) => {
      await writeFile(join(place, 'etcd'), '', { mode: 0o755 });
      throw new Error('no network');
    });
    await expect(failing).rejects.toThrow('no network');
    expect(await readdir(cacheDirectory())).toEqual([]);
  });

  it('loses nothing when two make the same release', async () => {
    await Promise.all([
      fillCache(releaseDirectory('3.6.16'), fill),
      fillCache(releaseDirectory('3.6.16'), fill),
    ]);
    expect(await readdir(cacheDirectory())).toEqual(['etcd-3.6.16']);
  });

  it('is cleared of what a killed process left, not of what a live one makes', async () => {
    // No process has the largest id that Linux could give.
    await mkdir(join(cacheDirectory(), '.unfinished-4194304-abc'), { recursive: true });
    await mkdir(join(cacheDirectory(), `.unfinished-${process.ppid}-abc`));
    await fillCache(releaseDirectory('3.6.16'), fill);
    expect((await readdir(cacheDirectory())).sort()).toEqual([
      `.unfinished-${process.ppid}-abc`,
      'etcd-3.6.16',
    ]);
  });

  it('takes any 3.4 for 3.4.23, and no other release for another', async () => {
    await fillCache(releaseDirectory('3.4.30'), fill);
    expect(await findRelease('3.4.23')).toMatchObject({ binaries: { version: '3.4.30' } });
    expect(serves('3.5.16', '3.5.35')).toBe(false);
  });

  it('remembers why a release is missing', async () => {
    await rememberReason('3.7.3', 'there is no go to build it with');
    expect(await findRelease('3.7.3')).toEqual({ reason: 'there is no go to build it with' });
    await rememberReason('3.7.3', undefined);
    expect(await findRelease('3.7.3')).toEqual({
      reason: 'it was not prepared (test/servers/prepare.ts)',
    });
  });
});
