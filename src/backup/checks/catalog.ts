// The closed set of checks that are made before a backup. docs/checks.md is generated from this
// table. A backup is most needed when something is wrong: few of them refuse it.

/** What a check means, whoever asks it. */
export interface CheckMeaning {
  /** What a failure does: refuse the backup, or warn. What is unknown only ever warns. */
  readonly severity: 'refuse' | 'warn';
  /** One plain sentence: what is looked at, and when it fails. */
  readonly asks: string;
  /** What to do about a failure. */
  readonly advice: string;
  /** What --skip-check does with it, as a phrase without a subject, if not just to go on. */
  readonly without?: string;
}

const refuse = (asks: string, advice: string): CheckMeaning => ({
  severity: 'refuse',
  asks,
  advice,
});
const warn = (asks: string, advice: string): CheckMeaning => ({ severity: 'warn', asks, advice });

/** In the order in which they are shown. */
const table = {
  'client-certificate': refuse(
    'The certificate that this host reaches its etcd with can be read, belongs to its key, and is valid now.',
    'renew it, or name another pair with --cert and --key',
  ),
  'member-serves': refuse(
    "This host's member accepts the connection and answers a request for its status.",
    'see that etcd runs on this host, or take the backup on another one',
  ),
  quorum: warn(
    'The member serves a read that the whole cluster has to agree to. A snapshot needs no quorum, and may then lack the newest writes.',
    'look at the other members; take the backup all the same',
  ),
  'other-members': warn(
    'Every other member of the cluster answers.',
    'see what is wrong with the one that does not; the backup does not need it',
  ),
  learner: warn(
    'The member is a voting one. A learner may be far behind.',
    'take the backup on the host of a voting member',
  ),
  lag: warn(
    'The member has applied what the leader has, or where it knows none, what any other member has: at most 1,000 raft entries are missing.',
    'take the backup on a host whose member keeps up',
  ),
  alarms: warn(
    'No member has raised NOSPACE or CORRUPT.',
    'NOSPACE: compact and defragment etcd, then disarm it; CORRUPT: take the backup from another member',
  ),
  'hashes-agree': warn(
    "Every member has the same HashKV at one revision. Compared only where hash revision, compact revision and etcd's minor version are equal.",
    'the data of one member differs: find out which one is right before you restore from any',
  ),
  certificates: warn(
    "No certificate that the archive will hold, and none of etcd's on this host, is expired or ends within 14 days.",
    'OpenShift renews its certificates by itself while the API serves: see what keeps it from that; kubeadm: kubeadm certs renew all',
  ),
  'cluster-age': warn(
    "OpenShift only: the cluster is older than 24 hours, by its etcd authority's oldest certificate. Until the first rotation the certificates in a backup are about to expire.",
    'take another backup when the cluster is a day old',
  ),
  rollout: warn(
    'OpenShift only: no revision of a static pod newer than the one in its manifest is being installed. With --strict this refuses.',
    'wait until the rollout is over, then take the backup',
  ),
  'operators-progressing': warn(
    "OpenShift only: no operator of kube-apiserver, kube-controller-manager, kube-scheduler and etcd says that it is progressing. Asked of this host's own API server. With --strict this refuses.",
    'wait until oc get clusteroperators shows none of them progressing, then take the backup',
  ),
  'encryption-migration': warn(
    "OpenShift only: no resource is being written anew with another encryption key, by what the operators of the API servers say. Asked of this host's own API server.",
    'wait until the migration is over, then take another backup: this one may need both keys, which are in its archive',
  ),
  'target-outside-data': refuse(
    "The target is not inside etcd's data directory, which a restore replaces.",
    'name a directory outside of it',
  ),
  clock: warn(
    'No backup in the target has a later stamp than this one will have, by a clock or a time zone that was set back. cluster-restore.sh takes the last by name.',
    'see that the clock is right; move the backup with the later stamp to another directory',
  ),
  space: refuse(
    'The file system of each target has room for what goes there, the database or the archive, and 8 MB more for each.',
    'free some space or name another directory',
  ),
  'keys-apart': warn(
    'With encryption at rest on, the archive, which holds its keys, goes to another directory than the snapshot.',
    'keep them apart: --static-resources-dir DIR',
  ),
  'single-flight': refuse(
    'No other backup of this cluster is running: on this host, by the notes under /run/etcdkeep, or anywhere else, by the Lease etcdkeep-backup in kube-system. An API server that cannot be reached, or whose etcd takes no more writes, leaves it unknown.',
    'wait for it: one backup of one host is the backup of the cluster',
  ),
} as const satisfies Record<string, CheckMeaning>;

/** The stable name of a check, as --skip-check takes it. Names are never changed or used again. */
export type CheckName = keyof typeof table;

/** The meaning of every check. */
export const CHECKS: Readonly<Record<CheckName, CheckMeaning>> = table;

export const CHECK_NAMES = Object.keys(table) as CheckName[];

/** What no backup can do without: these cannot be left out. */
export const NEEDED: readonly CheckName[] = ['client-certificate', 'member-serves'];

/** The checks before a backup. */
export const BACKUP_CHECKS = { meanings: CHECKS, needed: NEEDED };

/** What --strict makes refuse, as cluster-backup.sh does while something is rolled out. */
export const STRICT: readonly CheckName[] = ['rollout', 'operators-progressing'];
