// How an etcd begins with a data directory: from which state, and with which entries behind it.

import { EtcdkeepError } from '../../base/errors.ts';
import { compareMinors } from '../store/notes.ts';
import type { DataDirectory } from './data-directory.ts';
import type { SnapshotPosition } from './raft-reader.ts';
import { validSnapshots } from './wal-reader.ts';

/** What a directory is taken for that does not say of which version it is. */
const UNKNOWN_VERSION = '3.5.0';

const BEGINNING: SnapshotPosition = { index: 0n, term: 0n, members: undefined };

/** A directory, and how the etcd that is to start on it begins. */
export interface Start {
  readonly directory: DataDirectory;
  /** Of that etcd; its minor counts. */
  readonly version: string;
  /** From which state it goes on: index 0 where it begins with the first entry. */
  readonly from: SnapshotPosition;
  /** Index of the last entry that it knows of then. */
  readonly lastIndex: bigint;
}

/** How an etcd of a version begins with a directory. */
export function startOf(directory: DataDirectory, version = versionOf(directory)): Start {
  const from = readsSnapFiles(version)
    ? (directory.snapshot ?? BEGINNING)
    : (validSnapshots(directory.wal).at(-1) ?? BEGINNING);
  const { log } = directory.wal;
  const lastIndex = log.isEmpty || log.lastIndex < from.index ? from.index : log.lastIndex;
  return { directory, version, from, lastIndex };
}

/** The version of the etcd that has run on a directory, as far as it says so. */
export function versionOf({ database }: DataDirectory): string {
  if (database instanceof EtcdkeepError) return UNKNOWN_VERSION;
  const { clusterVersion, storageVersion } = database.notes;
  return clusterVersion ?? storageVersion ?? UNKNOWN_VERSION;
}

/** From 3.7 on, the .snap files are written and never read. */
export function readsSnapFiles(version: string): boolean {
  return compareMinors(version, '3.7.0') < 0;
}
