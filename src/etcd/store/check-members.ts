// Members against each other, against those that were removed, and against raft's own list of them.

import { type ContentsFinding, contentsError, contentsWarning } from './contents-finding.ts';
import { memberId, quoted } from './foreign-text.ts';
import type { Member } from './member.ts';
import type { ConfState } from './notes.ts';
import type { StoreContents } from './store-contents.ts';

/** Ids that a sentence names. */
const NAMED_MAX = 8;

/** Checks the members of a database that was walked to its end. */
export function* checkMembers(contents: StoreContents): Generator<ContentsFinding> {
  yield* checkPeerUrls(contents);
  yield* checkRemoved(contents);
  yield* checkConfState(contents);
}

/**
 * No two members have one peer URL (server/etcdserver/api/membership/cluster.go, ErrPeerURLexists). etcdctl 3.4's
 * `snapshot restore` leaves the old members beside the new ones, perhaps with the same: hence a warning.
 */
function* checkPeerUrls({ members }: StoreContents): Generator<ContentsFinding> {
  const owners = new Map<string, bigint>();
  for (const member of members) {
    for (const url of new Set(member.peerUrls)) {
      const owner = owners.get(url);
      owners.set(url, member.id);
      if (owner === undefined) continue;
      const both = `members ${memberId(owner)} and ${memberId(member.id)}`;
      const message = `${both} have the peer URL ${quoted(url)}: one of them may be left from before a restore`;
      yield contentsWarning('member', message, member);
    }
  }
}

/** Until 3.5 etcd reads its members elsewhere, and the restore of 3.4 brings one back that was removed. */
function* checkRemoved({
  members,
  membersRemoved,
  notes,
}: StoreContents): Generator<ContentsFinding> {
  const removed = new Set(membersRemoved.map(({ id }) => id));
  const finding = notes.storageVersion === undefined ? contentsWarning : contentsError;
  for (const member of members) {
    if (!removed.has(member.id)) continue;
    const message = `member ${memberId(member.id)} is among the removed ones as well: etcd refuses to talk to it`;
    yield finding('member', message, member);
  }
}

/** A restore writes new members and leaves raft's list as it was, until the next change of members. */
function* checkConfState({ members, notes }: StoreContents): Generator<ContentsFinding> {
  const { confState } = notes;
  if (confState === undefined) return;
  const differences = [...differencesOf(members, confState)];
  if (differences.length === 0) return;
  const message = `raft's list of members (meta/confState) is not that of bucket members, as after a restore: ${differences.join('; ')}`;
  yield contentsWarning('member', message, notes.placeOf('meta/confState'));
}

function* differencesOf(
  members: readonly Member[],
  { voters, learners }: ConfState,
): Generator<string> {
  const ids = new Map(members.map(({ id, isLearner }) => [id, isLearner]));
  const known = new Set([...voters, ...learners]);
  const missing = [...ids.keys()].filter((id) => !known.has(id));
  const gone = [...known].filter((id) => !ids.has(id));
  if (missing.length > 0) yield `it lacks ${list(missing)}`;
  if (gone.length > 0) yield `it still has ${list(gone)}`;
  const promoted = voters.filter((id) => ids.get(id) === true);
  const demoted = learners.filter((id) => ids.get(id) === false);
  if (promoted.length > 0) yield `it has ${list(promoted)} as a voter, and it is a learner`;
  if (demoted.length > 0) yield `it has ${list(demoted)} as a learner, and it is a voter`;
}

function list(ids: readonly bigint[]): string {
  const named = ids.slice(0, NAMED_MAX).map(memberId).join(', ');
  return ids.length > NAMED_MAX ? `${named} and ${ids.length - NAMED_MAX} more` : named;
}
