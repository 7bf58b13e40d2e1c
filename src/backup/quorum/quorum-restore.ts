// A quorum is lost, and there is no backup: which member is newest, what each other choice would lose, and how a cluster is
// started from it. It looks and plans; nothing is changed.

import { EtcdkeepError } from '../../base/errors.ts';
import type { Candidate, SilentSource } from './candidate.ts';
import { type Comparison, compareCandidates, demandOneCluster } from './compare.ts';
import { planQuorumRestore, type QuorumPlan } from './plan.ts';
import { type Found, lookAtSources, type SourcesRequest } from './sources.ts';

export interface QuorumRestore {
  /** Undefined where it did not run on a host of a cluster. */
  readonly host: { readonly name: string; readonly layout: string } | undefined;
  readonly comparison: Comparison;
  readonly silent: readonly SilentSource[];
  readonly plan: QuorumPlan;
}

/**
 * Looks at what was named, or at what this host knows.
 * @throws EtcdkeepError `quorum-alive`, `clusters-differ`, `no-member-to-start`, and those of `lookAtSources`
 */
export async function quorumRestore(request: SourcesRequest): Promise<QuorumRestore> {
  const found = await lookAtSources(request);
  request.signal.throwIfAborted();
  demandAny(found);
  demandOneCluster(found.candidates);
  demandNoQuorum(found.candidates);
  const { own, candidates, silent } = found;
  const comparison = compareCandidates(candidates);
  return {
    host: own && { name: own.local.name, layout: own.host.layout },
    comparison,
    silent,
    plan: await planQuorumRestore(comparison, own),
  };
}

/** @throws EtcdkeepError `no-member-to-start`, or why the only one could not be read */
function demandAny({ candidates, silent }: Found): void {
  if (candidates.length > 0) return;
  const [only, ...others] = silent;
  if (only !== undefined && others.length === 0) throw only.reason;
  throw new EtcdkeepError(
    'no-member-to-start',
    'nothing that was looked at can be read or answers',
    {
      facts: silent.map(({ source, reason }) => [source, reason.message] as const),
    },
  );
}

/** @throws EtcdkeepError `quorum-alive` */
function demandNoQuorum(candidates: readonly Candidate[]): void {
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
