// The lock that etcd holds on its database for as long as it runs (bbolt, db.go, Open: flock(2), exclusive).

import { exists } from '../../base/exists.ts';
import type { Host } from '../../controlplane/host.ts';
import { findHostCommand, runHostCommand } from '../../controlplane/host-command.ts';
import { lockShared } from '../file-lock.ts';

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
  const lock = await lockShared(path);
  if (lock === undefined) return 'held';
  await lock[Symbol.asyncDispose]();
  return lock.state === 'held' ? 'free' : await tryOnHost(host, database);
}

/** Where there is no flock(1) here. */
async function tryOnHost(host: Host, database: string): Promise<LockState> {
  const command = await findHostCommand(host, 'flock');
  if (command === undefined) return 'unknown';
  const words = ['--shared', '--nonblock', '--conflict-exit-code', `${HELD}`, database, 'true'];
  const { code } = await runHostCommand(command, words, TIMEOUT_MS);
  if (code === 0) return 'free';
  return code === HELD ? 'held' : 'unknown';
}
