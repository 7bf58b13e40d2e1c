// Temporary directories that are gone after the test, however it ends.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from './processes.ts';

/** The process id follows. */
const PREFIX = 'etcdkeep-test-';

const present = new Set<string>();
let swept = false;

process.on('exit', () => {
  for (const directory of present) remove(directory);
});

/** A new directory, removed when the process exits, or by the next one if it is killed. */
export function temporaryDirectory(): string {
  if (!swept) removeLeftovers();
  swept = true;
  const directory = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  present.add(directory);
  return directory;
}

/** Removes one now. */
export function removeTemporaryDirectory(directory: string): void {
  present.delete(directory);
  remove(directory);
}

function remove(directory: string): void {
  // A server that was killed a moment ago may still make a file: ENOTEMPTY is tried again.
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
}

/** Removes the directories of processes that were killed before they could do it. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? parseInt(name.slice(PREFIX.length), 10) : NaN;
    if (!Number.isNaN(pid) && !isAlive(pid)) remove(join(tmpdir(), name));
  }
}
