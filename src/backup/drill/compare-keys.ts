// Reads every key through a member, as an API server would, and holds it against the snapshot: its value, its lease, its
// revisions and its version. The ranges that are asked for leave no gap, so a key too many is seen as well.

import { formatCount } from '../../base/units.ts';
import type { EtcdClient } from '../../etcd/client/client.ts';
import type { KeyValue } from '../../etcd/client/gen/rpc_pb.js';
import { quoted } from '../../etcd/store/foreign-text.ts';
import { readValue } from '../../etcd/store/key-index.ts';
import type { IndexedKey } from '../../etcd/store/key-rows.ts';
import type { Expected } from './expected.ts';
import { Shortfall } from './shortfall.ts';

/** Of a page, unless a single value is longer. */
const PAGE_BYTES_MAX = 2 << 20;
const PAGE_KEYS_MAX = 1000;
/** What a key takes in an answer beside its own bytes and its value's. */
const KEY_OVERHEAD_BYTES = 64;
/** More than what is expected is read, so that what is too long is seen as different. */
const ANSWER_SPARE_BYTES = 16 << 20;

/** Names that are given of keys that differ. */
const EXAMPLES_MAX = 3;

/** As the start of a range the first key, as its end the end of all (api/etcdserverpb/rpc.proto, RangeRequest). */
const WHOLE_RANGE = Buffer.of(0);

export interface ComparedKeys {
  readonly keys: number;
  /** Of their values. */
  readonly bytes: number;
}

/** What the snapshot knows of a key. */
type ExpectedKey = Readonly<Omit<IndexedKey, 'subRevision' | 'page'>>;

interface Page {
  readonly keys: readonly ExpectedKey[];
  /** Of the range, which ends where the next one begins. */
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  /** What the answer takes, about. */
  readonly bytes: number;
}

/**
 * Compares all keys at the revision of the snapshot, which must not be compacted. A page is in memory at a time, and the
 * next one on its way.
 * @throws Shortfall if any differs; EtcdkeepError of the client, `file-failed`
 */
export async function compareKeys(
  client: EtcdClient,
  expected: Expected,
  progress: (bytes: number, totalBytes: number) => void,
): Promise<ComparedKeys> {
  const { index, revision } = expected;
  const differences = new Differences();
  let totalBytes = 0;
  for (const { valueLength } of index.inKeyOrder()) totalBytes += valueLength;
  let bytes = 0;
  for (const page of pagesOf(expected)) {
    const { kvs } = await client.range(page.from, {
      rangeEnd: page.to,
      revision,
      // One more tells that there are too many.
      limit: page.keys.length + 1,
      answerBytesMax: page.bytes + ANSWER_SPARE_BYTES,
    });
    await comparePage(page.keys, kvs, expected, differences);
    for (const { valueLength } of page.keys) bytes += valueLength;
    progress(bytes, totalBytes);
  }
  differences.judge(index.size);
  return { keys: index.size, bytes };
}

/** Cuts the keys into pages; there is at least one, which may expect nothing. */
function* pagesOf({ index }: Expected): Generator<Page> {
  let keys: ExpectedKey[] = [];
  let bytes = 0;
  let from: Uint8Array = WHOLE_RANGE;
  for (const indexed of index.inKeyOrder()) {
    const size = indexed.key.length + indexed.valueLength + KEY_OVERHEAD_BYTES;
    if (keys.length === PAGE_KEYS_MAX || (keys.length > 0 && bytes + size > PAGE_BYTES_MAX)) {
      yield { keys, from, to: indexed.key, bytes };
      [keys, bytes, from] = [[], 0, indexed.key];
    }
    keys.push(copyOf(indexed));
    bytes += size;
  }
  yield { keys, from, to: WHOLE_RANGE, bytes };
}

/** The index gives the same object again for the next key. */
function copyOf(indexed: IndexedKey): ExpectedKey {
  const { key, createRevision, modRevision, version, lease, valueOffset, valueLength } = indexed;
  return { key, createRevision, modRevision, version, lease, valueOffset, valueLength };
}

async function comparePage(
  expected: readonly ExpectedKey[],
  answered: readonly KeyValue[],
  { source }: Expected,
  differences: Differences,
): Promise<void> {
  let at = 0;
  for (const one of expected) {
    for (; at < answered.length && Buffer.compare(answered[at]!.key, one.key) < 0; at += 1) {
      differences.add(answered[at]!.key, 'is not in the snapshot');
    }
    const same = answered[at];
    if (same === undefined || Buffer.compare(same.key, one.key) !== 0) {
      differences.add(one.key, 'is missing');
      continue;
    }
    at += 1;
    const defect = compareFields(one, same);
    if (defect !== undefined) differences.add(one.key, defect);
    else if (Buffer.compare(await readValue(source, one), same.value) !== 0) {
      differences.add(one.key, 'has another value');
    }
  }
  for (const { key } of answered.slice(at)) differences.add(key, 'is not in the snapshot');
}

/** @returns what differs, as a sentence without a subject */
function compareFields(expected: ExpectedKey, answered: KeyValue): string | undefined {
  if (answered.modRevision !== expected.modRevision) return 'has another revision';
  if (answered.createRevision !== expected.createRevision) return 'was created at another revision';
  if (answered.version !== BigInt(expected.version)) return 'has another version';
  if (answered.lease !== expected.lease) return 'has another lease';
  return undefined;
}

class Differences {
  #count = 0;
  readonly #examples: string[] = [];

  add(key: Uint8Array, what: string): void {
    this.#count += 1;
    if (this.#examples.length < EXAMPLES_MAX) this.#examples.push(`${quoted(key)} ${what}`);
  }

  /** @throws Shortfall if there are any */
  judge(keys: number): void {
    if (this.#count === 0) return;
    const count = `${formatCount(this.#count)} of ${formatCount(keys)} keys`;
    const what = this.#examples.join(', ');
    throw new Shortfall('bad', `${count} are not as in the snapshot when etcd reads them: ${what}`);
  }
}
