// What finds a change in a snapshot: its digest; its structure, or what etcd keeps in it, with the digest left out of
// account; or only that its hashes are others.
import { writeFileSync } from 'node:fs';
import { proveSnapshot } from '../../../src/backup/verify-snapshot.ts';
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

/** What `verify` makes of it. @param path where each is written to be verified */
export function detectWithVerify(path: string): Detect {
  return async (file) => {
    writeFileSync(path, file);
    const { digest, findings } = await proveSnapshot({ path });
    return {
      digest: digest.result === 'differs',
      structure: findings.some(({ rule }) => !isStoreRule(rule)),
      store: findings.some(({ rule }) => isStoreRule(rule)),
    };
  };
}

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
