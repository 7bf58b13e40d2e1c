// Whether OpenShift's operators say that they roll something out.

import { z } from 'zod';
import { EtcdkeepError } from '../../base/errors.ts';
import type { Host } from '../../controlplane/host.ts';
import { openLocalApi } from '../../controlplane/local-api.ts';
import type { ApiClient } from '../../kubernetes/api-client.ts';
import { failed, type Outcome, passed, unknown } from './result.ts';

/** In the order of cluster-backup.sh. */
const OPERATORS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'] as const;

/** For each operator; all are asked at once. An API server that hangs must not keep a backup waiting. */
const TIMEOUT_MS = 5000;

// config.openshift.io/v1, types_cluster_operator.go: ClusterOperatorStatusCondition.
const schema = z.object({
  status: z.object({
    conditions: z.array(
      z.object({ type: z.string(), status: z.string(), message: z.string().default('') }),
    ),
  }),
});

export interface OperatorState {
  readonly name: (typeof OPERATORS)[number];
  /** `True`, `False` or `Unknown` as the condition says; or why it could not be asked. */
  readonly progressing: string | EtcdkeepError;
  readonly message: string;
}

/** Asks for the condition Progressing of each operator. Never throws but for the signal. */
export async function operatorStates(
  host: Host,
  signal: AbortSignal,
): Promise<readonly OperatorState[]> {
  const api = await openLocalApi(host, TIMEOUT_MS, signal).catch(onlyOurs);
  try {
    return await Promise.all(OPERATORS.map((name) => stateOf(api, name)));
  } finally {
    if (!(api instanceof EtcdkeepError)) api.close();
  }
}

/** What is unknown of one operator leaves the others' as they are; one that progresses is enough. */
export async function checkOperators(host: Host, signal: AbortSignal): Promise<Outcome> {
  const states = await operatorStates(host, signal);
  const progressing = states.filter((state) => state.progressing === 'True');
  if (progressing.length > 0) {
    return failed(
      progressing.map(({ name, message }) => `${name}: ${message || 'Progressing'}`).join('; '),
    );
  }
  const unsaid = states.find((state) => state.progressing !== 'False');
  if (unsaid === undefined) return passed(`${OPERATORS.join(', ')}: none is progressing`);
  const { name, progressing: why } = unsaid;
  return unknown(why instanceof EtcdkeepError ? why.message : `${name} says Progressing=${why}`);
}

async function stateOf(
  api: ApiClient | EtcdkeepError,
  name: OperatorState['name'],
): Promise<OperatorState> {
  if (api instanceof EtcdkeepError) return { name, progressing: api, message: '' };
  const answer = await api
    .get(`/apis/config.openshift.io/v1/clusteroperators/${name}`)
    .catch(onlyOurs);
  if (answer instanceof EtcdkeepError) return { name, progressing: answer, message: '' };
  const { data } = schema.safeParse(answer);
  const found = data?.status.conditions.find(({ type }) => type === 'Progressing');
  if (found !== undefined) return { name, progressing: found.status, message: found.message };
  const error = new EtcdkeepError('api-refused', `${name} does not say whether it is progressing`);
  return { name, progressing: error, message: '' };
}

function onlyOurs(reason: unknown): EtcdkeepError {
  if (reason instanceof EtcdkeepError) return reason;
  throw reason;
}
