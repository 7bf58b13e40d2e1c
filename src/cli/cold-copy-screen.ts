// What is said of a snapshot that was copied from the data directory of a member that does not run.

import type { ColdCopy } from '../backup/cold-copy.ts';
import { formatBytes, formatCount } from '../base/units.ts';
import type { Screen } from './screen.ts';

export function tellColdCopy(screen: Screen, path: string, copy: ColdCopy): void {
  const { status, beyond, findings, wasLocked, directory, bytes } = copy;
  screen.answer(`Snapshot saved at ${path}`);
  if (status.storageVersion !== undefined) screen.answer(`Server version ${status.storageVersion}`);
  const lock = wasLocked
    ? 'nothing has its database open, and it was locked meanwhile'
    : 'nothing that can be seen from here has its database open; there is no flock(1) to lock it with';
  screen.tell('member', `${directory.path} · stopped: ${lock}`);
  screen.tell(
    'proven',
    `${formatCount(status.pagesReachable)} pages and the history of every key sound; ` +
      `revision ${status.revision}, ${formatCount(status.liveKeys)} keys, ${formatBytes(bytes)}`,
  );
  if (beyond.writes > 0) {
    const known = `${formatCount(beyond.committedWrites)} of them known to be agreed on`;
    screen.warn(
      `the log has ${formatCount(beyond.writes)} writes that are not in the database, and so not in the copy; ${known} (docs/quorum-restore.md#writes-beyond-the-copy)`,
    );
  } else {
    screen.tell('log', `nothing in it that is not in the copy: ${logLine(copy)}`);
  }
  for (const { message, advice } of findings) screen.warn(`${message}; ${advice}`);
}

function logLine({ beyond: { entries } }: ColdCopy): string {
  if (entries === 0) return 'the database has its last entry';
  return `${formatCount(entries)} more entries write nothing`;
}

export function coldCopyDocument(copy: ColdCopy): Record<string, unknown> {
  const { bytes, trailer, status, directory, beyond, findings, wasLocked } = copy;
  const { metadata, hardState, log } = directory.wal;
  return {
    bytes,
    trailer,
    dataDirectory: directory.path,
    clusterId: metadata?.clusterId.toString(16),
    memberId: metadata?.memberId.toString(16),
    storageVersion: status.storageVersion,
    revision: status.revision.toString(),
    keys: status.liveKeys,
    totalSize: status.totalSize,
    consistentIndex: status.consistentIndex?.toString(),
    lastIndex: log.lastIndex.toString(),
    commit: hardState?.commit.toString(),
    ...{ entriesBeyond: beyond.entries, writesBeyond: beyond.writes },
    committedWritesBeyond: beyond.committedWrites,
    locked: wasLocked,
    findings,
  };
}
