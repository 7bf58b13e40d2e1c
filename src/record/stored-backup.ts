// A backup as it lies somewhere: what is known of it before any of its files is opened.

import type { EtcdkeepError } from '../base/errors.ts';
import type { BackupRecord } from './schema.ts';

export interface StoredFile {
  readonly path: string;
  readonly bytes: number;
}

export interface StoredBackup {
  /** In the names of its files; undefined for a snapshot whose name has none. */
  readonly stamp: string | undefined;
  /** OpenShift's mark of a backup that was taken without checks. */
  readonly possiblyDirty: boolean;
  readonly directory: string;
  /** When it was taken: by the record, by the stamp as a time of this machine, or as the file was changed last. */
  readonly at: Date;
  readonly snapshot: StoredFile | undefined;
  /** The same file as the snapshot where one archive holds both, as OpenShift 4.3.0 made it. */
  readonly resources: StoredFile | undefined;
  readonly record: BackupRecord | undefined;
  readonly recordPath: string | undefined;
  /** Why the record that is there cannot be read. */
  readonly recordDefect: EtcdkeepError | undefined;
}

/** A file of the backup, for messages: its snapshot if it has one. */
export function pathOf({ snapshot, resources, recordPath, directory }: StoredBackup): string {
  return snapshot?.path ?? resources?.path ?? recordPath ?? directory;
}
