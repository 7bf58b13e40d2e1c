// A data directory as a candidate: what it says of its member, and whether a member can be started on it.

import { EtcdkeepError } from '../../base/errors.ts';
import { openFileSource } from '../../bbolt/file-source.ts';
import { checkDataDirectory } from '../../etcd/datadir/check-data-directory.ts';
import { raftMembers } from '../../etcd/datadir/check-directory-members.ts';
import { type DataDirectory, readDataDirectory } from '../../etcd/datadir/data-directory.ts';
import { checkStore } from '../../etcd/store/check-store.ts';
import { isError } from '../../etcd/store/store-finding.ts';
import { lockShared } from '../file-lock.ts';
import { interruptible } from '../interruptible.ts';
import { openFilesBelow } from '../open-files.ts';
import { databaseOf, inUse } from '../stopped-member.ts';
import type { Candidate, DirectoryFacts, KnownMember } from './candidate.ts';

export interface NamedDirectory {
  /** Undefined where it is to be found out. */
  readonly name: string | undefined;
  readonly path: string;
}

/**
 * Reads a directory. Where a member runs on it, its log is read, and its database is not.
 * @throws EtcdkeepError `data-directory-invalid`, `file-failed`, and the signal's reason
 */
export async function lookAtDirectory(
  { name, path }: NamedDirectory,
  signal: AbortSignal,
): Promise<Candidate> {
  const heldBy = await openFilesBelow([databaseOf(path)]);
  const isLocked = heldBy.length > 0 || (await isDatabaseLocked(path));
  const inUseBy = isLocked ? inUse(path, heldBy) : undefined;
  const directory = await readDataDirectory(path, { inUse: inUseBy });
  const { wal, database } = directory;
  const findings = isLocked ? [] : [...checkDataDirectory(directory)];
  const unfit = [
    ...findings.filter(({ severity }) => severity === 'error').map(({ message }) => message),
    ...(isLocked ? [] : await structureDefects(directory, signal)),
    ...(isLocked && wal.end.kind === 'damaged' ? [`its log is damaged: ${wal.end.reason}`] : []),
  ];
  const memberId = wal.metadata?.memberId ?? 0n;
  const members = database instanceof EtcdkeepError ? v2MembersOf(directory) : database.members;
  const own = members.find(({ id }) => id === memberId);
  return {
    name: name ?? (own?.name || path),
    memberId,
    clusterId: wal.metadata?.clusterId ?? 0n,
    isLearner: isLearner(directory, memberId, own),
    members,
    fromDirectory: { directory, findings, heldBy, isLocked } satisfies DirectoryFacts,
    fromEndpoint: undefined,
    unfit,
  };
}

async function isDatabaseLocked(path: string): Promise<boolean> {
  try {
    const lock = await lockShared(databaseOf(path));
    await lock?.[Symbol.asyncDispose]();
    return lock === undefined;
  } catch (reason) {
    // What cannot be opened is told of when it is read.
    if (reason instanceof EtcdkeepError) return false;
    throw reason;
  }
}

/** By raft's own list, as the log leads to it, where that is known. */
function isLearner(
  directory: DataDirectory,
  memberId: bigint,
  own: KnownMember | undefined,
): boolean {
  const raft = raftMembers(directory, directory.wal.log.lastIndex)?.at(-1);
  return raft?.learners.includes(memberId) ?? own?.isLearner ?? false;
}

function v2MembersOf({ snapshot }: DataDirectory): readonly KnownMember[] {
  return typeof snapshot?.v2Members === 'object' ? snapshot.v2Members : [];
}

/** The first defect of the database as a whole. */
async function structureDefects(
  { databasePath, database }: DataDirectory,
  signal: AbortSignal,
): Promise<string[]> {
  if (database instanceof EtcdkeepError) return [];
  const source = openFileSource(databasePath);
  const defects: string[] = [];
  try {
    await checkStore(interruptible(source, signal), (finding) => {
      if (isError(finding) && defects.length === 0) {
        defects.push(`the database is damaged: ${finding.message}`);
      }
    });
    return defects;
  } finally {
    source.close();
  }
}
