// The record of a backup that has just been taken.

import { resolve } from 'node:path';
import type { LayoutName } from '../controlplane/host.ts';
import { summarizeEncryption } from '../kubernetes/encryption-config.ts';
import { type BackupRecord, formatEtcdId, RECORD_SCHEMA_ID } from '../record/schema.ts';
import type { BackupFiles } from '../record/stamp.ts';
import type { ArchivedResources } from './archive-resources.ts';
import type { CheckResult, SkippedCheck } from './checks/result.ts';
import type { Snapshot } from './save.ts';
import type { Target } from './target.ts';

export interface RecordFacts {
  readonly stamp: string;
  readonly files: BackupFiles;
  readonly target: Target;
  readonly tool: string;
  readonly hostName: string;
  readonly layout: LayoutName;
  readonly snapshot: Snapshot;
  readonly resources: ArchivedResources;
  readonly checks: readonly CheckResult[];
  readonly skipped: readonly SkippedCheck[];
  readonly started: Date;
  readonly finished: Date;
}

export function buildRecord(facts: RecordFacts): BackupRecord {
  const { files, target, snapshot, resources } = facts;
  const { member, status } = snapshot;
  return {
    schema: RECORD_SCHEMA_ID,
    stamp: facts.stamp,
    tool: facts.tool,
    cluster: { id: formatEtcdId(member.clusterId) },
    host: { name: facts.hostName, layout: facts.layout },
    member: {
      id: formatEtcdId(member.memberId),
      name: member.name,
      endpoint: member.endpoint,
      version: member.version,
      raftTerm: member.raftTerm.toString(),
      raftIndex: member.raftIndex.toString(),
    },
    snapshot: {
      file: files.snapshot,
      bytes: snapshot.bytes,
      sha256: snapshot.sha256,
      trailer: snapshot.trailer,
      revision: status.revision.toString(),
      compactRevision: (status.finishedCompactRevision ?? 0n).toString(),
      keys: status.liveKeys,
      ...(status.storageVersion === undefined ? {} : { storageVersion: status.storageVersion }),
    },
    resources: {
      file: files.resources,
      ...(target.resources === target.directory ? {} : { directory: resolve(target.resources) }),
      bytes: resources.archive.bytes,
      sha256: resources.archive.sha256,
      pods: [...resources.looked.pods],
      members: [...resources.archive.members],
      encryption: summarizeEncryption(resources.looked.encryption),
    },
    checks: [...facts.checks],
    skipped: [...facts.skipped],
    started: facts.started.toISOString(),
    finished: facts.finished.toISOString(),
    verdicts: [],
  };
}
