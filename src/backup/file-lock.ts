// The lock that a member has on its database while it runs (flock(2), taken by bbolt). Node cannot take one; flock(1) of
// util-linux can, and whoever holds it shared keeps a member from starting on the file.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readError, systemCodeOf } from '../base/errors.ts';

export interface FileLock extends AsyncDisposable {
  /** `unknown`: there is no flock(1) here. */
  readonly state: 'held' | 'unknown';
}

/** What flock(1) is told to end with where another has the lock. */
const CONFLICT = 75;

/**
 * Takes the lock of a file, shared with other readers, until it is disposed or this process ends, however that is. The file
 * is opened for reading.
 * @returns undefined if another process has it for itself
 * @throws EtcdkeepError `file-failed`
 */
export async function lockShared(path: string, program = 'flock'): Promise<FileLock | undefined> {
  // It ends when its stdin does, which is when this process does.
  const held = ['sh', '-c', 'echo held && exec cat'];
  const flags = ['--shared', '--nonblock', '--conflict-exit-code', `${CONFLICT}`];
  const child = spawn(program, [...flags, path, ...held], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const ended = Promise.withResolvers<number | undefined>();
  child.on('close', (code) => ended.resolve(code ?? undefined));
  child.on('error', (reason) => {
    if (systemCodeOf(reason) === 'ENOENT') ended.resolve(undefined);
    else ended.reject(reason);
  });
  const isHeld = once(child.stdout, 'data').then(() => true as const);
  const outcome = await Promise.race([isHeld, ended.promise]);
  if (outcome === true) {
    return {
      state: 'held',
      [Symbol.asyncDispose]: async () => {
        child.stdin.end();
        await ended.promise;
      },
    };
  }
  if (outcome === CONFLICT) return undefined;
  if (outcome === undefined)
    return { state: 'unknown', [Symbol.asyncDispose]: () => Promise.resolve() };
  throw readError(new Error(complaint.trim()), 'take the lock of the database', path);
}
