// All checks, in the order of the catalog: asked, collected, and judged.

import { EtcdkeepError } from '../../base/errors.ts';
import type { Host } from '../../controlplane/host.ts';
import type { LocalEtcd } from '../../controlplane/layout.ts';
import type { StaticResources } from '../../controlplane/static-resources.ts';
import type { OtherFlights } from '../single-flight.ts';
import type { Target } from '../target.ts';
import { CHECK_NAMES, CHECKS, type CheckName, STRICT } from './catalog.ts';
import type { ClusterView } from './cluster-view.ts';
import { checkEncryptionMigration } from './encryption-migration.ts';
import { checkCertificates, checkClusterAge, checkRollout } from './host-checks.ts';
import {
  checkAlarms,
  checkHashes,
  checkLag,
  checkLearner,
  checkOtherMembers,
  checkQuorum,
} from './member-checks.ts';
import { checkOperators } from './operators.ts';
import {
  ask,
  type Check,
  type CheckResult,
  failed,
  type Outcome,
  passed,
  type SkippedCheck,
  unknown,
} from './result.ts';
import { checkClock, checkKeysApart, checkSpace, checkTargetOutsideData } from './target-checks.ts';

/** How the checks are to be taken. */
export interface CheckPolicy {
  /** Checks that are left out, with the reason. */
  readonly skipped: readonly SkippedCheck[];
  /** What is being rolled out refuses, as in OpenShift's script. */
  readonly strict: boolean;
}

export interface PreflightFacts {
  readonly host: Host;
  readonly local: LocalEtcd;
  readonly resources: StaticResources;
  /** Why it could not be reached, if so. */
  readonly cluster: ClusterView | EtcdkeepError;
  /** Where the backup is to go; without it nothing about the target is asked. */
  readonly target: Target | undefined;
  readonly flights: OtherFlights;
  readonly now: Date;
  readonly signal: AbortSignal;
}

/**
 * Asks every check that is not left out.
 * @throws whatever is no EtcdkeepError: those are results
 */
export async function runChecks(
  facts: PreflightFacts,
  { skipped, strict }: CheckPolicy,
): Promise<readonly CheckResult[]> {
  const checks = checksOf(facts);
  const results: CheckResult[] = [];
  for (const name of CHECK_NAMES) {
    const check = checks[name];
    if (check === undefined || skipped.some((one) => one.name === name)) continue;
    const severity = strict && STRICT.includes(name) ? 'refuse' : CHECKS[name].severity;
    results.push(await ask(name, severity, check));
  }
  return results;
}

function checksOf(facts: PreflightFacts): Readonly<Partial<Record<CheckName, Check>>> {
  const { host, local, resources, cluster, target, now } = facts;
  return {
    ...clusterChecks(cluster),
    certificates: () => checkCertificates(host, local, resources, now),
    ...(host.layout === 'openshift' ? openshiftChecks(facts) : {}),
    ...(target === undefined ? {} : targetChecks(facts, target)),
    'single-flight': () => checkSingleFlight(facts.flights),
  };
}

/** kubeadm's static pods have no revisions, and its certificates last a year from the first day on. */
function openshiftChecks({ host, local, resources, now, signal }: PreflightFacts) {
  return {
    'cluster-age': () => checkClusterAge(host, local, now),
    rollout: () => checkRollout(host, resources.pods),
    'operators-progressing': () => checkOperators(host, signal),
    'encryption-migration': () => checkEncryptionMigration(host, resources.encryption, signal),
  } satisfies Partial<Record<CheckName, Check>>;
}

function targetChecks(
  { host, local, resources, cluster, now }: PreflightFacts,
  target: Target,
): Partial<Record<CheckName, Check>> {
  return {
    'target-outside-data': () => checkTargetOutsideData(host, local, target),
    clock: () => checkClock(target, now),
    space: () =>
      cluster instanceof EtcdkeepError
        ? unknown('the size of the database is not known')
        : checkSpace(target, cluster.own.status.dbSize, resources),
    'keys-apart': () => checkKeysApart(target, resources),
  };
}

function clusterChecks(cluster: ClusterView | EtcdkeepError): Partial<Record<CheckName, Check>> {
  const asked = (check: (view: ClusterView) => Outcome | Promise<Outcome>): Check => {
    return () =>
      cluster instanceof EtcdkeepError ? unknown('the member does not serve') : check(cluster);
  };
  return {
    'client-certificate': () => checkClientCertificate(cluster),
    'member-serves': () =>
      cluster instanceof EtcdkeepError
        ? failed(cluster.message)
        : passed(`${cluster.own.client.endpoint} serves, etcd ${cluster.own.status.version}`),
    quorum: asked(checkQuorum),
    'other-members': asked(checkOtherMembers),
    learner: asked(checkLearner),
    lag: asked(checkLag),
    alarms: asked(checkAlarms),
    'hashes-agree': asked(checkHashes),
  };
}

/** The client has judged it before it dialled. */
function checkClientCertificate(cluster: ClusterView | EtcdkeepError): Outcome {
  if (!(cluster instanceof EtcdkeepError)) {
    const { endpoint } = cluster.own.client;
    const isUsed = endpoint.startsWith('https:');
    return passed(`${endpoint} was reached ${isUsed ? 'with it' : 'without one'}`);
  }
  return cluster.code.startsWith('certificate-')
    ? failed(cluster.message)
    : unknown('the member does not serve');
}

function checkSingleFlight({ other, unasked }: OtherFlights): Outcome {
  if (other !== undefined) return failed(other);
  if (unasked !== undefined) return unknown(unasked);
  return passed('no other backup of this cluster is running');
}
