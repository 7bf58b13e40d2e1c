// etcdkeep drill BACKUP: prove a backup by restoring it into a scratch etcd that is read back, written to and grown.

import { buildCommand } from '@stricli/core';
import type { Drill } from '../../backup/drill/drill.ts';
import { EtcdkeepError } from '../../base/errors.ts';
import { pathOf } from '../../record/stored-backup.ts';
import { OUTPUT_FLAGS, type OutputFlags } from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { drawDrill, drillDocument, showDrill } from '../drill-screen.ts';
import { errorDocument } from '../error-screen.ts';
import { parseDuration } from '../parse.ts';
import { withScreen } from '../screen.ts';
import { BACKUP_POSITIONAL, STORED_FLAGS, type StoredFlags } from '../stored-flags.ts';
import { TOOL } from '../version.ts';

interface Flags extends StoredFlags, OutputFlags {
  readonly etcd?: string;
  readonly scratch?: string;
  readonly timeout?: number;
}

async function run(this: CommandContext, flags: Flags, path: string): Promise<void> {
  const verdict = await withScreen(this, flags, async (screen) => {
    const { stamp, staticResourcesDir: resourcesDirectory, etcd, scratch, timeout } = flags;
    // Loaded here, so that no other command, and not --help, waits for it.
    const { findBackup } = await import('../../record/stored-backups.ts');
    const { drillBackup } = await import('../../backup/drill/drill.ts');
    const drill = await drillBackup({
      backup: await findBackup(path, stamp, { resourcesDirectory }),
      tool: TOOL,
      now: this.now,
      etcd,
      scratch,
      timeoutMs: timeout,
      environment: this.process.env,
      report: (event) => drawDrill(screen, event),
      signal: this.signal,
    });
    screen.progress.start('');
    showDrill(screen, drill, this.now());
    const error = verdictError(drill);
    screen.document({ ...drillDocument(drill), ...(error && errorDocument(error)) });
    return error;
  });
  if (verdict !== undefined) throw verdict;
}

/** @returns undefined where it is good */
function verdictError({ examination, etcd, result, reasons }: Drill): EtcdkeepError | undefined {
  if (result === 'good') return undefined;
  const details = {
    path: pathOf(examination.backup),
    facts: reasons.slice(1, 4).map((reason) => ['and', reason] as const),
  };
  if (result === 'bad') return new EtcdkeepError('backup-bad', reasons[0]!, details);
  const advice =
    etcd === undefined
      ? { advice: 'name an etcd with --etcd, or run the drill on a host that has one' }
      : {};
  return new EtcdkeepError('backup-unproven', reasons[0]!, { ...details, ...advice });
}

export const drill = buildCommand({
  func: run,
  parameters: {
    flags: {
      ...STORED_FLAGS,
      etcd: {
        kind: 'parsed',
        parse: String,
        optional: true,
        placeholder: 'path',
        brief: 'the program to start, if not one that is found on this machine',
      },
      scratch: {
        kind: 'parsed',
        parse: String,
        optional: true,
        placeholder: 'dir',
        brief: 'where there is room for the database twice, if not in $TMPDIR or /var/tmp',
      },
      timeout: {
        kind: 'parsed',
        parse: parseDuration,
        optional: true,
        placeholder: 'duration',
        brief: 'longest time from the restore on, if not by the size of the backup',
      },
      ...OUTPUT_FLAGS,
    },
    positional: BACKUP_POSITIONAL,
  },
  docs: {
    brief: 'Prove a backup by a restore: a real etcd reads it, writes to it and grows',
    fullDescription: [
      'Examines the files as verify does, restores the snapshot into a scratch directory, starts an etcd on it that',
      'nobody can reach, and holds its HashKV, its revision and every key against the snapshot. Then it writes,',
      'compacts, defragments, adds a second member and compares that one as well. Nothing of it stays; the verdict is',
      'added to the record where that can be written. No running cluster is asked or touched (docs/drill.md).',
      '',
      'Exit status: 0 good, 4 bad, 5 nothing is wrong and the drill could not go all the way, 1 failed, 2 usage,',
      '3 refused: no room, or an etcd that is too old; 130 or 143 interrupted.',
    ].join('\n'),
  },
});
