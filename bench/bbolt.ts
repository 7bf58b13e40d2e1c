// bbolt's own command, whose `check` is a peer: built from its published module and kept beside the servers.

import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory, fillCache } from '../test/servers/cache.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../test/servers/directories.ts';
import { buildProgram } from '../test/servers/go-build.ts';

const VERSION = '1.5.0';
const MODULE = 'go.etcd.io/bbolt';

/** @returns the program's path, or why it cannot be had */
export async function prepareBbolt(): Promise<{ path: string } | { reason: string }> {
  const place = join(cacheDirectory(), `bbolt-${VERSION}`);
  const path = join(place, 'bbolt');
  try {
    await access(path).catch(() => build(place));
    return { path };
  } catch (reason) {
    return { reason: reason instanceof Error ? reason.message : String(reason) };
  }
}

async function build(place: string): Promise<void> {
  const scratch = temporaryDirectory();
  try {
    await fillCache(place, async (directory) => {
      const program = { module: MODULE, main: `${MODULE}/cmd/bbolt`, version: VERSION };
      await buildProgram(scratch, program, join(directory, 'bbolt'));
    });
  } finally {
    removeTemporaryDirectory(scratch);
  }
}
