// What finds a change in a snapshot: its digest; its structure, or what etcd keeps in it, with the digest left out of
// account; or only that its hashes are others.
import { createHash } from 'node:crypto';
import { checkStore } from '../../../src/etcd/store/check-store.ts';
import { readDatabaseStatus } from '../../../src/etcd/store/database-status.ts';
import { hashKV } from '../../../src/etcd/store/hash-kv.ts';
import { isStoreRule } from '../../../src/etcd/store/store-finding.ts';
import { CountingSource } from '../counting-source.ts';

const TRAILER = 32;

/** Who says that something is wrong. */
export interface Detection {
  readonly digest: boolean;
  readonly structure: boolean;
  readonly store: boolean;
}

/** @param file a snapshot with its trailer */
export type Detect = (file: Uint8Array) => Promise<Detection>;

/** The readers, one for each. */
export const detectWithReaders: Detect = async (file) => {
  const body = file.subarray(0, -TRAILER);
  const digest = !createHash('sha256').update(body).digest().equals(file.subarray(-TRAILER));
  let [structure, store] = [false, false];
  await checkStore(new CountingSource(body), ({ rule }) => {
    if (isStoreRule(rule)) store = true;
    else structure = true;
  });
  return { digest, structure, store };
};

/** What who compares two snapshots by their numbers would see. */
export async function numbersOf(file: Uint8Array): Promise<string> {
  const body = file.subarray(0, -TRAILER);
  try {
    const { hash, revision, liveKeys } = await readDatabaseStatus(new CountingSource(body));
    const ofKeys = await hashKV(new CountingSource(body));
    return `${hash} ${revision} ${liveKeys} ${ofKeys.hash} ${ofKeys.compactRevision}`;
  } catch (reason) {
    return String(reason);
  }
}
