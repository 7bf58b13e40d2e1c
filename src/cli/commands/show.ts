// etcdkeep show BACKUP: all that is known of a backup without opening it.

import { buildCommand } from '@stricli/core';
import { OUTPUT_FLAGS, type OutputFlags } from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { withScreen } from '../screen.ts';
import { BACKUP_POSITIONAL, STORED_FLAGS, type StoredFlags } from '../stored-flags.ts';
import { backupDocument, showBackup } from '../stored-screen.ts';

type Flags = StoredFlags & OutputFlags;

async function run(this: CommandContext, flags: Flags, path: string): Promise<void> {
  await withScreen(this, flags, async (screen) => {
    // Loaded here, so that no other command, and not --help, waits for it.
    const { findBackup } = await import('../../record/stored-backups.ts');
    const { stamp, staticResourcesDir: resourcesDirectory } = flags;
    const backup = await findBackup(path, stamp, { resourcesDirectory });
    showBackup(screen, backup, this.now());
    screen.document(backupDocument(backup));
  });
}

export const show = buildCommand({
  func: run,
  parameters: {
    flags: { ...STORED_FLAGS, ...OUTPUT_FLAGS },
    positional: BACKUP_POSITIONAL,
  },
  docs: {
    brief: 'Show what is known of a backup: its files, its record, every verdict',
    fullDescription: 'No database is opened: etcdkeep verify proves what is said here.',
  },
});
