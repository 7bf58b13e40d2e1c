// A quorum is lost, and there is no backup: which member is newest, what each other choice would lose, and how a cluster is
// started from it. It looks and plans; nothing is changed.

import { EtcdkeepError } from '../../base/errors.ts';
import type { SilentSource } from './candidate.ts';
import { type Comparison, compareCandidates, demandOneCluster } from './compare.ts';
import { planQuorumRestore, type QuorumPlan } from './plan.ts';
import { demandNoQuorum } from './quorum-alive.ts';
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
