// etcdkeep snapshot save FILE: the flags and the lines of `etcdctl snapshot save`.

import { buildCommand } from '@stricli/core';
import { EtcdkeepError } from '../../base/errors.ts';
import { coldCopyDocument, tellColdCopy } from '../cold-copy-screen.ts';
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
  readonly dataDir?: string;
  readonly walDir?: string;
}

async function run(this: CommandContext, flags: Flags, path: string): Promise<void> {
  const { dataDir, walDir } = flags;
  if (dataDir !== undefined) return copy.call(this, { ...flags, dataDir }, path);
  if (walDir !== undefined) throw new EtcdkeepError('usage', '--wal-dir goes with --data-dir');
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

/** Of a member that does not run. */
async function copy(
  this: CommandContext,
  flags: Flags & { readonly dataDir: string },
  path: string,
): Promise<void> {
  const { dataDir, walDir, endpoints, overwrite } = flags;
  if (endpoints !== undefined) {
    throw new EtcdkeepError('usage', '--data-dir and --endpoints contradict each other', {
      advice: 'name the data directory only where the member does not run',
    });
  }
  await withScreen(this, flags, async (screen) => {
    // Loaded here, so that no other command, and not --help, waits for it.
    const { saveColdCopy } = await import('../../backup/cold-copy.ts');
    screen.progress.start('snapshot');
    const saved = await saveColdCopy({
      ...{ dataDirectory: dataDir, walDirectory: walDir, to: path, overwrite },
      progress: (bytes, totalBytes) => screen.progress.advance(bytes, totalBytes),
      signal: this.signal,
    });
    screen.progress.start('');
    tellColdCopy(screen, path, saved);
    screen.document({ file: path, ...coldCopyDocument(saved) });
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
      dataDir: {
        kind: 'parsed',
        parse: String,
        optional: true,
        placeholder: 'dir',
        brief: 'copy the database of a member that does not run, from its data directory',
      },
      walDir: {
        kind: 'parsed',
        parse: String,
        optional: true,
        placeholder: 'dir',
        brief: "directory of that member's log, if it is not in its data directory",
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
      'With --data-dir FILE is made of the database of a member that does not run: proven to be stopped, looked at as',
      'a whole, with a digest of its own. It says how many writes of its log the database does not have.',
      '',
      'Every flag can be set by the variable of etcdctl: --endpoints by ETCDCTL_ENDPOINTS, and so on.',
      'Exit status: 0 saved, 1 failed, 2 usage, 3 FILE exists or the member runs, 130 or 143 interrupted.',
    ].join('\n'),
  },
});
