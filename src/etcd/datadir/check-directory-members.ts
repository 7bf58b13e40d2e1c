// The members of a data directory, of which there are three lists: raft's own, which the log leads to; bucket `members` of
// the database, by which 3.6 and later start; and the old store in the .snap file, by which 3.4 and 3.5 do.

import { memberId } from '../store/foreign-text.ts';
import type { Member } from '../store/member.ts';
import { compareMinors } from '../store/notes.ts';
import type { DataDirectory, MemberDatabase } from './data-directory.ts';
import { type DirectoryFinding, directoryError, directoryWarning } from './directory-finding.ts';
import type { Start } from './directory-start.ts';
import type { RaftMembers, SnapshotPosition } from './raft-reader.ts';
import { validSnapshots } from './wal-reader.ts';

/** Members that a sentence names. */
const NAMED_MAX = 8;

export function* checkDirectoryMembers(
  { directory, version }: Start,
  { members, notes }: MemberDatabase,
): Generator<DirectoryFinding> {
  yield* checkOldStore(directory, version);
  const known = raftMembers(directory, notes.consistentIndex ?? 0n);
  if (known === undefined || known.some((raft) => isSame(raft, members))) return;
  const isUsed = compareMinors(version, '3.6.0') >= 0;
  const difference = `the database has the members ${listOf(members)}, and raft has ${textOf(known.at(-1)!)}`;
  yield isUsed
    ? directoryError(
        'members',
        `${difference}: this etcd panics, or never has a leader`,
        'restore a snapshot',
      )
    : directoryWarning(
        'members',
        `${difference}: after an upgrade to 3.6 etcd would not start`,
        'see what the next start leaves: 3.5.26 and later remove members that raft does not have',
      );
}

function* checkOldStore({ snapshot }: DataDirectory, version: string): Generator<DirectoryFinding> {
  if (compareMinors(version, '3.6.0') >= 0 || snapshot === undefined) return;
  const { name, v2Members, members } = snapshot;
  if (typeof v2Members === 'string' || members === undefined || isSame(members, v2Members)) return;
  const message = `${name} has the members ${listOf(v2Members)}, and raft has ${textOf(members)} there: this etcd panics, or never has a leader`;
  yield directoryError('members', message, 'restore a snapshot');
}

/**
 * Raft's members at an index and after each later change: 3.4 notes the index later than the members.
 * @returns undefined where they are not known
 */
export function raftMembers(directory: DataDirectory, index: bigint): RaftMembers[] | undefined {
  const { wal, snapshot } = directory;
  const starts: (SnapshotPosition | undefined)[] = [
    ...(snapshot === undefined ? [] : [snapshot]),
    ...validSnapshots(wal).reverse(),
  ].filter(({ members }) => members !== undefined);
  for (const start of [...starts, undefined]) {
    // What began later than that says nothing of it.
    if (start !== undefined && start.index > index) continue;
    const known = wal.log.membersFrom(start, index);
    if (known !== undefined && !isNobody(known.at(-1)!)) return known;
  }
  return undefined;
}

function isNobody({ voters, learners }: RaftMembers): boolean {
  return voters.length + learners.length === 0;
}

function isSame({ voters, learners }: RaftMembers, members: readonly Member[]): boolean {
  const ids = (isLearner: boolean): string =>
    sorted(members.filter((member) => member.isLearner === isLearner).map(({ id }) => id));
  return ids(false) === sorted(voters) && ids(true) === sorted(learners);
}

function sorted(ids: readonly bigint[]): string {
  return ids.map(memberId).sort().join(' ');
}

function listOf(members: readonly Member[]): string {
  return named(
    members.map(({ id, isLearner }) => `${memberId(id)}${isLearner ? ' (learner)' : ''}`),
  );
}

function textOf({ voters, learners }: RaftMembers): string {
  return named([...voters.map(memberId), ...learners.map((id) => `${memberId(id)} (learner)`)]);
}

function named(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const more = names.length - NAMED_MAX;
  return `${names.slice(0, NAMED_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
