// How far revisions are raised. API servers and controllers hold the revision that they have seen last, and ask for what came
// after it: with a revision at or below it they would wait for changes that have other numbers now, and go on serving
// lists of things that are gone. Above every one of them, with all before it marked compacted, each lists again.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from '../../base/directory-names.ts';
import { readSmallFile } from '../../base/durable-files.ts';
import { EtcdkeepError, readError } from '../../base/errors.ts';
import { formatCount } from '../../base/units.ts';
import { openFileSource } from '../../bbolt/file-source.ts';
import type { Host } from '../../controlplane/host.ts';
import { newestRevision } from '../../etcd/store/newest-revision.ts';
import { failed, type Outcome, passed, unknown } from '../checks/result.ts';
import { asReason } from './cluster-data.ts';

/** A revision that somebody can have seen. */
export interface SeenRevision {
  readonly revision: bigint;
  readonly whose: string;
}

export interface Bump {
  readonly by: bigint;
  readonly to: bigint;
  readonly above: readonly SeenRevision[];
  /** What could not be read, each a sentence. */
  readonly unread: readonly string[];
}

/**
 * Added above all that is known, for writes that only members knew who cannot be asked any more, and those that come until
 * etcd is stopped. OpenShift's own figure
 * (cluster-etcd-operator, bindata/etcd/restore-pod.yaml): 1,000 writes a second for eleven days.
 */
const MARGIN = 1_000_000_000n;

/** Half of what 63 bits hold is left for the restores and the writes to come. */
const REVISION_MAX = 2n ** 62n;

/**
 * The smallest entry of a write-ahead log that raises the revision: its length, the record with its checksum, the entry with
 * term and index, the request with its id and a key (etcd, server/storage/wal/encoder.go). One entry raises it by one.
 */
const WAL_ENTRY_MIN_BYTES = 32;

/** @param own revision of the snapshot's last record, which `by` is added to */
export function planBump(
  own: bigint,
  seen: readonly SeenRevision[],
  unread: readonly string[],
): Bump {
  const above = [{ revision: own, whose: 'the snapshot' }, ...seen];
  const highest = above.reduce((max, { revision }) => (revision > max ? revision : max), 0n);
  const to = highest + MARGIN;
  return { by: to - own, to, above, unread };
}

export function checkRevisionsRise({ to, above, unread }: Bump): Outcome {
  const words = above.map(({ revision, whose }) => `${whose} ${formatCount(revision)}`).join(', ');
  if (to > REVISION_MAX) {
    return failed(
      `above ${words} there is no room for more restores: 64 bits end at ${2n ** 63n - 1n}`,
    );
  }
  const evidence = `continue above ${formatCount(to)}; seen: ${words}`;
  return unread.length === 0 ? passed(evidence) : unknown(`${evidence}; ${unread.join('; ')}`);
}

/**
 * The newest revision that a member's data can have given out. What the write-ahead log holds beyond the database is not
 * counted but bounded, by the size of the log.
 * @param member directory with `snap` and `wal`, as it is reached from here
 * @returns or why it cannot be read
 */
export async function revisionInData(
  member: string,
  whose: string,
): Promise<SeenRevision | EtcdkeepError> {
  try {
    const source = openFileSource(join(member, 'snap/db'));
    try {
      const revision =
        (await newestRevision(source)) + (await walRevisionsMax(join(member, 'wal')));
      return { revision, whose };
    } finally {
      source.close();
    }
  } catch (reason) {
    return asReason(reason);
  }
}

/**
 * OpenShift's own figure: a fifth more than the highest raft index that its sidecar has seen of any member
 * (cluster-etcd-operator, pkg/cmd/rev/rev.go; restore-pod.yaml).
 * @param own revision of the snapshot, which it is added to
 * @returns undefined if the host has none
 */
export async function openshiftRevision(
  host: Host,
  dataDirectory: string,
  own: bigint,
): Promise<SeenRevision | undefined> {
  const path = join(dataDirectory, 'revision.json');
  if (!(await host.isFile(path))) return undefined;
  const text = (await readSmallFile(host.realPath(path), `read ${path}`, 1 << 20)).toString('utf8');
  // As a text: an index may be above 2^53.
  const index = /"maxRaftIndex"\s*:\s*(\d{1,19})\b/.exec(text)?.[1];
  if (index === undefined) return undefined;
  return { revision: own + (BigInt(index) * 12n) / 10n, whose: "OpenShift's own figure" };
}

async function walRevisionsMax(directory: string): Promise<bigint> {
  let bytes = 0;
  for (const name of await namesIn(directory)) {
    if (!name.endsWith('.wal')) continue;
    const path = join(directory, name);
    bytes += await stat(path).then(
      ({ size }) => size,
      (reason: unknown) => {
        throw readError(reason, 'look at it', path);
      },
    );
  }
  return BigInt(Math.ceil(bytes / WAL_ENTRY_MIN_BYTES));
}
