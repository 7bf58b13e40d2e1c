// Whether a cluster still has its quorum: then nothing is to be started beside it.

import { EtcdkeepError } from '../../base/errors.ts';
import type { Candidate } from './candidate.ts';

/**
 * Members that answer, and those of them that vote, must be too few.
 * @throws EtcdkeepError `quorum-alive`
 */
export function demandNoQuorum(candidates: readonly Candidate[]): void {
  const running = candidates.filter(({ fromEndpoint }) => fromEndpoint !== undefined);
  const serving = running.find(({ fromEndpoint }) => fromEndpoint!.hasQuorum);
  const facts = running.map(
    ({ name, fromEndpoint }) =>
      [name, `${fromEndpoint!.endpoint}, etcd ${fromEndpoint!.version}`] as const,
  );
  if (serving !== undefined) {
    throw new EtcdkeepError(
      'quorum-alive',
      `a quorum lives: ${serving.name} serves reads that a majority has agreed to`,
      {
        facts,
      },
    );
  }
  const voters = new Map(
    running
      .flatMap(({ members }) => members.filter(({ isLearner }) => !isLearner))
      .map((member) => [member.id, member]),
  );
  const up = new Set(running.map(({ memberId }) => memberId).filter((id) => voters.has(id)));
  if (voters.size === 0 || up.size <= voters.size / 2) return;
  throw new EtcdkeepError(
    'quorum-alive',
    `${up.size} of ${voters.size} voters run, which is enough for a quorum, though none leads now`,
    {
      facts,
      advice:
        'wait a minute; else see why they do not reach one another: port 2380, their certificates, their clocks',
    },
  );
}
