// What a workstation runs on a node (etcdkeep backup --node): a backup that tells its events to a program, the bytes of a
// file, what the members say. Not for people: its arguments and output are those of the same version of etcdkeep.

import { buildCommand, buildRouteMap } from '@stricli/core';
import { EtcdkeepError } from '../../base/errors.ts';
import { CHECK_FLAGS, type CheckFlags, checkPolicy } from '../check-flags.ts';
import { TRANSFER_FLAGS, type TransferFlags, transferLimits } from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { bareHostRequest, HOST_FLAGS } from '../host-flags.ts';
import { TOOL } from '../version.ts';

/** Progress is told this often. */
const PROGRESS_MS = 100;

interface BackupFlags extends CheckFlags, TransferFlags {
  readonly staticResourcesDir?: string;
  readonly placeFile?: string;
  readonly force: boolean;
}

async function backup(this: CommandContext, flags: BackupFlags, directory: string): Promise<void> {
  const { encodeMessage, sentError } = await import('../../backup/remote/messages.ts');
  const { takeBackup } = await import('../../backup/take.ts');
  const write = (message: Parameters<typeof encodeMessage>[0]): void => {
    this.process.stdout.write(`${encodeMessage(message)}\n`);
  };
  let toldAt = 0;
  try {
    if (flags.placeFile !== undefined) await remember(flags.placeFile, directory, flags);
    const { files, snapshot, record } = await takeBackup({
      ...bareHostRequest({}, this),
      policy: checkPolicy(flags),
      resourcesDirectory: flags.staticResourcesDir,
      directory,
      owner: undefined,
      force: flags.force,
      tool: TOOL,
      limits: transferLimits(flags, undefined),
      signal: AbortSignal.any([this.signal, endOfStdin(this)]),
      report: (event) => {
        if (event.kind === 'snapshot-progress') {
          if (performance.now() - toldAt < PROGRESS_MS) return;
          toldAt = performance.now();
        }
        write({ kind: 'event', event });
      },
    });
    write({ kind: 'done', backup: { files, snapshot, record } });
  } catch (reason) {
    write({ kind: 'failed', error: sentError(reason) });
    throw reason;
  } finally {
    // As long as it is read the process lives.
    this.pipes.stdin.destroy();
  }
}

async function remember(
  file: string,
  directory: string,
  { staticResourcesDir }: BackupFlags,
): Promise<void> {
  const { rememberPlace } = await import('../../backup/remote/place-on-node.ts');
  const { targetOf } = await import('../../backup/target.ts');
  await rememberPlace(file, targetOf(directory, staticResourcesDir));
}

async function sweep(this: CommandContext, _: object, file: string): Promise<void> {
  const { sweepPlace } = await import('../../backup/remote/place-on-node.ts');
  await sweepPlace(file);
}

async function check(
  this: CommandContext,
  flags: CheckFlags & { readonly staticResourcesDir?: string },
  directory: string,
): Promise<void> {
  const { encodeMessage, sentError } = await import('../../backup/remote/messages.ts');
  const { checkHost } = await import('../../backup/check.ts');
  const request = { ...bareHostRequest({}, this), policy: checkPolicy(flags), directory };
  const message = await checkHost({
    ...request,
    resourcesDirectory: flags.staticResourcesDir,
  }).then(
    (host) => ({ kind: 'checked', host }) as const,
    (reason: unknown) => ({ kind: 'failed', error: sentError(reason) }) as const,
  );
  this.process.stdout.write(`${encodeMessage(message)}\n`);
}

async function send(
  this: CommandContext,
  { offset }: { readonly offset: number },
  file: string,
): Promise<void> {
  const { sendFile } = await import('../../backup/remote/send-file.ts');
  await sendFile(file, offset, this.pipes.stdout);
}

async function members(this: CommandContext): Promise<void> {
  const { memberStates } = await import('../../backup/remote/members.ts');
  const { viewHostsCluster } = await import('../../backup/check.ts');
  const states = await viewHostsCluster(bareHostRequest({}, this), memberStates);
  this.process.stdout.write(`${JSON.stringify(states)}\n`);
}

/** Whoever has started this is gone, or wants it to end. */
function endOfStdin({ pipes }: CommandContext): AbortSignal {
  const controller = new AbortController();
  const end = (): void => controller.abort(new EtcdkeepError('terminated', 'its client is gone'));
  pipes.stdin.on('end', end).on('error', end).resume();
  return controller.signal;
}

const path = (brief: string, placeholder: string) =>
  ({ kind: 'tuple', parameters: [{ parse: String, placeholder, brief }] }) as const;

export const nodeAgent = buildRouteMap({
  routes: {
    backup: buildCommand({
      func: backup,
      parameters: {
        flags: {
          force: { kind: 'boolean', default: false, withNegated: false, brief: 'as of backup' },
          staticResourcesDir: HOST_FLAGS.staticResourcesDir,
          placeFile: {
            kind: 'parsed',
            parse: String,
            optional: true,
            placeholder: 'file',
            brief: 'where it is written down for sweep where the backup goes',
          },
          ...CHECK_FLAGS,
          ...TRANSFER_FLAGS,
        },
        positional: path('where it goes', 'DIR'),
      },
      docs: { brief: 'Take a backup, and tell of it on stdout; ends with stdin' },
    }),
    check: buildCommand({
      func: check,
      parameters: {
        flags: { staticResourcesDir: HOST_FLAGS.staticResourcesDir, ...CHECK_FLAGS },
        positional: path('where a backup would go', 'DIR'),
      },
      docs: { brief: 'Make the checks before a backup, and tell of them on stdout' },
    }),
    send: buildCommand({
      func: send,
      parameters: {
        flags: {
          offset: { kind: 'parsed', parse: Number, placeholder: 'bytes', brief: 'from there' },
        },
        positional: path('what is sent', 'FILE'),
      },
      docs: { brief: 'Write a file to stdout, compressed with zstd' },
    }),
    sweep: buildCommand({
      func: sweep,
      parameters: { positional: path('what a run has written down', 'FILE') },
      docs: { brief: 'Remove what a run that was killed has left where its backup goes' },
    }),
    members: buildCommand({
      func: members,
      parameters: {},
      docs: { brief: 'Say how each member of etcd is' },
    }),
  },
  docs: { brief: 'What a workstation runs on a node' },
});
