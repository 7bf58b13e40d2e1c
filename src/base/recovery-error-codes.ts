// Error codes of what is done when a cluster is gone: data directories are read, and a quorum is looked for. A part of the
// table in error-codes.ts.

import { type ErrorMeaning, failed, refused } from './error-meaning.ts';

export const RECOVERY_ERROR_CODES = {
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
