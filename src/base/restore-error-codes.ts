// The error codes of restoring a host, and of bringing back a cluster without a backup: a part of the closed set in
// error-codes.ts.

import { type ErrorMeaning, failed, refused } from './error-meaning.ts';

export const RESTORE_ERROR_CODES = {
  // A host.
  'restore-running': refused(
    'Another restore of this host runs.',
    'wait for its end, or stop it: what it has begun can be gone on with',
  ),
  'restore-unfinished': refused(
    'An earlier restore of this host was begun and has not been brought to an end.',
    'go on with it, or go back: etcdkeep restore --resume, etcdkeep restore --rollback',
  ),
  'restore-not-found': failed(
    'There is no restore of this host that could be gone on with, gone back from or looked at.',
    'they are kept in /var/lib/etcdkeep/restores on the host',
  ),
  'restore-journal-invalid': failed(
    'What a restore has written down of itself cannot be understood, so it cannot be gone on with.',
    'docs/restore.md says how to put each piece back by hand',
  ),
  'restore-served': refused(
    'The restored etcd has opened its data: somebody may have seen revisions of it, so the data of before cannot simply come back.',
    'restore what was kept, with a bump of its own',
  ),
  'etcd-still-running': refused(
    'etcd was told to stop, and it could not be proven in time that it has. Its manifest is back where it was.',
    'end what is named, then run it again',
  ),
  'etcd-running-again': failed(
    'Between two steps of a restore something has opened the data of etcd, or answers in its place.',
    'end what is named, then go on: etcdkeep restore --resume',
  ),
  'manifest-written-back': failed(
    'Something keeps writing the manifest of etcd back while a restore needs it away.',
    'stop what writes it (an installer pod, the machine config daemon, a configuration management), then go on: etcdkeep restore --resume',
  ),
  'backup-changed': failed(
    'The snapshot is not the one any more that the restore was planned with.',
    'put the file back that was named, or go back: etcdkeep restore --rollback',
  ),
  'archive-unusable': {
    exit: 4,
    when: 'The archive of static resources cannot be put back: it is damaged, lacks what the plan names, or would write elsewhere.',
    advice: 'see what is wrong with it: etcdkeep verify BACKUP; or restore the snapshot alone',
    retryable: false,
  },
  'etcd-not-serving': {
    exit: 5,
    when: 'The restored data are in place and etcd was told to start, and it did not serve them in time.',
    advice:
      'look at the log of etcd; then etcdkeep restore --resume watches on, --rollback goes back',
    retryable: true,
  },
  'cluster-not-recovered': {
    exit: 5,
    when: 'etcd was restored, and the cluster has not recovered yet, or not all of it could be seen.',
    advice:
      'what is missing is above; etcdkeep restore --status --watch waits for it, docs/restore.md#has-it-recovered says what each of them waits for',
    retryable: true,
  },
  'vendor-script-failed': failed(
    "The host's own cluster-restore.sh is not there, or it has failed.",
    'its output is above; what was kept aside before it ran is named',
  ),

  // The data directory of a member.
  'data-directory-invalid': failed(
    'A directory that was named is not the data directory of an etcd member.',
    'name the directory of --data-dir of that etcd, in which "member" is',
  ),
  'data-directory-in-use': refused(
    'A process has the data directory of a member open, so what is in it changes while it is read.',
    'stop that etcd first, or ask it instead: --endpoints',
  ),

  // A lost quorum.
  'quorum-alive': refused(
    'Enough members answer for the cluster to go on by itself; a member that is started alone would be a second cluster.',
    'see to the members that are missing; with a quorum they can be removed and added again',
  ),
  'clusters-differ': refused(
    'What was named belongs to more than one cluster.',
    'name only what belongs to the cluster that is to be brought back',
  ),
  'no-member-to-start': failed(
    'Of all that was named, nothing is sound enough for a cluster to be started from it.',
    'name the data directories of the other members, or restore a backup: etcdkeep restore BACKUP',
  ),
} as const satisfies Record<string, ErrorMeaning>;
