// Holds the files of a backup against what its record says of them.

import type { BackupRecord } from '../record/schema.ts';
import type { ResourcesProof } from './verify-resources.ts';
import type { SnapshotProof } from './verify-snapshot.ts';

/** @returns what differs, each a sentence */
export function compareWithRecord(
  record: BackupRecord,
  snapshot: SnapshotProof | undefined,
  resources: ResourcesProof | undefined,
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

function compareResources(
  recorded: BackupRecord['resources'],
  { bytes, sha256 }: ResourcesProof,
): string[] {
  if (bytes !== recorded.bytes) {
    return [`the static resources have ${bytes} bytes, and ${recorded.bytes} by the record`];
  }
  return sha256 === recorded.sha256
    ? []
    : ['the digest of the static resources is not the one in the record'];
}
