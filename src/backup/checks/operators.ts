// Whether OpenShift's operators say that they roll something out.

import { EtcdkeepError } from '../../base/errors.ts';
import type { Host } from '../../controlplane/host.ts';
import { conditionsOf } from './operator-conditions.ts';
import { failed, type Outcome, passed, unknown } from './result.ts';

/** In the order of cluster-backup.sh. */
const OPERATORS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'] as const;

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
  const paths = OPERATORS.map((name) => `/apis/config.openshift.io/v1/clusteroperators/${name}`);
  const found = await conditionsOf(host, { paths, type: 'Progressing', signal });
  return OPERATORS.map((name, index) => {
    const condition = found[index];
    if (condition instanceof EtcdkeepError) return { name, progressing: condition, message: '' };
    if (condition !== undefined) {
      return { name, progressing: condition.status, message: condition.message };
    }
    const words = `${name} does not say whether it is progressing`;
    return { name, progressing: new EtcdkeepError('api-refused', words), message: '' };
  });
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
