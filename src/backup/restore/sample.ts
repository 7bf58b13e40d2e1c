// Some keys of a snapshot, by which a restored etcd is told from any other.

import { Buffer } from 'node:buffer';
import { openBucket } from '../../bbolt/cursor.ts';
import { openFileSource } from '../../bbolt/file-source.ts';
import { KeyValueReader } from '../../etcd/store/key-value.ts';
import { isTombstone, mainRevision } from '../../etcd/store/revision-key.ts';
import { DIGEST_SIZE, hasDigest } from '../digest.ts';

export interface SampledKey {
  /** As base64. */
  readonly key: string;
  /** Of its last change. */
  readonly modRevision: string;
}

const SAMPLE_SIZE = 50;

/** Of the newest records; the rest of them are older versions of the same keys. */
const RECORDS_MAX = 1000;

/**
 * The keys that were changed last, each with its newest revision: going back from the end of the history, the first
 * record of a key is the one that counts. The marker of an earlier bump has no key.
 * @throws EtcdkeepError `database-damaged`, `file-failed`
 */
export async function sampleKeys(snapshot: string): Promise<SampledKey[]> {
  const source = openFileSource(snapshot);
  try {
    const size = hasDigest(source.size) ? source.size - DIGEST_SIZE : source.size;
    const cursor = await openBucket({ ...source, size }, [Buffer.from('key')]);
    const reader = new KeyValueReader();
    const newest = new Map<string, string | undefined>();
    let there = (await cursor?.last()) ?? false;
    for (let records = 0; there && records < RECORDS_MAX; records += 1) {
      const { bytes, keyStart, valueStart, valueEnd } = cursor!;
      if (reader.read(bytes, valueStart, valueEnd) && reader.keyEnd > reader.keyStart) {
        const key = Buffer.from(bytes.subarray(reader.keyStart, reader.keyEnd)).toString('base64');
        const view = new DataView(bytes.buffer, bytes.byteOffset);
        const revision = isTombstone(bytes, keyStart, valueStart)
          ? undefined
          : `${mainRevision(view, keyStart)}`;
        if (!newest.has(key)) newest.set(key, revision);
      }
      there = await cursor!.prev();
    }
    return [...newest]
      .flatMap(([key, modRevision]) => (modRevision === undefined ? [] : [{ key, modRevision }]))
      .slice(0, SAMPLE_SIZE);
  } finally {
    source.close();
  }
}
