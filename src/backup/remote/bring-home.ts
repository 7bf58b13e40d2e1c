// A backup that a node has taken, brought here: its files fetched, compared with what the node has said of them, proven again
// from the files that have arrived, and only then given their names.

import { dirname, resolve } from 'node:path';
import { writeFileDurably } from '../../base/durable-files.ts';
import { EtcdkeepError } from '../../base/errors.ts';
import { roomFor } from '../../base/room.ts';
import { formatBytes } from '../../base/units.ts';
import type { NodeShell } from '../../controlplane/node-shell.ts';
import { encodeRecord } from '../../record/record.ts';
import type { BackupRecord } from '../../record/schema.ts';
import { findBackup } from '../../record/stored-backups.ts';
import { StagedFiles } from '../staged-files.ts';
import { sweepStaging } from '../staging.ts';
import type { Backup } from '../take.ts';
import type { Target } from '../target.ts';
import { verifyBackup } from '../verify.ts';
import type { RemoteReport } from './events.ts';
import { fetchFile } from './fetch-file.ts';
import type { NodeBackup } from './messages.ts';

export interface HomeRequest {
  readonly shell: NodeShell;
  readonly executable: string;
  /** Where the backup is on the node. */
  readonly from: string;
  readonly target: Target;
  readonly tool: string;
  readonly now: () => Date;
  readonly report: RemoteReport;
  readonly signal: AbortSignal;
}

/**
 * Brings it home.
 * @throws EtcdkeepError `transfer-damaged`, `backup-bad`, `target-exists`, `disk-full`, and as `fetchFile`; nothing is left here
 */
export async function bringHome(backup: NodeBackup, request: HomeRequest): Promise<Backup> {
  const { target, report, signal } = request;
  const { files, snapshot, record } = backup;
  await demandRoom(backup, target);
  await sweepStaging(target);
  await using staged = await StagedFiles.create(target, files);
  const parts = [
    { ...staged.snapshot, ...record.snapshot, file: files.snapshot },
    { ...staged.resources, ...record.resources, file: files.resources },
  ];
  const totalBytes = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  report({ kind: 'fetching', bytes: 0, totalBytes });
  let before = 0;
  for (const { staged: to, file, bytes, sha256 } of parts) {
    const already = before;
    await fetchFile({
      ...request,
      from: `${request.from}/${file}`,
      to,
      bytes,
      sha256,
      progress: (count) => report({ kind: 'fetching', bytes: already + count, totalBytes }),
      interrupted: (reason) => report({ kind: 'connection-lost', why: reason.message }),
      signal,
    });
    before += bytes;
  }
  const atHome = placedIn(target, record);
  await writeFileDurably(staged.record.staged, encodeRecord(atHome));
  await prove(staged, request);
  await staged.publish();
  return { target, files, snapshot, record: atHome };
}

/** The record of a backup says where its archive is, if that is not beside it. */
function placedIn(target: Target, record: BackupRecord): BackupRecord {
  const apart =
    target.resources === target.directory ? undefined : { directory: resolve(target.resources) };
  return { ...record, resources: { ...record.resources, ...apart } };
}

/** From the files alone, as `verify` does; the verdict is in the record when it appears. */
async function prove(staged: StagedFiles, request: HomeRequest): Promise<void> {
  const { tool, now, signal, report } = request;
  const stored = await findBackup(staged.snapshot.staged, undefined, {
    resourcesDirectory: dirname(staged.resources.staged),
  });
  report({ kind: 'verifying', bytes: 0, totalBytes: stored.snapshot!.bytes });
  const { result, reasons } = await verifyBackup({
    backup: stored,
    tool,
    now,
    skipDigest: false,
    scratch: dirname(staged.snapshot.staged),
    progress: (bytes, totalBytes) => report({ kind: 'verifying', bytes, totalBytes }),
    signal,
  });
  if (result !== 'bad') return;
  throw new EtcdkeepError(
    'backup-bad',
    `the backup that has arrived is bad: ${reasons.join('; ')}`,
  );
}

async function demandRoom({ record }: NodeBackup, target: Target): Promise<void> {
  const wanted = [
    { directory: target.directory, bytes: record.snapshot.bytes },
    { directory: target.resources, bytes: record.resources.bytes },
  ];
  for (const { path, needed, free } of await roomFor(wanted)) {
    if (needed <= free) continue;
    throw new EtcdkeepError(
      'disk-full',
      `the backup needs ${formatBytes(needed)}, ${formatBytes(free)} are free`,
      { path },
    );
  }
}
