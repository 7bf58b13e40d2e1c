// The lock that etcd holds on its database for as long as it runs (bbolt, db.go, Open: flock(2), exclusive).

import { execFile } from 'node:child_process';
import { type Host } from '../../controlplane/host.ts';
import { findHostCommand, runHostCommand } from '../../controlplane/host-command.ts';
import { exists } from './run.ts';

/** `unknown` where nothing can tell. */
export type LockState = 'free' | 'held' | 'unknown';

/** What flock(1) is to say where somebody else holds it. */
const HELD = 75;

const TIMEOUT_MS = 5000;

/**
 * Whether the lock of a database can be taken. It is taken for a moment: node has no flock(2), and /proc/locks
 * leaves out those that are held in another pid namespace, so flock(1) of util-linux does it, which every host has.
 * @param database as the host knows it; no database, no lock
 */
export async function databaseLock(host: Host, database: string): Promise<LockState> {
  const path = host.realPath(database);
  if (!(await exists(path))) return 'free';
  const code = (await tryHere(path)) ?? (await tryOnHost(host, database));
  if (code === 0) return 'free';
  return code === HELD ? 'held' : 'unknown';
}

function words(path: string): string[] {
  return ['--exclusive', '--nonblock', '--conflict-exit-code', `${HELD}`, path, 'true'];
}

/** @returns undefined if there is no flock(1) here */
function tryHere(path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    execFile('flock', words(path), { timeout: TIMEOUT_MS }, (failure) => {
      if (failure === null) resolve(0);
      else resolve(typeof failure.code === 'number' ? failure.code : undefined);
    });
  });
}

async function tryOnHost(host: Host, database: string): Promise<number | undefined> {
  const command = await findHostCommand(host, 'flock');
  if (command === undefined) return undefined;
  return (await runHostCommand(command, words(database), TIMEOUT_MS)).code;
}
