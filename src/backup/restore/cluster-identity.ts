// Which cluster some data is of, and at which release: by what Kubernetes and OpenShift keep in etcd about themselves.

import {
  configMapEntry,
  readStoredObject,
  type StoredObject,
} from '../../kubernetes/stored-object.ts';
import { failed, type Outcome, passed, unknown } from '../checks/result.ts';
import { asReason, type ClusterData } from './cluster-data.ts';

/** Each is undefined where it could not be read: not there, or encrypted. */
export interface ClusterIdentity {
  /** Where it was read, for messages. */
  readonly from: string;
  readonly marks: Readonly<Record<Mark, string | undefined>>;
  /** OpenShift's: HighlyAvailable, SingleReplica, DualReplica, ... */
  readonly controlPlaneTopology: string | undefined;
  /** Version of OpenShift that is or was installed in full. */
  readonly openshiftVersion: string | undefined;
  /** That is being installed, where it is another. */
  readonly updatingTo: string | undefined;
  /** Kubernetes' version by kubeadm-config: `v1.36.3`. */
  readonly kubernetesVersion: string | undefined;
}

/** What one cluster has and no other. */
type Mark = 'kube-system' | 'kubeadm-config' | 'cluster id' | 'infrastructure name';

const MARK_WORDS: Readonly<Record<Mark, string>> = {
  'kube-system': 'UID of namespace kube-system',
  'kubeadm-config': 'UID of kubeadm-config',
  'cluster id': 'cluster id of ClusterVersion',
  'infrastructure name': 'infrastructure name',
};

/** Where API servers keep what they store (--etcd-prefix): OpenShift's own, and the default. */
const PREFIXES = ['/kubernetes.io', '/registry'] as const;

/** A value is shown on a screen. */
const SOUND_TEXT = /^[\x21-\x7e]{1,128}$/;

/** Looks into the objects that tell; one that cannot be read is left out. */
export async function identify(data: ClusterData): Promise<ClusterIdentity> {
  const read = async (path: string): Promise<StoredObject | undefined> => {
    for (const prefix of PREFIXES) {
      const value = await data.get(`${prefix}${path}`).catch(nothing);
      const object = value && readStoredObject(value);
      if (object !== undefined) return object;
    }
    return undefined;
  };
  const kubeSystem = await read('/namespaces/kube-system');
  const kubeadm = await read('/configmaps/kube-system/kubeadm-config');
  const version = await read('/config.openshift.io/clusterversions/version');
  const infrastructure = await read('/config.openshift.io/infrastructures/cluster');
  const configuration = kubeadm && configMapEntry(kubeadm, 'ClusterConfiguration');
  const completed = completedVersion(version);
  const desired = text(version, 'status', 'desired', 'version');
  return {
    from: data.from,
    marks: {
      'kube-system': sound(kubeSystem?.uid),
      'kubeadm-config': sound(kubeadm?.uid),
      'cluster id': text(version, 'spec', 'clusterID'),
      'infrastructure name': text(infrastructure, 'status', 'infrastructureName'),
    },
    controlPlaneTopology: text(infrastructure, 'status', 'controlPlaneTopology'),
    openshiftVersion: completed ?? desired,
    updatingTo: desired === completed ? undefined : desired,
    kubernetesVersion: sound(/^kubernetesVersion:\s*(\S+)\s*$/m.exec(configuration ?? '')?.[1]),
  };
}

/** A mark that differs refuses, whatever else is the same. */
export function checkSameCluster(
  snapshot: ClusterIdentity,
  here: ClusterIdentity | undefined,
): Outcome {
  if (here === undefined) return unknown("this host's own data cannot be read");
  const marks = Object.keys(MARK_WORDS) as Mark[];
  const known = marks.filter((mark) => snapshot.marks[mark] && here.marks[mark]);
  const other = known.find((mark) => snapshot.marks[mark] !== here.marks[mark]);
  if (other !== undefined) {
    return failed(
      `${MARK_WORDS[other]} is ${snapshot.marks[other]!} in the snapshot and ${here.marks[other]!} in ${here.from}`,
    );
  }
  if (known.length > 0) {
    return passed(
      `the snapshot and ${here.from} agree: ${known.map((mark) => MARK_WORDS[mark]).join(', ')}`,
    );
  }
  return unknown(`the snapshot and ${here.from} have nothing in common that tells`);
}

/** OpenShift restores at the very same version only; a minor version of Kubernetes reads what another patch of it wrote. */
export function checkSameRelease(
  snapshot: ClusterIdentity,
  here: ClusterIdentity | undefined,
): Outcome {
  if (here === undefined) return unknown("this host's own data cannot be read");
  for (const [name, ofSnapshot, ofHost, compared] of [
    ['OpenShift', snapshot.openshiftVersion, here.openshiftVersion, (one: string) => one],
    ['Kubernetes', snapshot.kubernetesVersion, here.kubernetesVersion, minorOf],
  ] as const) {
    if (ofSnapshot === undefined || ofHost === undefined) continue;
    const updating = [snapshot, here].find(({ updatingTo }) => updatingTo !== undefined);
    const more =
      updating === undefined
        ? ''
        : `; an update to ${updating.updatingTo!} is under way in ${updating.from}`;
    if (compared(ofSnapshot) === compared(ofHost)) {
      return passed(`${name} ${ofSnapshot} in the snapshot and ${ofHost} in ${here.from}${more}`);
    }
    return failed(`the snapshot is of ${name} ${ofSnapshot}, and ${here.from} of ${ofHost}${more}`);
  }
  return unknown(`the snapshot and ${here.from} do not both say which release they are of`);
}

/** The newest entry that was installed in full; the history begins with the newest (openshift/api, types_cluster_version.go). */
function completedVersion(object: StoredObject | undefined): string | undefined {
  const history = at(object?.json, ['status', 'history']);
  if (!Array.isArray(history)) return undefined;
  const completed: unknown = history.find((entry) => at(entry, ['state']) === 'Completed');
  return sound(at(completed, ['version']));
}

function text(object: StoredObject | undefined, ...path: readonly string[]): string | undefined {
  return sound(at(object?.json, path));
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null
        ? (inner as Record<string, unknown>)[name]
        : undefined,
    value,
  );
}

function sound(value: unknown): string | undefined {
  return typeof value === 'string' && SOUND_TEXT.test(value) ? value : undefined;
}

function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function nothing(reason: unknown): undefined {
  asReason(reason);
  return undefined;
}
