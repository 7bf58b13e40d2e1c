// etcdkeep backup DIR: the documented procedure on a control-plane host, in one command.

import { buildCommand } from '@stricli/core';
import { BackupScreen } from '../backup-screen.ts';
import {
  OUTPUT_FLAGS,
  type OutputFlags,
  TRANSFER_FLAGS,
  type TransferFlags,
  transferLimits,
} from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { ETCD_FLAGS, withoutEndpoints } from '../etcd-flags.ts';
import { HOST_FLAGS, type HostFlags, hostRequest } from '../host-flags.ts';
import { withScreen } from '../screen.ts';
import { TOOL } from '../version.ts';

interface Flags extends HostFlags, TransferFlags, OutputFlags {
  readonly force: boolean;
}

async function run(this: CommandContext, flags: Flags, directory: string): Promise<void> {
  await withScreen(this, flags, async (screen) => {
    const drawn = new BackupScreen(screen);
    const request = hostRequest(flags, this);
    const { commandTimeout } = withoutEndpoints(flags, this.process.env);
    // Loaded here, so that no other command, and not --help, waits for it.
    const { takeBackup } = await import('../../backup/take.ts');
    const backup = await takeBackup({
      ...request,
      directory,
      force: flags.force,
      tool: TOOL,
      limits: transferLimits(flags, commandTimeout),
      report: (event) => drawn.draw(event),
    });
    drawn.finish(backup);
    screen.document({ directory, ...backup.record });
  });
}

export const backup = buildCommand({
  func: run,
  parameters: {
    flags: {
      force: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'refuse nothing, and mark the files __POSSIBLY_DIRTY__, as OpenShift does',
      },
      ...HOST_FLAGS,
      ...TRANSFER_FLAGS,
      ...OUTPUT_FLAGS,
      ...ETCD_FLAGS,
    },
    positional: {
      kind: 'tuple',
      parameters: [
        {
          parse: String,
          placeholder: 'DIR',
          brief: 'the directory for the backup, such as /home/core/assets/backup',
        },
      ],
    },
  },
  docs: {
    brief: 'Take a backup of this control-plane host, as root',
    fullDescription: [
      "Saves a snapshot of this host's etcd member and the static resources that are needed to restore",
      "it, as two files with the names and the contents of OpenShift's cluster-backup.sh, and a record",
      'of what was taken and how it was proven. They appear when all of it is proven, the record last.',
      '',
      'Exit status: 0 done, 1 failed, 2 usage, 3 refused, 130 or 143 interrupted; unless it is 0,',
      'nothing new is in DIR.',
    ].join('\n'),
  },
});
