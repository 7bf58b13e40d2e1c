// What etcd keeps besides records, checked as a whole once it is collected: pure functions over StoreContents.

import { ROOT } from './auth.ts';
import { checkMembers } from './check-members.ts';
import { type ContentsFinding, contentsError, contentsWarning } from './contents-finding.ts';
import { leaseId, memberId } from './foreign-text.ts';
import { LeaseIds } from './lease-ids.ts';
import { compareMinors } from './notes.ts';
import type { StoreContents } from './store-contents.ts';

/** Ids that a sentence names. */
const NAMED_MAX = 8;

/** What an alarm does to a member that starts with it (server/etcdserver/apply). */
const ALARM_EFFECTS: Readonly<Record<string, string>> = {
  NOSPACE: 'the members refuse to write',
  CORRUPT: 'the members refuse to read and to write',
};

/**
 * Checks all but the leases of keys.
 * @param lastRevision main revision of the last record of bucket `key`; 0 if there is none
 */
export function* checkContents(
  contents: StoreContents,
  lastRevision: bigint,
): Generator<ContentsFinding> {
  yield* checkMembers(contents);
  yield* checkAlarms(contents);
  yield* checkAuth(contents);
  yield* checkVersions(contents);
  yield* checkCompaction(contents, lastRevision);
}

function* checkAlarms({ alarms }: StoreContents): Generator<ContentsFinding> {
  for (const alarm of alarms) {
    const effect = ALARM_EFFECTS[alarm.type] ?? 'what it does is not known';
    const message = `alarm ${alarm.type} of member ${memberId(alarm.memberId)} is on and survives a restore: ${effect} until "etcdctl alarm disarm"`;
    yield contentsWarning('alarm', message, alarm);
  }
}

/** etcd turns authentication on for nobody else (server/auth/store.go, AuthEnable), yet lets them go later. */
function* checkAuth({ notes, users }: StoreContents): Generator<ContentsFinding> {
  if (notes.authEnabled !== true) return;
  const root = users.find(({ name }) => name === ROOT);
  if (root?.roles.includes(ROOT) === true) return;
  const lack =
    root === undefined ? `there is no user "${ROOT}"` : `user "${ROOT}" has no role "${ROOT}"`;
  const message = `authentication is on and ${lack}: after a restore nobody may be able to turn it off`;
  yield contentsWarning('auth', message, notes.placeOf('auth/authEnabled'));
}

function* checkVersions({ notes }: StoreContents): Generator<ContentsFinding> {
  const { term, storageVersion, clusterVersion, downgrade } = notes;
  if (term === 0n) {
    yield contentsError(
      'notes',
      'meta/term is 0, and terms begin with 1',
      notes.placeOf('meta/term'),
    );
  }
  if (storageVersion === undefined) return;
  const place = notes.placeOf('meta/storageVersion');
  if (compareMinors(storageVersion, '3.6.0') < 0) {
    const message = `the storage version is ${storageVersion}, and etcd notes it only since 3.6`;
    yield contentsWarning('notes', message, place);
  } else if (term === undefined) {
    const message = `the storage version is ${storageVersion}, and meta/term, which etcd has since 3.5, is missing`;
    yield contentsWarning('notes', message, place);
  }
  if (clusterVersion === undefined || downgrade?.isEnabled === true) return;
  if (compareMinors(storageVersion, clusterVersion) <= 0) return;
  // What an etcd before 3.6 leaves that was started on the database of a newer one.
  const message = `the storage version is ${storageVersion} and the cluster version ${clusterVersion}, though no downgrade is under way: an etcd between the two refuses to start on it`;
  yield contentsWarning('notes', message, place);
}

function* checkCompaction(
  { notes }: StoreContents,
  lastRevision: bigint,
): Generator<ContentsFinding> {
  const { scheduledCompactRevision = -1n, finishedCompactRevision = -1n } = notes;
  if (finishedCompactRevision > scheduledCompactRevision) {
    const begun =
      scheduledCompactRevision < 0n
        ? 'none was begun'
        : `only ${scheduledCompactRevision} was begun`;
    const message = `the compaction to ${finishedCompactRevision} is finished, and ${begun}`;
    yield contentsError('notes', message, notes.placeOf('meta/finishedCompactRev'));
  }
  const compacted =
    finishedCompactRevision > scheduledCompactRevision
      ? finishedCompactRevision
      : scheduledCompactRevision;
  if (compacted <= lastRevision) return;
  // etcd, server/storage/mvcc/kvstore.go, restore: the later ones go on from the compaction.
  const message = `the last record is of revision ${lastRevision}, before the compaction to ${compacted}: etcd before 3.4.32 and 3.5.14 would give revisions out again`;
  const name =
    compacted === scheduledCompactRevision ? 'meta/scheduledCompactRev' : 'meta/finishedCompactRev';
  yield contentsWarning('notes', message, notes.placeOf(name));
}

/** The leases that live keys name, to be held against those that there are. */
export class LeaseReferences {
  readonly #ids = new LeaseIds();

  /**
   * To be called for each live key: one whose newest record is no tombstone.
   * @param lease of that record; 0 for none
   */
  add(lease: bigint): void {
    if (lease !== 0n) this.#ids.add(lease);
  }

  /** What is wrong, once both buckets were walked. etcd attaches a key to no lease that is not there. */
  *check({ leases, leasePlace }: StoreContents): Generator<ContentsFinding> {
    // Of what was too much to be kept nothing can be said.
    if (leases.isFull) return;
    const named: string[] = [];
    let missing = 0;
    for (const id of this.#ids.values()) {
      if (leases.has(id)) continue;
      missing += 1;
      if (missing <= NAMED_MAX) named.push(leaseId(id));
    }
    if (missing === 0) return;
    const ids =
      missing > NAMED_MAX
        ? `${named.join(', ')} and ${missing - NAMED_MAX} more`
        : named.join(', ');
    const message = `keys have leases that are not in the database, so they would never expire: ${ids}`;
    yield contentsError('lease', message, leasePlace);
  }
}
