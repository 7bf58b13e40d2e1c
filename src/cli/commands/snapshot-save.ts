// etcdkeep snapshot save FILE: the flags and the lines of `etcdctl snapshot save`.

import { buildCommand } from '@stricli/core';
import {
  OUTPUT_FLAGS,
  type OutputFlags,
  TRANSFER_FLAGS,
  type TransferFlags,
  transferLimits,
} from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { clientOptions } from '../etcd-client-options.ts';
import { ETCD_FLAGS, type EtcdFlags, withEnvironment } from '../etcd-flags.ts';
import { withScreen } from '../screen.ts';
import { drawTransfer, snapshotDocument, tellProof } from '../snapshot-screen.ts';

interface Flags extends EtcdFlags, TransferFlags, OutputFlags {
  readonly overwrite: boolean;
}

async function run(this: CommandContext, flags: Flags, path: string): Promise<void> {
  await withScreen(this, flags, async (screen) => {
    const etcd = withEnvironment(flags, this.process.env);
    // Loaded here, so that no other command, and not --help, waits for it.
    const { saveSnapshot } = await import('../../backup/save.ts');
    const snapshot = await saveSnapshot({
      path,
      overwrite: flags.overwrite,
      connectTo: () => clientOptions(etcd, this),
      limits: transferLimits(flags, etcd.commandTimeout),
      signal: this.signal,
      report: (event) => drawTransfer(screen, event),
    });
    screen.answer(`Snapshot saved at ${path}`);
    const { storageVersion } = snapshot.status;
    if (storageVersion !== undefined) screen.answer(`Server version ${storageVersion}`);
    tellProof(screen, snapshot);
    screen.document({ file: path, ...snapshotDocument(snapshot) });
  });
}

export const snapshotSave = buildCommand({
  func: run,
  parameters: {
    flags: {
      ...ETCD_FLAGS,
      ...TRANSFER_FLAGS,
      ...OUTPUT_FLAGS,
      overwrite: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'replace FILE if it exists',
      },
    },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'FILE', brief: 'the file to save to' }],
    },
  },
  docs: {
    brief: 'Save a snapshot of one member, checked while it is received',
    fullDescription: [
      'Streams the database of one member to FILE, as etcdctl snapshot save does, and compares it',
      "with the member's own SHA-256, walks its tree and syncs it before FILE appears.",
      '',
      'Every flag can be set by the variable of etcdctl: --endpoints by ETCDCTL_ENDPOINTS, and so on.',
      'Exit status: 0 saved, 1 failed, 2 usage, 3 FILE exists, 130 or 143 interrupted.',
    ].join('\n'),
  },
});
