// A backup in the place of OpenShift's own cluster-backup.sh: what that script refuses is refused here, with
// its lines, before ours begins. Read in cluster-etcd-operator, bindata/etcd/cluster-backup.sh and
// etcd-common-tools; the same from 4.11 to 4.23 but for how it gets its etcdctl.

import { EtcdkeepError } from '../base/errors.ts';
import { findHost, type Host } from '../controlplane/host.ts';
import { readEtcdEnv } from '../controlplane/openshift/etcd-env.ts';
import { onHost } from '../controlplane/openshift/local-etcd.ts';
import { findOpenshiftPod, STATIC_POD_NAMES } from '../controlplane/openshift/static-pods.ts';
import { requireRoot } from './check.ts';
import { type OperatorState, operatorStates } from './checks/operators.ts';
import { type Backup, type TakeRequest, takeBackup } from './take.ts';

/** Prints a line of the script's. */
export type Say = (line: string) => void;

/** The script's own last words on a snapshot whose status cannot be read. */
const CORRUPTED = 'Backup integrity verification failed. Backup appears corrupted. Aborting!';
const NO_DEPENDENCIES =
  'required dependencies not found, please ensure this script is run on a node with a functional etcd static pod';

/** Errors of a snapshot that arrived and is not right. */
const CORRUPTED_CODES = [
  'digest-missing',
  'digest-mismatch',
  'database-damaged',
  'stream-inconsistent',
];

/**
 * Takes a backup, after the checks of the script; `force` leaves those out.
 * @throws EtcdkeepError as takeBackup does; the script's line has been said by then, where it has one
 */
export async function clusterBackup(request: TakeRequest, say: Say): Promise<Backup> {
  await orSay(say, 'This script must be run as root', () => requireRoot(request.uid, 'backed up'));
  const host = await orSay(say, NO_DEPENDENCIES, () => findOpenshiftHost(request.root));
  const env = await orSay(say, NO_DEPENDENCIES, () => readEtcdEnv(host));
  await sayCertificate(host, env.cacert, say);
  const states = request.force ? [] : await operatorStates(host, request.signal);
  for (const pod of STATIC_POD_NAMES) {
    const operator = pod.replace(/-pod$/, '');
    const { path } = await findPod(host, pod, operator, say);
    const state = states.find(({ name }) => name === operator);
    if (state !== undefined) demandSettled(state, say);
    request.report({ kind: 'static-pod-found', pod, path });
  }
  try {
    return await takeBackup(request);
  } catch (reason) {
    if (reason instanceof EtcdkeepError && CORRUPTED_CODES.includes(reason.code)) say(CORRUPTED);
    throw reason;
  }
}

async function findOpenshiftHost(root: string | undefined): Promise<Host> {
  const host = await findHost(root);
  if (host.layout === 'openshift') return host;
  throw new EtcdkeepError('not-a-control-plane-host', 'this is not a host of OpenShift', {
    path: host.root,
    advice: 'this script is for automation made for OpenShift; run etcdkeep backup DIR here',
  });
}

/** The script tests the authority alone. */
async function sayCertificate(host: Host, inPod: string, say: Say): Promise<void> {
  if (await host.isFile(inPod)) return;
  say(`Certificate ${inPod} is missing. Checking in different directory`);
  const second = onHost(inPod);
  if (await host.isFile(second)) say(`Certificate ${second} found!`);
  else say(`Certificate ${second} is also missing in the second directory. Exiting!`);
}

async function findPod(
  host: Host,
  pod: (typeof STATIC_POD_NAMES)[number],
  operator: string,
  say: Say,
): Promise<{ readonly path: string }> {
  try {
    return await findOpenshiftPod(host, pod);
  } catch (reason) {
    if (reason instanceof EtcdkeepError) {
      const what = reason.code === 'static-pod-missing' ? 'manifests' : 'static-pod-resources';
      say(`error finding ${what} for the ${operator} pod. please check if it is running.`);
    }
    throw reason;
  }
}

/** Whatever is not plainly "False" refuses, as in the script. */
function demandSettled({ name, progressing, message }: OperatorState, say: Say): void {
  if (progressing === 'False') return;
  if (progressing instanceof EtcdkeepError) {
    say(
      progressing.code === 'kubeconfig-missing'
        ? 'Valid kubeconfig is not found in kube-apiserver-certs. Exiting!'
        : `Could not find the status of the ${name}. Check if the API server is running. Pass the --force flag to skip checks.`,
    );
    throw progressing;
  }
  say(
    `Currently the ${name} operator is progressing. A reliable backup requires that a rollout is not in progress.  Aborting!`,
  );
  throw new EtcdkeepError(
    'check-failed',
    `check "operators-progressing" failed: ${name} ${message}`,
    {
      advice:
        'wait until it is over; --force takes the backup all the same, and marks it possibly dirty',
    },
  );
}

async function orSay<T>(say: Say, line: string, attempt: () => T | Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (reason) {
    say(line);
    throw reason;
  }
}
