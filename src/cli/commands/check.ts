// etcdkeep check [DIR]: what a backup would be told, with nothing taken: of this host, or of one that is reached.

import { buildCommand } from '@stricli/core';
import type { CheckedHost } from '../../backup/check.ts';
import { BACKUP_CHECKS, CHECKS, NEEDED } from '../../backup/checks/catalog.ts';
import { isRefusing, refusalOf } from '../../backup/checks/result.ts';
import type { RemoteEvent } from '../../backup/remote/events.ts';
import type { EtcdkeepError } from '../../base/errors.ts';
import { tellHost } from '../backup-screen.ts';
import { checkLine, checkSummary } from '../check-screen.ts';
import { OUTPUT_FLAGS, type OutputFlags } from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { errorDocument } from '../error-screen.ts';
import { ETCD_FLAGS } from '../etcd-flags.ts';
import { HOST_FLAGS, type HostFlags, hostRequest, ownerWords } from '../host-flags.ts';
import {
  demandMeaning,
  demandOnePlaceToCheck,
  hostCheckFlags,
  isRemote,
  LEAVE_FLAG,
  type LeaveFlag,
  openApi,
  REACH_FLAGS,
  type ReachFlags,
} from '../remote-flags.ts';
import { answerNodes, nodesDocument, RemoteScreen } from '../remote-screen.ts';
import { type Screen, withScreen } from '../screen.ts';

interface Flags extends HostFlags, OutputFlags, ReachFlags, LeaveFlag {}

async function run(this: CommandContext, flags: Flags, directory?: string): Promise<void> {
  const refusal = await withScreen(this, flags, async (screen) => {
    demandOnePlaceToCheck(flags, directory);
    demandMeaning(flags);
    if (isRemote(flags)) return await checkElsewhere(this, flags, screen);
    const request = hostRequest(flags, this);
    // Loaded here, so that no other command, and not --help, waits for it.
    const { checkHost } = await import('../../backup/check.ts');
    const host = await checkHost({ ...request, directory });
    tellHost(screen, host);
    return answerChecks(screen, host, request.policy);
  });
  if (refusal !== undefined) throw refusal;
}

async function checkElsewhere(
  context: CommandContext,
  flags: Flags,
  screen: Screen,
): Promise<EtcdkeepError | undefined> {
  const drawn = new RemoteScreen(screen);
  // Loaded here, so that no other command, and not --help, waits for it.
  const remote = await import('../../backup/remote/check-node.ts');
  const { executableFor } = await import('../own-executable.ts');
  const request = {
    leaveOnNode: flags.leaveOnNode,
    resourcesDirectory: flags.staticResourcesDir,
    flags: hostCheckFlags(flags),
    executableFor: (architecture: string) => executableFor(architecture, flags.executable),
    now: context.now,
    report: (event: RemoteEvent) => drawn.draw(event),
    signal: context.signal,
  };
  const checked = async () => {
    if (flags.ssh !== undefined) {
      return await remote.checkThroughSsh({ ...request, destination: flags.ssh });
    }
    using closing = new DisposableStack();
    const api = await openApi(flags, context);
    closing.defer(() => api.close());
    return await remote.checkThroughApi({
      ...request,
      api,
      node: flags.node === 'auto' ? undefined : flags.node,
      podNamespace: flags.toNamespace,
      image: flags.image,
      owner: ownerWords(),
    });
  };
  const { host, nodes } = await checked();
  answerNodes(screen, nodes);
  const { policy } = hostRequest(flags, context);
  return answerChecks(screen, host, policy, { nodes: nodesDocument(nodes) });
}

/** @returns why a backup would be refused; undefined if it would not */
function answerChecks(
  screen: Screen,
  { name, layout, results }: CheckedHost,
  { skipped }: ReturnType<typeof hostRequest>['policy'],
  more: object = {},
): EtcdkeepError | undefined {
  for (const result of results) screen.answer(checkLine(result, NEEDED));
  screen.tell('checks', checkSummary(results, skipped.length));
  for (const result of results) {
    // What is unknown has failed at nothing that there is advice for.
    if (result.result !== 'failed' || isRefusing(result)) continue;
    screen.tell('do', `${result.name}: ${CHECKS[result.name].advice}`);
  }
  const refusing = refusalOf(results, BACKUP_CHECKS);
  screen.document({
    host: { name, layout },
    ...more,
    checks: results,
    skipped,
    ...(refusing === undefined ? {} : errorDocument(refusing)),
  });
  return refusing;
}

export const check = buildCommand({
  func: run,
  parameters: {
    flags: { ...REACH_FLAGS, ...LEAVE_FLAG, ...HOST_FLAGS, ...OUTPUT_FLAGS, ...ETCD_FLAGS },
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
    customUsage: ['[<DIR>]', '--node <name>', '--ssh <user@host>'],
    fullDescription: [
      'Looks at this host, its etcd member and the others of the cluster, and says what is the matter. With --node',
      'it first asks the API server whether the user may do all that a backup does, and says what the nodes are like.',
      'The checks and what each of them does are in docs/checks.md.',
      '',
      'Exit status: 0 a backup would be taken, 3 it would be refused, 1 failed, 2 usage.',
    ].join('\n'),
  },
});
