// Which control planes are restored in another way, and what that is. Told by files that only they have, before a host is
// looked for: most of them have none that etcdkeep would know.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EtcdkeepError, readError, systemCodeOf } from '../../base/errors.ts';

interface Topology {
  readonly name: string;
  /** Any of these is there, seen from the host's root. */
  readonly files: readonly string[];
  /** What fits instead. */
  readonly procedure: string;
}

const TWO_NODE_FENCING: Topology = {
  name: 'two-node OpenShift with fencing: Pacemaker runs etcd, and would start it again',
  files: ['/etc/corosync/corosync.conf', '/usr/lib/ocf/resource.d/heartbeat/podman-etcd'],
  procedure:
    "run the host's own /usr/local/bin/cluster-restore.sh DIR, which tells Pacemaker first, on a directory with this pair alone",
};

const TOPOLOGIES: readonly Topology[] = [
  {
    name: 'RKE2, which runs etcd by itself',
    files: ['/var/lib/rancher/rke2/server'],
    procedure:
      'rke2 server --cluster-reset --cluster-reset-restore-path=SNAPSHOT, with the service rke2-server stopped on every server',
  },
  {
    name: 'k3s, which runs etcd within its own process',
    files: ['/var/lib/rancher/k3s/server'],
    procedure:
      'k3s server --cluster-reset --cluster-reset-restore-path=SNAPSHOT, with the service k3s stopped on every server',
  },
  TWO_NODE_FENCING,
];

/** Infrastructure.status.controlPlaneTopology (openshift/api, config/v1/types_infrastructure.go). */
const UNSUITED: Readonly<Record<string, { readonly name: string; readonly procedure: string }>> = {
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
 * Ends the run where the machine is of a control plane that is restored in another way.
 * @param roots where the machine's root may be seen
 * @throws EtcdkeepError `topology-unsuited`
 */
export async function demandSuitedFiles(roots: readonly string[]): Promise<void> {
  for (const root of roots) {
    for (const topology of TOPOLOGIES) {
      for (const file of topology.files) {
        if (await exists(join(root, file)))
          throw unsuited(topology, `${join(root, file)} is there`);
      }
    }
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
  if (!(await exists(join(root, API_SERVER)))) return undefined;
  const topology = {
    name: "external etcd: this host's API server uses one that runs on other machines",
    procedure:
      'stop every API server, restore each of those machines from the one snapshot with etcdkeep snapshot restore, then start them together',
  };
  return unsuited(topology, `${join(root, API_SERVER)} is there, and no manifest of etcd`);
}

function unsuited(
  { name, procedure }: { readonly name: string; readonly procedure: string },
  seen: string,
): EtcdkeepError {
  return new EtcdkeepError('topology-unsuited', `this control plane is ${name}`, {
    facts: [['seen', seen]],
    advice: procedure,
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (reason) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(reason) ?? '')) return false;
    throw readError(reason, 'look at it', path);
  }
}
