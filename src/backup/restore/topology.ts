// Which control planes are restored in another way, and what that is. Told by files that only they have, before a host is
// looked for: most of them have none that etcdkeep would know.

import { join } from 'node:path';
import { EtcdkeepError } from '../../base/errors.ts';
import { leadsSomewhere } from '../../base/exists.ts';

interface Topology {
  readonly name: string;
  /** What fits instead. */
  readonly procedure: string;
}

const TWO_NODE_FENCING: Topology = {
  name: 'two-node OpenShift with fencing: Pacemaker runs etcd, and would start it again',
  procedure:
    "run the host's own /usr/local/bin/cluster-restore.sh DIR, which tells Pacemaker first, on a directory with this pair alone",
};

/** Pacemaker's, wherever it runs anything. */
const COROSYNC = '/etc/corosync/corosync.conf';

/** By a directory that each has on its servers. */
const DISTRIBUTIONS: Readonly<Record<string, Topology>> = {
  '/var/lib/rancher/rke2/server': {
    name: 'RKE2, which runs etcd by itself',
    procedure:
      'rke2 server --cluster-reset --cluster-reset-restore-path=SNAPSHOT, with the service rke2-server stopped on every server',
  },
  '/var/lib/rancher/k3s/server': {
    name: 'k3s, which runs etcd within its own process',
    procedure:
      'k3s server --cluster-reset --cluster-reset-restore-path=SNAPSHOT, with the service k3s stopped on every server',
  },
};

/** Infrastructure.status.controlPlaneTopology (openshift/api, config/v1/types_infrastructure.go). */
const UNSUITED: Readonly<Record<string, Topology>> = {
  DualReplica: TWO_NODE_FENCING,
  HighlyAvailableArbiter: {
    name: 'OpenShift with an arbiter host: the arbiter runs a member and no control plane',
    procedure:
      'Red Hat\'s procedure for clusters with an arbiter ("Restoring to a previous cluster state"), on one of the two control-plane hosts',
  },
  External: {
    name: 'a hosted control plane: its etcd runs as pods of another cluster',
    procedure:
      'restore the snapshot into the hosted cluster\'s etcd, in the management cluster: "Disaster recovery for a hosted cluster"',
  },
};

/** Where kubeadm has etcd elsewhere. */
const API_SERVER = '/etc/kubernetes/manifests/kube-apiserver.yaml';

/**
 * Ends the run on a host whose etcd is under Pacemaker, which has OpenShift's layout all the same.
 * @throws EtcdkeepError `topology-unsuited`
 */
export async function demandUnfenced(root: string): Promise<void> {
  await demandWithout(root, COROSYNC, TWO_NODE_FENCING);
}

/**
 * Ends the run on a machine without a control plane that etcdkeep knows, if it has another one. What k3s has left on a host
 * of kubeadm is none.
 * @throws EtcdkeepError `topology-unsuited`
 */
export async function demandKnownDistribution(root: string): Promise<void> {
  for (const [path, topology] of Object.entries(DISTRIBUTIONS)) {
    await demandWithout(root, path, topology);
  }
}

/**
 * The same, by what OpenShift says of itself.
 * @param controlPlaneTopology as Infrastructure `cluster` has it
 * @throws EtcdkeepError `topology-unsuited`
 */
export function demandSuitedTopology(controlPlaneTopology: string, from: string): void {
  const topology = UNSUITED[controlPlaneTopology];
  if (topology === undefined) return;
  throw unsuited(topology, `controlPlaneTopology is ${controlPlaneTopology} in ${from}`);
}

/** The error of a host whose API server's etcd runs on other machines. */
export async function externalEtcd(root: string): Promise<EtcdkeepError | undefined> {
  if (!(await leadsSomewhere(join(root, API_SERVER)))) return undefined;
  const topology = {
    name: "external etcd: this host's API server uses one that runs on other machines",
    procedure:
      'stop every API server, restore each of those machines from the one snapshot with etcdkeep snapshot restore, then start them together',
  };
  return unsuited(topology, `${join(root, API_SERVER)} is there, and no manifest of etcd`);
}

async function demandWithout(root: string, path: string, topology: Topology): Promise<void> {
  const place = join(root, path);
  if (await leadsSomewhere(place)) throw unsuited(topology, `${place} is there`);
}

function unsuited({ name, procedure }: Topology, seen: string): EtcdkeepError {
  return new EtcdkeepError('topology-unsuited', `this control plane is ${name}`, {
    facts: [['seen', seen]],
    advice: procedure,
  });
}
