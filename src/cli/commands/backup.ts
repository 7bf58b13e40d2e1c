// etcdkeep backup: the documented procedure in one command, on a control-plane host (DIR) or from a workstation (--node, --ssh).

import { buildCommand } from '@stricli/core';
import type { RemoteEvent } from '../../backup/remote/events.ts';
import type { RemoteBackup, RemoteRequest } from '../../backup/remote/take-from-node.ts';
import type { BackupRecord } from '../../record/schema.ts';
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
import { HOST_FLAGS, type HostFlags, hostRequest, ownerWords } from '../host-flags.ts';
import { METRICS_FLAG, type MetricsFlags, withMetrics } from '../metrics-flag.ts';
import {
  demandMeaning,
  demandOnePlace,
  hostFlags,
  openApi,
  REMOTE_FLAGS,
  type RemoteFlags,
} from '../remote-flags.ts';
import { RemoteScreen } from '../remote-screen.ts';
import { type Screen, withScreen } from '../screen.ts';
import { TOOL } from '../version.ts';

type Remote = typeof import('../../backup/remote/take-from-node.ts');

interface Flags extends HostFlags, TransferFlags, OutputFlags, RemoteFlags, MetricsFlags {
  readonly force: boolean;
}

async function run(this: CommandContext, flags: Flags, directory?: string): Promise<void> {
  await withScreen(this, flags, (screen) =>
    withMetrics(this, flags, screen, async () => {
      demandOnePlace(flags, directory);
      demandMeaning(flags);
      return directory === undefined
        ? await takeFromElsewhere(this, flags, screen)
        : await takeHere(this, flags, screen, directory);
    }),
  );
}

async function takeHere(
  context: CommandContext,
  flags: Flags,
  screen: Screen,
  directory: string,
): Promise<BackupRecord> {
  const drawn = new BackupScreen(screen);
  const request = hostRequest(flags, context);
  const { commandTimeout } = withoutEndpoints(flags, context.process.env);
  // Loaded here, so that no other command, and not --help, waits for it.
  const { takeBackup } = await import('../../backup/take.ts');
  const backup = await takeBackup({
    ...request,
    directory,
    owner: ownerWords(),
    force: flags.force,
    tool: TOOL,
    limits: transferLimits(flags, commandTimeout),
    report: (event) => drawn.draw(event),
  });
  drawn.finish(backup);
  screen.document({ directory, ...backup.record });
  return backup.record;
}

async function takeFromElsewhere(
  context: CommandContext,
  flags: Flags,
  screen: Screen,
): Promise<BackupRecord> {
  const drawn = new RemoteScreen(screen);
  // Loaded here, so that no other command, and not --help, waits for it.
  const remote = await import('../../backup/remote/take-from-node.ts');
  const { executableFor } = await import('../own-executable.ts');
  const request = {
    directory: flags.destDir,
    resourcesDirectory: flags.staticResourcesDir,
    leaveOnNode: flags.leaveOnNode,
    flags: hostFlags(flags),
    executableFor: (architecture: string) => executableFor(architecture, flags.executable),
    tool: TOOL,
    now: context.now,
    report: (event: RemoteEvent) => drawn.draw(event),
    signal: context.signal,
  };
  const taken = await throughApiOrSsh(context, flags, { remote, request });
  drawn.finish(taken);
  const { record } = taken.backup;
  const place =
    taken.kind === 'home' ? { directory: flags.destDir } : { directoryOnNode: taken.directory };
  screen.document({ ...place, ...record });
  return record;
}

async function throughApiOrSsh(
  context: CommandContext,
  flags: Flags,
  { remote, request }: { readonly remote: Remote; readonly request: RemoteRequest },
): Promise<RemoteBackup> {
  if (flags.ssh !== undefined) {
    return await remote.takeThroughSsh({ ...request, destination: flags.ssh });
  }
  const api = await openApi(flags, context);
  try {
    return await remote.takeThroughApi({
      ...request,
      api,
      node: flags.node === 'auto' ? undefined : flags.node,
      podNamespace: flags.toNamespace,
      image: flags.image,
      owner: ownerWords(),
    });
  } finally {
    api.close();
  }
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
      ...METRICS_FLAG,
      ...REMOTE_FLAGS,
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
          optional: true,
          placeholder: 'DIR',
          brief: 'the directory for the backup, such as /home/core/assets/backup',
        },
      ],
    },
  },
  docs: {
    brief: 'Take a backup of a control-plane host: of this one, as root, or of one that is reached',
    customUsage: ['<DIR>', '--node <name> --dest-dir <dir>', '--ssh <user@host> --dest-dir <dir>'],
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
