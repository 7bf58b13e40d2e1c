// Flags of every command that is given a backup in a directory.

import { EtcdkeepError } from '../base/errors.ts';

export interface StoredFlags {
  readonly stamp?: string;
  readonly staticResourcesDir?: string;
}

const STAMP = /^\d{4}-\d\d-\d\d_\d{6}$/;

/** @throws EtcdkeepError `usage` */
function parseStamp(text: string): string {
  if (STAMP.test(text)) return text;
  throw new EtcdkeepError('usage', `"${text}" is no stamp`, {
    advice: 'name it as it is in the names of the files: 2026-11-23_145301',
  });
}

export const STORED_FLAGS = {
  stamp: {
    kind: 'parsed',
    parse: parseStamp,
    optional: true,
    placeholder: 'stamp',
    brief: 'the backup of this stamp, if not the newest',
  },
  staticResourcesDir: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'dir',
    brief: 'where the static resources lie, if neither beside it nor where the record says',
  },
} as const;

/** What BACKUP is, on the command line. */
export const BACKUP_POSITIONAL = {
  kind: 'tuple',
  parameters: [
    {
      parse: String,
      placeholder: 'BACKUP',
      brief: 'a directory of backups (its newest), or any file of one',
    },
  ],
} as const;
