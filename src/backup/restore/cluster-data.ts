// The data of a cluster, from wherever it can be read: the snapshot, the running member, or the database that the stopped
// member has left. Each answers for single keys, and knows its newest revision and its members.

import { EtcdkeepError } from '../../base/errors.ts';
import { type FileSource, openFileSource } from '../../bbolt/file-source.ts';
import { readMeta } from '../../bbolt/meta.ts';
import type { EtcdClient } from '../../etcd/client/client.ts';
import type { Member, StatusResponse } from '../../etcd/client/gen/rpc_pb.js';
import type { Alarm } from '../../etcd/store/alarm.ts';
import { quoted } from '../../etcd/store/foreign-text.ts';
import { type KeyIndex, readKeyIndex, readValue } from '../../etcd/store/key-index.ts';
import { readStoreContents } from '../../etcd/store/store-contents.ts';
import type { StoreNotes } from '../../etcd/store/store-notes.ts';
import type { KnownMember } from './own-host.ts';

/** Where single keys can be read. */
export interface ClusterData {
  /** What it is, for messages: `the snapshot`. */
  readonly from: string;
  /** @throws EtcdkeepError */
  readonly get: (key: string) => Promise<Uint8Array | undefined>;
}

/** A database in a file, that nobody writes to. */
export interface StoredData extends ClusterData, Disposable {
  readonly source: FileSource;
  readonly index: KeyIndex;
  readonly members: readonly KnownMember[];
  readonly alarms: readonly Alarm[];
  readonly notes: StoreNotes;
}

/** The running member of this host. */
export interface RunningData extends ClusterData {
  readonly status: StatusResponse;
  /** Its newest revision when it was asked. */
  readonly revision: bigint;
  readonly members: readonly KnownMember[];
}

/**
 * Reads the keys of a database once. What is damaged is an error.
 * @param size of the database, without what a snapshot carries behind it; all of the file if left out
 * @throws EtcdkeepError `database-damaged`, `file-failed`
 */
export async function openStoredData(
  path: string,
  from: string,
  size?: number,
): Promise<StoredData> {
  const source = openFileSource(path, size);
  try {
    const contents = await readStoreContents(source, await readMeta(source), () => undefined);
    const index = await readKeyIndex(source);
    return {
      from,
      source,
      index,
      members: contents.members.map(({ id, name, peerUrls, clientUrls }) =>
        knownMember(id, name, peerUrls, clientUrls),
      ),
      alarms: contents.alarms,
      notes: contents.notes,
      get: async (key) => {
        const found = index.get(key);
        return found && (await readValue(source, found));
      },
      [Symbol.dispose]: () => source.close(),
    };
  } catch (reason) {
    source.close();
    throw reason;
  }
}

/**
 * Asks the running member; nothing of it needs a quorum.
 * @throws EtcdkeepError if it does not answer
 */
export async function askRunningMember(client: EtcdClient): Promise<RunningData> {
  const status = await client.status();
  // A learner lists nobody.
  const members: Member[] = status.isLearner ? [] : await client.memberList(false);
  return {
    from: 'the running etcd',
    status,
    revision: status.header?.revision ?? 0n,
    members: members.map(({ ID, name, peerURLs, clientURLs }) =>
      knownMember(ID, name, peerURLs, clientURLs),
    ),
    get: async (key) => {
      const { kvs } = await client.range(Buffer.from(key), { serializable: true });
      return kvs[0]?.value;
    },
  };
}

/** What failed as a reason that can be told; whatever is no error of ours is thrown on. */
export function asReason(reason: unknown): EtcdkeepError {
  if (reason instanceof EtcdkeepError) return reason;
  throw reason;
}

/** A database says what it likes: on a screen it moves no cursor. */
function shown(text: string): string {
  return quoted(text).slice(1, -1);
}

function knownMember(
  id: bigint,
  name: string,
  peerUrls: readonly string[],
  clientUrls: readonly string[],
): KnownMember {
  return {
    ...(name === '' ? { name: id.toString(16), isUnnamed: true } : { name: shown(name) }),
    peerUrls: peerUrls.map(shown),
    clientUrls: clientUrls.map(shown),
  };
}
