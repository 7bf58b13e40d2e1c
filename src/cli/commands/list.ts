// etcdkeep list DIR: which backups there are, how old, how big, and proven when.

import { buildCommand } from '@stricli/core';
import { OUTPUT_FLAGS, type OutputFlags } from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { withScreen } from '../screen.ts';
import { STORED_FLAGS, type StoredFlags } from '../stored-flags.ts';
import { backupDocument, listLines } from '../stored-screen.ts';

type Flags = Pick<StoredFlags, 'staticResourcesDir'> & OutputFlags;

async function run(this: CommandContext, flags: Flags, directory: string): Promise<void> {
  await withScreen(this, flags, async (screen) => {
    // Loaded here, so that no other command, and not --help, waits for it.
    const { listBackups } = await import('../../record/stored-backups.ts');
    const resourcesDirectory = flags.staticResourcesDir;
    const backups = await listBackups(directory, { resourcesDirectory });
    if (backups.length === 0) screen.tell('backups', `none in ${directory}`);
    else for (const line of listLines(backups, this.now())) screen.answer(line);
    screen.document({ backups: backups.map(backupDocument) });
  });
}

export const list = buildCommand({
  func: run,
  parameters: {
    flags: { staticResourcesDir: STORED_FLAGS.staticResourcesDir, ...OUTPUT_FLAGS },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'DIR', brief: 'a directory of backups' }],
    },
  },
  docs: {
    brief: 'List the backups in a directory, and when each was last proven',
    fullDescription: [
      'Looks at names and records in the directory and in those directly below it, newest first; no database',
      'is opened. Backups of cluster-backup.sh and its predecessors are listed as well (docs/verify.md).',
    ].join('\n'),
  },
});
