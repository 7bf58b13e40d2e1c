// Holds the files of a backup against what its record says of them.

import { compareArchive } from '../controlplane/archive-comparison.ts';
import type { ArchiveInspection } from '../controlplane/archive-inspection.ts';
import type { BackupRecord } from '../record/schema.ts';
import type { SnapshotProof } from './verify-snapshot.ts';

/** @returns what differs, each a sentence */
export function compareWithRecord(
  record: BackupRecord,
  snapshot: SnapshotProof | undefined,
  resources: ArchiveInspection | undefined,
): string[] {
  return [
    ...(snapshot === undefined ? [] : compareSnapshot(record.snapshot, snapshot)),
    ...(resources === undefined ? [] : compareResources(record.resources, resources)),
  ];
}

function compareSnapshot(
  recorded: BackupRecord['snapshot'],
  { bytes, sha256, status, hashKV }: SnapshotProof,
): string[] {
  if (bytes !== recorded.bytes) {
    return [`the snapshot has ${bytes} bytes, and ${recorded.bytes} by its record`];
  }
  if (sha256 !== undefined && sha256 !== recorded.sha256) {
    return ["the snapshot's digest is not the one in its record"];
  }
  if (status === undefined) return [];
  const pairs = [
    ['revision', status.revision.toString(), recorded.revision],
    ['keys', status.liveKeys, recorded.keys],
    ['HashKV', hashKV, recorded.hashKV ?? hashKV],
  ] as const;
  return pairs
    .filter(([, read, said]) => read !== said)
    .map(([noun, read, said]) => `${noun} of the snapshot: ${read}, and ${said} by its record`);
}

/** Members that are named; the count is of all. */
const MEMBERS_NAMED = 3;

function compareResources(
  recorded: BackupRecord['resources'],
  resources: ArchiveInspection,
): string[] {
  const { isSameFile, missing, extra, changed } = compareArchive(resources, recorded);
  if (isSameFile) return [];
  const members = [
    ...named('lack', missing),
    ...named('have besides', extra),
    ...named(
      'have changed',
      changed.map(({ path }) => path),
    ),
  ];
  // What a damaged archive lacks is no news.
  if (members.length > 0 && resources.count.error === 0) return members;
  if (members.length > 0) return ['the digest of the static resources is not the one in the record'];
  return ['the digest of the static resources is not the one in the record; their files are'];
}

function named(what: string, paths: readonly string[]): string[] {
  if (paths.length === 0) return [];
  const more = paths.length - MEMBERS_NAMED;
  const others = more > 0 ? `, and ${more} more` : '';
  const names = paths.slice(0, MEMBERS_NAMED).join(', ');
  return [`the static resources ${what}, by their record: ${names}${others}`];
}
