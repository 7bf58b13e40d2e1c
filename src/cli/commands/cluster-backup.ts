// What bin/cluster-backup.sh and bin/etcd-snapshot-backup.sh run: the arguments, the lines and the exit
// codes of OpenShift's own script, for automation that calls it by its path.

import { buildCommand } from '@stricli/core';
import { EtcdkeepError } from '../../base/errors.ts';
import { BackupScreen } from '../backup-screen.ts';
import { TRANSFER_FLAGS, type TransferFlags, transferLimits } from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { renderError } from '../error-screen.ts';
import { ETCD_FLAGS, withoutEndpoints } from '../etcd-flags.ts';
import { HOST_FLAGS, type HostFlags, hostRequest, ownerWords } from '../host-flags.ts';
import { Screen } from '../screen.ts';
import { TOOL } from '../version.ts';

const USAGE = 'Path to backup dir required: ./cluster-backup.sh [--force] <path-to-backup-dir>';

type Flags = HostFlags & TransferFlags;

async function run(this: CommandContext, flags: Flags, ...words: string[]): Promise<void> {
  const screen = new Screen(this, { output: 'text', quiet: false });
  // As the script has it: --force counts as the first word only, and what follows the directory nowhere.
  const force = words[0] === '--force';
  const [directory = ''] = force ? words.slice(1) : words;
  try {
    // Who is not root is told so first.
    if (this.uid === 0 && (await isNoDirectory(directory))) {
      screen.answer(USAGE);
      throw new EtcdkeepError('usage', 'a directory for the backup is needed', {
        advice: 'name one that exists or can be made, after --force if that is meant',
      });
    }
    await take(this, flags, { force, directory }, screen);
  } catch (reason) {
    screen.progress.stop();
    this.process.stderr.write(`${renderError(reason)}\n`);
    const isSignal = reason instanceof EtcdkeepError && reason.exitCode > 128;
    this.process.exitCode = isSignal ? reason.exitCode : 1;
  } finally {
    screen.progress.stop();
  }
}

async function take(
  context: CommandContext,
  flags: Flags,
  words: { readonly force: boolean; readonly directory: string },
  screen: Screen,
): Promise<void> {
  const drawn = new BackupScreen(screen, { podLabel: (pod) => pod.replace(/-pod$/, '') });
  const request = hostRequest(flags, context);
  const { commandTimeout } = withoutEndpoints(flags, context.process.env);
  const { clusterBackup } = await import('../../backup/cluster-backup.ts');
  const backup = await clusterBackup(
    {
      ...request,
      ...words,
      owner: ownerWords(),
      tool: TOOL,
      limits: transferLimits(flags, commandTimeout),
      report: (event) => drawn.draw(event),
    },
    (line) => screen.answer(line),
  );
  drawn.finish(backup);
}

/** The script takes an empty word, and a file, for none; an option would be one for mkdir. */
async function isNoDirectory(word: string): Promise<boolean> {
  if (word === '' || word.startsWith('-')) return true;
  const { stat } = await import('node:fs/promises');
  const found = await stat(word).catch(() => undefined);
  return found?.isFile() === true;
}

export const clusterBackup = buildCommand({
  func: run,
  parameters: {
    flags: { ...HOST_FLAGS, ...TRANSFER_FLAGS, ...ETCD_FLAGS },
    positional: {
      kind: 'array',
      parameter: { parse: String, placeholder: 'word', brief: '[--force] DIR, after --' },
    },
  },
  docs: {
    brief: "What bin/cluster-backup.sh runs: OpenShift's script, by its arguments and lines",
    fullDescription: [
      "Takes a backup as `etcdkeep backup DIR` does, with the arguments and the lines of OpenShift's",
      'cluster-backup.sh. It refuses while an operator is progressing, or cannot be asked; --force does not.',
      '',
      'Exit status: 0 done, 1 not.',
    ].join('\n'),
  },
});
