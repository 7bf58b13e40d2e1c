// Saves a snapshot of one member: streamed, compared with the member's own digest, its tree
// walked, synced, and only then given its name.

import { AlignedMemory } from '../base/aligned-memory.ts';
import { DirectFile } from '../base/direct-file.ts';
import { openFileSource } from '../bbolt/file-source.ts';
import { type ClientOptions, EtcdClient } from '../etcd/client/client.ts';
import type { DatabaseStatus } from '../etcd/store/database-status.ts';
import type { Report } from './events.ts';
import { makeFile } from './new-file.ts';
import { SnapshotWriter } from './snapshot-writer.ts';

/** What bounds a transfer; see SnapshotOptions of the client. */
export interface TransferLimits {
  readonly idleTimeoutMs: number;
  readonly timeoutMs: number | undefined;
  readonly rateLimit: number | undefined;
}

/** The member that a snapshot came from, as it spoke of itself just before. 64-bit ids are exact. */
export interface SourceMember {
  readonly endpoint: string;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Its name in the member list; '' where it has none, or is a learner. */
  readonly name: string;
  /** Version of the etcd server, for example `3.6.16`. */
  readonly version: string;
  readonly raftTerm: bigint;
  readonly raftIndex: bigint;
  readonly isLearner: boolean;
}

/** A snapshot on the disk, and what is known of it. */
export interface Snapshot {
  /** Size of the file: the database and the 32 bytes of its digest. */
  readonly bytes: number;
  /** SHA-256 of the whole file, hex. */
  readonly sha256: string;
  /** The member's SHA-256 of the database, which ends the file, hex. */
  readonly trailer: string;
  readonly member: SourceMember;
  readonly status: DatabaseStatus;
}

export interface SaveRequest {
  readonly path: string;
  /** Replace a file of that name. */
  readonly overwrite: boolean;
  /** How to reach the member; asked once it is known that the file may be written. */
  readonly connectTo: () => Promise<ClientOptions>;
  readonly limits: TransferLimits;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/**
 * Saves a snapshot to a file that appears under its name only when all of it is proven.
 * @throws EtcdkeepError; nothing is left behind, and a file of that name is as it was
 */
export function saveSnapshot(request: SaveRequest): Promise<Snapshot> {
  return makeFile(request.path, request, async (partial) => {
    const client = await EtcdClient.connect(await request.connectTo());
    try {
      return await receiveSnapshot(client, partial, request);
    } finally {
      client.close();
    }
  });
}

export interface ReceiveOptions {
  readonly limits: TransferLimits;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/**
 * Receives a snapshot into a new file, which the caller removes if this fails.
 * @throws EtcdkeepError
 */
export async function receiveSnapshot(
  client: EtcdClient,
  path: string,
  { limits, signal, report }: ReceiveOptions,
): Promise<Snapshot> {
  const member = await askMember(client);
  report({ kind: 'snapshot-started', member });
  const file = await DirectFile.create(path);
  const writer = new SnapshotWriter(file, new AlignedMemory(), (bytes, totalBytes) =>
    report({ kind: 'snapshot-progress', bytes, totalBytes }),
  );
  try {
    const streamed = await client.snapshot(writer, { ...limits, signal });
    await writer.finish(streamed.digest);
    report({ kind: 'snapshot-received' });
    const source = openFileSource(path, streamed.databaseBytes);
    try {
      const status = await writer.walk(source);
      return {
        bytes: streamed.databaseBytes + streamed.digest.length,
        sha256: streamed.fileDigest.toString('hex'),
        trailer: streamed.digest.toString('hex'),
        member,
        status,
      };
    } finally {
      source.close();
    }
  } finally {
    await writer.settle();
    await file.close();
  }
}

async function askMember(client: EtcdClient): Promise<SourceMember> {
  const status = await client.status();
  const memberId = status.header?.memberId ?? 0n;
  // The member's own view: it needs no quorum, which may be just what is missing. A learner lists
  // nobody (etcd server/etcdserver/api/v3rpc/util.go, isRPCSupportedForLearner).
  const members = status.isLearner ? [] : await client.memberList(false);
  return {
    endpoint: client.endpoint,
    clusterId: status.header?.clusterId ?? 0n,
    memberId,
    name: members.find((member) => member.ID === memberId)?.name ?? '',
    version: status.version,
    raftTerm: status.raftTerm,
    raftIndex: status.raftIndex,
    isLearner: status.isLearner,
  };
}
