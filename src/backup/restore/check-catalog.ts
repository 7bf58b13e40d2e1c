// The closed set of checks that are made before a restore on a host. docs/checks.md is generated from this table. A restore
// replaces what is there: here, other than before a backup, most of them refuse.

import type { CheckMeaning } from '../checks/catalog.ts';

const refuse = (asks: string, advice: string, without?: string): CheckMeaning => ({
  severity: 'refuse',
  asks,
  advice,
  ...(without === undefined ? {} : { without }),
});
const warn = (asks: string, advice: string): CheckMeaning => ({ severity: 'warn', asks, advice });

/** In the order in which they are shown. */
const table = {
  topology: refuse(
    'The control plane is one that is restored on one of its own hosts: several masters, one master, or kubeadm with stacked etcd. One that is not ends the run with topology-unsuited, and what to do instead.',
    'see which topology this is: oc get infrastructure cluster -o yaml',
  ),
  'data-directory': refuse(
    "etcd's data directory holds nothing that is mounted or linked from elsewhere, and no write-ahead log is kept outside of it: what is there is set aside by renaming it, which never crosses file systems. The data directory itself may be a mount.",
    'mount the file system on the data directory itself, with member, wal and snap as plain directories in it',
  ),
  writable: refuse(
    'What has to be written can be: the data directory, the manifests, and where static resources are put back.',
    'see why it is mounted read-only; after errors of the disk it has to be replaced first',
  ),
  'other-members': refuse(
    'No other member lives. Each that this host, its etcd, its data or the snapshot knows is dialled at its client and its peer port: one that answers refuses, because the others could still form a quorum; one that refuses the connection is stopped; one from which no answer comes is unknown, and has to be attested with --member-stopped NAME.',
    'run on each of their hosts what is printed, and see that it stays so; then name those that cannot be reached with --member-stopped',
  ),
  pair: refuse(
    'The snapshot and the static resources are those of one backup: of one stamp, and with the digests that the record names.',
    'name where the other file lies with --static-resources-dir, or another backup',
    'restores the data with what static resources there are, or none: keys and certificates may not fit it',
  ),
  verified: refuse(
    'etcdkeep verify finds nothing wrong with the backup. It is made anew, and is unknown where not all could be proven.',
    'use another backup',
    'restores what is known to be damaged',
  ),
  drilled: warn(
    'The newest drill of this backup was good. Without one it is not known whether an etcd serves it.',
    'where there is time: etcdkeep drill BACKUP, on another machine',
  ),
  'same-cluster': refuse(
    "The snapshot is of this host's cluster: by the UIDs of namespace kube-system and, with kubeadm, of its kubeadm-config, and by OpenShift's cluster id and infrastructure name, in the snapshot and in this host's own data. etcd's cluster id is none: it changes with every restore.",
    'find the backup of this cluster',
    "puts another cluster's objects on these machines, whose certificates and addresses do not fit them",
  ),
  'same-release': refuse(
    'The snapshot was taken at the release that runs here: of OpenShift the very same version, with kubeadm the same minor version.',
    'use a backup of this release; OpenShift restores only one of the same z-stream',
    'runs operators on data of another release, which may no longer be able to read it',
  ),
  'etcd-version': refuse(
    'The snapshot is of the same minor version of etcd as this host runs, by the running member, the image in its manifest, or its data.',
    'use a backup of this version',
    'lets etcd load data of another version, which it may refuse to start on',
  ),
  alarms: refuse(
    'The snapshot holds no alarm, or is to be rid of them: with one raised etcd takes no writes, and is not healthy.',
    'NOSPACE: --clear-alarms removes it, and where the database is near its quota it is raised again; CORRUPT: use another backup',
    'restores the alarms too: etcd will not be seen to serve',
  ),
  'encryption-keys': refuse(
    "Each key that a value of the snapshot was encrypted with, by its name, is in the encryption-config that this host's API server will load. What other API servers of OpenShift encrypt has its keys in etcd itself.",
    'put back the static resources of the same backup, which hold its keys: --static-resources-dir',
    'goes on: what was encrypted with a key that is missing can never be read, and the API server fails to list it',
  ),
  'static-resources': warn(
    'With kubeadm: no file of the archive differs from the one on this host. A certificate that was renewed since does; it is left as it is.',
    'compare those that are named: what the archive has is of the time of the backup',
  ),
  'revisions-rise': refuse(
    'Revisions go on above every revision that anybody can have seen, and an amount that would leave no room for more is none. What could not be read is unknown, and the margin has to cover it.',
    'the data has been raised almost to the end of 64 bits: use another backup',
  ),
  space: refuse(
    'Each file system has room for what is built or put there: the database, two segments of 64 MB of write-ahead log, a tenth of the database to grow; and the static resources.',
    'free some space; nothing of etcd',
    'begins all the same, and may end in the middle for want of space',
  ),
} as const satisfies Record<string, CheckMeaning>;

/** The stable name of a check, as --skip-check takes it. Names are never changed or used again. */
export type RestoreCheckName = keyof typeof table;

export const RESTORE_CHECK_NAMES = Object.keys(table) as RestoreCheckName[];

/** What no restore can do without: these cannot be left out. */
const NEEDED: readonly RestoreCheckName[] = [
  'topology',
  'data-directory',
  'writable',
  'other-members',
  'revisions-rise',
];

/** The checks before a restore. */
export const RESTORE_CHECKS: {
  readonly meanings: Readonly<Record<RestoreCheckName, CheckMeaning>>;
  readonly needed: readonly RestoreCheckName[];
} = { meanings: table, needed: NEEDED };
