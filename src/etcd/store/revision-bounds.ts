// Which revisions can be asked of a database.

import { EtcdkeepError } from '../../base/errors.ts';
import type { StoreFacts } from './store-facts.ts';

/**
 * Up to where the past is compacted; -1 if never. A compaction that is under way counts as done: a member that starts
 * on the database finishes it first.
 */
export function compactRevisionOf({
  finishedCompactRevision = -1n,
  scheduledCompactRevision = -1n,
}: Pick<StoreFacts, 'finishedCompactRevision' | 'scheduledCompactRevision'>): bigint {
  return finishedCompactRevision > scheduledCompactRevision
    ? finishedCompactRevision
    : scheduledCompactRevision;
}

/** @throws EtcdkeepError `revision-compacted`; 0 stands for the newest */
export function demandNotCompacted(revision: bigint, compactRevision: bigint): void {
  if (revision === 0n || revision >= compactRevision) return;
  const message = `revision ${revision} is gone: the database is compacted up to ${compactRevision}`;
  throw new EtcdkeepError('revision-compacted', message, { revision });
}

/** @throws EtcdkeepError `revision-future` */
export function demandNotFuture(revision: bigint, currentRevision: bigint): void {
  if (revision <= currentRevision) return;
  const message = `revision ${revision} has not been yet: the newest is ${currentRevision}`;
  throw new EtcdkeepError('revision-future', message, { revision });
}
