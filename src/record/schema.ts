// What a record says, field by field. docs/record.schema.json and docs/record.md are made of this.
// Names of keys, paths and digests may be in a record; a key, a password or a token never.

import { z } from 'zod';

/** Changes when a reader of today would misread a record of tomorrow; a new field is no change. */
export const RECORD_SCHEMA_ID = 'etcdkeep.backup/v1';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const bytes = z.int().min(0);
const moment = z.iso.datetime({ offset: true });
// 64 bits do not fit into the numbers of JSON as most readers take them.
const decimal = z.string().regex(/^(0|[1-9][0-9]{0,19})$/);
// Without leading zeros, as etcd and etcdctl print ids (client/pkg/types/id.go, ID.String).
const etcdId = z.string().regex(/^(0|[1-9a-f][0-9a-f]{0,15})$/);
const fileName = z.string().regex(/^[^/\0]+$/);

const cluster = z.object({
  id: etcdId.describe("etcd's cluster id, in lower-case hex"),
  name: z.string().optional().describe('name of the cluster, where it could be asked for'),
  version: z.string().optional().describe("version of the cluster's distribution"),
  platform: z.string().optional().describe('what the cluster runs on: AWS, BareMetal, None'),
});

const host = z.object({
  name: z.string().describe('name of the node that the backup was taken on'),
  layout: z.string().describe('where that host keeps things: openshift, kubeadm'),
});

const member = z.object({
  id: etcdId.describe("etcd's member id, in lower-case hex"),
  name: z.string().describe("the member's name"),
  endpoint: z.string().describe('client URL that the snapshot came from'),
  version: z.string().describe("the member's etcd version"),
  raftTerm: decimal.describe('raft term before the snapshot began'),
  raftIndex: decimal.describe('raft index before the snapshot began'),
});

const snapshot = z.object({
  file: fileName.describe('name of the snapshot, which lies beside the record'),
  bytes: bytes.describe('size of the file, its trailer included'),
  sha256: sha256.describe('SHA-256 of the file'),
  trailer: sha256.describe('SHA-256 that the member sent: the last 32 bytes of the file'),
  revision: decimal.describe('newest revision in the snapshot'),
  compactRevision: decimal.describe('revision up to which the past had been compacted'),
  keys: z.int().min(0).describe('keys that were alive at that revision'),
  hashKV: z.int().min(0).max(0xffff_ffff).optional().describe("etcd's HashKV at that revision"),
  storageVersion: z.string().optional().describe('storage version, from etcd 3.6 on'),
});

const pod = z.object({
  name: z.string().describe('static pod: `etcd-pod`, with kubeadm `etcd`'),
  revision: z
    .int()
    .min(0)
    .optional()
    .describe('revision that the host was told to run; kubeadm has none'),
  path: z.string().describe("that revision's directory on the host, with kubeadm the manifest"),
});

const archiveMember = z.object({
  path: z.string().describe('path in the archive'),
  bytes: bytes.describe('size of the file'),
  mode: z
    .string()
    .regex(/^[0-7]{4}$/)
    .describe('permission bits in octal: `0600`'),
  sha256: sha256.describe('SHA-256 of its contents'),
});

const encryption = z.object({
  on: z.boolean().describe('whether new values of any resource were written encrypted'),
  providers: z.array(z.string()).describe('providers that have a key in the archive'),
  keyNames: z.array(z.string()).describe('names of those keys'),
});

const resources = z.object({
  file: fileName.describe('name of the archive of the static resources'),
  directory: z
    .string()
    .optional()
    .describe('absolute path of where the archive was put, if not beside the record'),
  bytes: bytes.describe('size of the archive'),
  sha256: sha256.describe('SHA-256 of the archive'),
  pods: z.array(pod).describe('static pods that are in it'),
  members: z.array(archiveMember).describe('files that are in it'),
  encryption: encryption.describe('encryption at rest, by the names of its keys'),
});

const check = z.object({
  name: z.string().describe('name of the check'),
  severity: z.enum(['refuse', 'warn']).describe('what a failure of it does'),
  result: z.enum(['passed', 'failed', 'unknown']).describe('what came out'),
  evidence: z.string().describe('what was observed'),
});

const skipped = z.object({
  name: z.string().describe('name of a check that was overridden'),
  reason: z.string().describe('why'),
});

const verdict = z.object({
  at: moment.describe('when'),
  kind: z.string().describe('what was done: `verify`, `drill`'),
  result: z
    .enum(['good', 'unproven', 'bad'])
    .describe('what came out; `unproven`: nothing is wrong, and not all could be looked at'),
  tool: z.string().describe('program and version that judged'),
  etcd: z.string().optional().describe('of a drill: version of the etcd that was started'),
  evidence: z.string().describe('what was compared'),
});

export const recordSchema = z.object({
  schema: z.literal(RECORD_SCHEMA_ID).describe('what kind of document this is'),
  stamp: z
    .string()
    .regex(/^\d{4}-\d\d-\d\d_\d{6}$/)
    .describe("local time of the start, which is in the files' names"),
  tool: z.string().describe('program and version that took the backup'),
  cluster: cluster.describe('the cluster'),
  host: host.describe('the host'),
  member: member.describe('the member that the snapshot came from'),
  snapshot: snapshot.describe('the snapshot'),
  resources: resources.describe('the static resources'),
  checks: z.array(check).describe('checks that were made before'),
  skipped: z.array(skipped).describe('checks that were overridden'),
  started: moment.describe('when the backup began'),
  finished: moment.describe('when it was proven'),
  verdicts: z.array(verdict).describe('every verdict since, oldest first'),
});

/** What is known of a backup. */
export type BackupRecord = z.infer<typeof recordSchema>;

/** What a proof came to. */
export type Verdict = BackupRecord['verdicts'][number];

/** An etcd cluster or member id as it is recorded. */
export function formatEtcdId(id: bigint): string {
  return id.toString(16);
}
