// etcdkeep verify BACKUP: prove a backup from its files alone.

import { tmpdir } from 'node:os';
import { buildCommand } from '@stricli/core';
import type { Verification } from '../../backup/verify.ts';
import { EtcdkeepError } from '../../base/errors.ts';
import { formatCount } from '../../base/units.ts';
import { pathOf, type StoredBackup } from '../../record/stored-backup.ts';
import { OUTPUT_FLAGS, type OutputFlags } from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { errorDocument } from '../error-screen.ts';
import { type Screen, withScreen } from '../screen.ts';
import { BACKUP_POSITIONAL, STORED_FLAGS, type StoredFlags } from '../stored-flags.ts';
import { showVerification, verificationDocument } from '../verify-screen.ts';
import { TOOL } from '../version.ts';

interface Flags extends StoredFlags, OutputFlags {
  readonly all: boolean;
  readonly listLost: boolean;
  readonly skipHashCheck: boolean;
}

async function run(this: CommandContext, flags: Flags, path: string): Promise<void> {
  const verdict = await withScreen(this, flags, async (screen) => {
    const verifications: Verification[] = [];
    let unreadable: EtcdkeepError | undefined;
    for (const backup of await backupsOf(flags, path)) {
      if (verifications.length > 0) screen.answer('');
      try {
        const verification = await verifyOne(this, flags, screen, backup);
        showVerification(screen, verification, { now: this.now(), listLost: flags.listLost });
        verifications.push(verification);
      } catch (reason) {
        if (!flags.all || !(reason instanceof EtcdkeepError) || this.signal.aborted) throw reason;
        screen.warn(`${pathOf(backup)} is left out: ${reason.message}`);
        unreadable ??= reason;
      }
    }
    const error = worst(verifications, 'bad') ?? unreadable ?? worst(verifications, 'unproven');
    const backups = verifications.map(verificationDocument);
    screen.document({ backups, ...(error === undefined ? {} : errorDocument(error)) });
    return error;
  });
  if (verdict !== undefined) throw verdict;
}

async function verifyOne(
  { now, signal }: CommandContext,
  flags: Flags,
  screen: Screen,
  backup: StoredBackup,
): Promise<Verification> {
  // Loaded here, so that no other command, and not --help, waits for it.
  const { verifyBackup } = await import('../../backup/verify.ts');
  screen.progress.start('snapshot');
  try {
    return await verifyBackup({
      backup,
      tool: TOOL,
      now,
      skipDigest: flags.skipHashCheck,
      scratch: tmpdir(),
      progress: (bytes, totalBytes) => screen.progress.advance(bytes, totalBytes),
      signal,
    });
  } finally {
    screen.progress.start('');
  }
}

async function backupsOf(flags: Flags, path: string): Promise<readonly StoredBackup[]> {
  const { stamp, staticResourcesDir: resourcesDirectory } = flags;
  const { findBackup, listBackups } = await import('../../record/stored-backups.ts');
  if (!flags.all) return [await findBackup(path, stamp, { resourcesDirectory })];
  if (stamp !== undefined) {
    throw new EtcdkeepError('usage', '--all and --stamp contradict each other');
  }
  const backups = await listBackups(path, { resourcesDirectory });
  if (backups.length > 0) return backups;
  throw new EtcdkeepError('backup-not-found', 'there is no backup in this directory', { path });
}

const CODES = { bad: 'backup-bad', unproven: 'backup-unproven' } as const;

/** The error of the first backup with that result, or undefined. */
function worst(
  verifications: readonly Verification[],
  result: 'bad' | 'unproven',
): EtcdkeepError | undefined {
  const those = verifications.filter((one) => one.result === result);
  const [first] = those;
  if (first === undefined) return undefined;
  const { backup, reasons } = first;
  const count = `${formatCount(those.length)} of ${formatCount(verifications.length)}`;
  const others = verifications.length === 1 ? '' : `; ${count} backups: ${result}`;
  return new EtcdkeepError(CODES[result], `${reasons[0]!}${others}`, {
    path: pathOf(backup),
    facts: reasons.slice(1, 4).map((reason) => ['and', reason] as const),
  });
}

export const verify = buildCommand({
  func: run,
  parameters: {
    flags: {
      ...STORED_FLAGS,
      all: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'every backup in the directory',
      },
      listLost: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'name what cannot be read',
      },
      skipHashCheck: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: "do not compute the snapshot's digest: what the rest can tell",
      },
      ...OUTPUT_FLAGS,
    },
    positional: BACKUP_POSITIONAL,
  },
  docs: {
    brief: 'Prove a backup from its files alone',
    fullDescription: [
      "Compares the snapshot's SHA-256 with its trailer, looks at every page of the database and at the history",
      'of every key, and holds the files against the record. Database and archive are never changed; the verdict',
      'is added to the record where that can be written.',
      '',
      'Exit status: 0 good, 4 bad, 5 nothing is wrong and not all could be proven, 1 it cannot be read, 2 usage.',
    ].join('\n'),
  },
});
