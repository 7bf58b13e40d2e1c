// What a cluster could be started from: the data directory of a member, or a member that answers.

import { EtcdkeepError } from '../../base/errors.ts';
import type { DataDirectory } from '../../etcd/datadir/data-directory.ts';
import type { DirectoryFinding } from '../../etcd/datadir/directory-finding.ts';
import type { OpenFile } from '../open-files.ts';

/** A member as another one, or it itself, knows it. */
export interface KnownMember {
  readonly id: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

/** What an endpoint has said. */
export interface EndpointFacts {
  readonly endpoint: string;
  readonly version: string;
  /** 0 where no member leads. */
  readonly leader: bigint;
  /** Whether it could read what a majority agrees on. */
  readonly hasQuorum: boolean;
  /** Index up to which the member knows entries to be agreed on; its log may go on behind. */
  readonly committed: bigint;
  readonly applied: bigint;
  readonly term: bigint;
  readonly revision: bigint;
  readonly isLearner: boolean;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly members: readonly KnownMember[];
  readonly errors: readonly string[];
}

/** What a directory has said. */
export interface DirectoryFacts {
  readonly directory: DataDirectory;
  readonly findings: readonly DirectoryFinding[];
  /** Processes that have its database open: then its log is read, and its database is not. */
  readonly heldBy: readonly OpenFile[];
  /** Where nobody has been seen, and the database is locked all the same. */
  readonly isLocked: boolean;
}

export interface Candidate {
  /** As the user named it, else as the member is called. */
  readonly name: string;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly isLearner: boolean;
  readonly members: readonly KnownMember[];
  readonly fromDirectory: DirectoryFacts | undefined;
  readonly fromEndpoint: EndpointFacts | undefined;
  /** Why no cluster can be started from it, as sentences; empty if one can. */
  readonly unfit: readonly string[];
}

/** What was named, and could not be read or did not answer. */
export interface SilentSource {
  readonly name: string;
  /** Path or endpoint. */
  readonly source: string;
  readonly reason: EtcdkeepError;
}

/** How far a candidate has come. */
export interface Progress {
  /** Raft term of the last entry; undefined of a member of which no log was read. */
  readonly term: bigint | undefined;
  /** Of the last entry; of a member of which no log was read, of the last one that it knows to be agreed on. */
  readonly lastIndex: bigint;
  readonly committed: bigint;
  /** Of the last entry that a start of this member alone keeps: it drops what it does not know to be agreed on. */
  readonly reach: bigint;
  /** Of the last entry that is in the database; undefined if that was not read. */
  readonly applied: bigint | undefined;
  readonly revision: bigint | undefined;
  /** Writes of the log that are not in the database. */
  readonly writesBeyond: number;
  /** Those of them that the member knows to be agreed on. */
  readonly committedWritesBeyond: number;
}

export function progressOf({ fromDirectory, fromEndpoint }: Candidate): Progress {
  if (fromDirectory === undefined) return progressOfEndpoint(fromEndpoint!);
  const { wal, database, snapshot } = fromDirectory.directory;
  const { log, hardState } = wal;
  // A restored directory may have no entries, and stands where its snapshot does.
  const start = snapshot ?? wal.snapshots.at(-1);
  const lastIndex = log.isEmpty ? (start?.index ?? 0n) : log.lastIndex;
  const term = log.isEmpty ? (start?.term ?? 0n) : log.termAt(lastIndex);
  const notes = database instanceof EtcdkeepError ? undefined : database.notes;
  const applied = fromEndpoint?.applied ?? notes?.consistentIndex;
  const committed = hardState?.commit ?? 0n;
  const writes = (to: bigint): number =>
    applied === undefined ? 0 : log.writes(applied + 1n, to < lastIndex ? to : lastIndex);
  return {
    term,
    lastIndex,
    committed,
    reach: applied !== undefined && applied > committed ? applied : committed,
    applied,
    revision:
      fromEndpoint?.revision ?? (database instanceof EtcdkeepError ? undefined : database.revision),
    writesBeyond: writes(lastIndex),
    committedWritesBeyond: writes(committed),
  };
}

function progressOfEndpoint({ committed, applied, revision }: EndpointFacts): Progress {
  const beyond = { writesBeyond: 0, committedWritesBeyond: 0 };
  const index = { lastIndex: committed, committed, reach: committed, applied };
  return { term: undefined, ...index, revision, ...beyond };
}
