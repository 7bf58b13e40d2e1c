// etcdkeep check [DIR]: what a backup of this host would be told, with nothing taken.

import { buildCommand } from '@stricli/core';
import { BACKUP_CHECKS, CHECKS, NEEDED } from '../../backup/checks/catalog.ts';
import { isRefusing, refusalOf } from '../../backup/checks/result.ts';
import { tellHost } from '../backup-screen.ts';
import { checkLine, checkSummary } from '../check-screen.ts';
import { OUTPUT_FLAGS, type OutputFlags } from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { errorDocument } from '../error-screen.ts';
import { ETCD_FLAGS } from '../etcd-flags.ts';
import { HOST_FLAGS, type HostFlags, hostRequest } from '../host-flags.ts';
import { withScreen } from '../screen.ts';

type Flags = HostFlags & OutputFlags;

async function run(this: CommandContext, flags: Flags, directory?: string): Promise<void> {
  const refusal = await withScreen(this, flags, async (screen) => {
    const request = hostRequest(flags, this);
    // Loaded here, so that no other command, and not --help, waits for it.
    const { checkHost } = await import('../../backup/check.ts');
    const { results, ...host } = await checkHost({ ...request, directory });
    const { skipped } = request.policy;
    tellHost(screen, host);
    for (const result of results) screen.answer(checkLine(result, NEEDED));
    screen.tell('checks', checkSummary(results, skipped.length));
    for (const result of results) {
      // What is unknown has failed at nothing that there is advice for.
      if (result.result !== 'failed' || isRefusing(result)) continue;
      screen.tell('do', `${result.name}: ${CHECKS[result.name].advice}`);
    }
    const refusing = refusalOf(results, BACKUP_CHECKS);
    screen.document({
      host: { name: host.name, layout: host.layout },
      checks: results,
      skipped,
      ...(refusing === undefined ? {} : errorDocument(refusing)),
    });
    return refusing;
  });
  if (refusal !== undefined) throw refusal;
}

export const check = buildCommand({
  func: run,
  parameters: {
    flags: { ...HOST_FLAGS, ...OUTPUT_FLAGS, ...ETCD_FLAGS },
    positional: {
      kind: 'tuple',
      parameters: [
        {
          parse: String,
          placeholder: 'DIR',
          brief: 'the directory that a backup would go to; without it nothing about it is checked',
          optional: true,
        },
      ],
    },
  },
  docs: {
    brief: 'Make the checks that come before a backup, and nothing else',
    fullDescription: [
      'Looks at this host, its etcd member and the others of the cluster, and says what is the matter.',
      'The checks and what each of them does are in docs/checks.md.',
      '',
      'Exit status: 0 a backup would be taken, 3 it would be refused, 1 failed, 2 usage.',
    ].join('\n'),
  },
});
