// The closed set of error codes. docs/errors.md is generated from this table, and the CLI takes
// its exit codes from it: nothing else decides either.

import { API_ERROR_CODES } from './api-error-codes.ts';
import { type ErrorMeaning, failed, refused, usage } from './error-meaning.ts';
import { RESTORE_ERROR_CODES } from './restore-error-codes.ts';

export type { ErrorMeaning };

const table = {
  // The command line.
  usage: usage('The command line is not one etcdkeep understands.', 'see --help'),
  'endpoint-invalid': usage(
    'An endpoint is not a URL or HOST:PORT that an etcd client can dial.',
    'name it as https://HOST:2379',
  ),
  'endpoint-not-single': usage(
    'More than one endpoint was named; a snapshot is the state of exactly one member.',
    'name one member with --endpoints',
  ),
  'not-root': failed(
    "A control-plane host's certificates and static resources are readable by root alone.",
    'run it again with sudo',
  ),

  // Places and files.
  'target-not-directory': usage(
    'The place for the backup is a file, or below one.',
    'name a directory; it is made if it does not exist',
  ),
  'target-exists': refused(
    'A file of that name exists, and nothing is replaced without being told to.',
    'name another file, or replace it with --overwrite',
  ),
  'target-unwritable': failed(
    'The target cannot be created or written: permissions, a read-only mount, a missing parent.',
    'check the path, its owner and its mount',
  ),
  'disk-full': failed(
    'The file system ran out of space (or of quota) while the backup was written.',
    'free some space or name another directory',
    true,
  ),
  'file-failed': failed(
    'The operating system refused to read or write a file for a reason of its own.',
    'the cause says which call failed and why',
  ),

  // The host.
  'not-a-control-plane-host': failed(
    'No control plane in a layout that etcdkeep knows was found under the root directory.',
    'run it on a control-plane host, or name its root with --root',
  ),
  'etcd-env-invalid': failed(
    "The host's etcd.env does not say where its etcd listens or which certificates to use.",
    'name them with --endpoints, --cacert, --cert and --key',
  ),
  'manifest-invalid': failed(
    'The manifest of a static pod cannot be understood, or does not say where its files are.',
    'compare it with what kubeadm writes: kubeadm init phase control-plane all --dry-run',
  ),
  'static-pod-missing': failed(
    'A static pod has no manifest on this host, so the host does not run it.',
    'run it on a host where etcd and the API server run as static pods',
  ),
  'static-pod-revision-missing': failed(
    'A static pod manifest names no revision, or one whose directory is not there.',
    "look at the manifest, and at the pod's directories under static-pod-resources",
  ),
  'resources-changing': failed(
    'The static pods were rolled out to new revisions each time their resources were archived.',
    'wait until the rollout is over, then run it again',
    true,
  ),
  'encryption-config-invalid': failed(
    'The encryption-config of the API server cannot be understood, so the keys cannot be recorded.',
    'the API server could not start with it either; on OpenShift compare it with the secret encryption-config in openshift-kube-apiserver',
  ),

  ...API_ERROR_CODES,

  'topology-unsuited': refused(
    'The control plane is of a kind that is not restored on one of its own hosts, or that something else would start again meanwhile.',
    'follow the procedure for it, which the error names',
  ),

  'not-confirmed': refused(
    "The plan of a restore was shown, and what was typed is not this host's name.",
    'run it again, on the host that is to be restored, and type its name as it is shown',
  ),

  'check-failed': refused(
    'A check before the backup or the restore failed, of those that refuse it.',
    'see docs/checks.md',
  ),

  'record-invalid': failed(
    'The record of a backup is not one, or not of a kind that etcdkeep knows.',
    'the backup itself may be whole; its record cannot be used',
  ),

  // Certificates, as files.
  'certificate-missing': failed(
    'A certificate or key that is needed to reach etcd is not where it was said to be.',
    'name the files with --cacert, --cert and --key',
  ),
  'certificate-invalid': failed(
    'A certificate or key file cannot be parsed, or the two do not belong together.',
    'name another pair with --cert and --key',
  ),
  'certificate-expired': refused(
    'The client certificate has expired, or is not valid yet.',
    'name another pair with --cert and --key',
  ),

  // Reaching a member.
  'endpoint-not-found': failed(
    'The host name of the endpoint does not resolve.',
    'check the name, or use the IP address',
    true,
  ),
  'endpoint-unreachable': failed(
    'The network has no way to the endpoint.',
    'check the address and the route to it',
    true,
  ),
  'connection-refused': failed(
    'Nothing listens at the endpoint: the member is down, or the address is wrong.',
    'check that the member runs there',
    true,
  ),
  'connection-timed-out': failed(
    'The endpoint accepted no connection, or accepted it and then said nothing.',
    'the process may be stopped or overloaded; --dial-timeout sets how long to wait',
    true,
  ),
  'connection-lost': failed(
    'The connection to the member broke.',
    'look at the log of the member, then run it again',
    true,
  ),
  'tls-authority-unknown': failed(
    "The member's certificate was not issued by the authority in --cacert or, where none is named, by one of the system's.",
    'name the CA bundle that issued it with --cacert',
  ),
  'tls-name-mismatch': failed(
    "The member's certificate is not for the name or address in the endpoint.",
    'use an endpoint that the certificate names',
  ),
  'tls-server-certificate-expired': failed(
    "The member's own certificate has expired, or is not valid yet.",
    'renew it, and check the clocks of both machines',
  ),
  'tls-client-certificate-refused': failed(
    'The member wants a client certificate and was given none, or none that it accepts.',
    'name a pair that its client CA issued with --cert and --key',
  ),
  'tls-on-plain-port': failed(
    'TLS was spoken to a port that does not speak it.',
    'use http:// in the endpoint if the member really serves plain text',
  ),
  'plain-on-tls-port': failed(
    'Plain text was spoken to a TLS port.',
    'use https:// in the endpoint, with --cacert, --cert and --key',
  ),
  'tls-failed': failed('The TLS handshake failed.', 'the cause says what the TLS library saw'),

  // What a member answers.
  'authentication-failed': failed(
    'The user name or the password is wrong.',
    'check --user and --password',
  ),
  'authentication-required': failed(
    'Authentication is on and no user was named.',
    'name one that has the root role with --user and --password',
  ),
  'permission-denied': failed(
    'The user may not do this; a snapshot needs the root role.',
    'use a user that has the root role',
  ),
  'member-is-learner': failed(
    'The member is a learner of a version that cannot do this for a learner.',
    'use the endpoint of a voting member',
  ),
  'member-unavailable': failed(
    'The member answered that it cannot serve now.',
    'look at the log of the member',
    true,
  ),
  'request-timed-out': failed(
    'The member did not answer a request in time.',
    'the process may be overloaded; --command-timeout sets how long to wait',
    true,
  ),
  'request-failed': failed(
    'The member refused a request for a reason etcdkeep has no name for.',
    "the message is the member's own",
  ),
  'response-invalid': failed(
    'What came over the wire is not what etcd sends.',
    'check that the endpoint is an etcd client port, and what stands in between',
  ),

  // The snapshot stream.
  'stream-cut': failed(
    'The snapshot ended before it was whole: the member stopped, or something in between cut it.',
    'look at the log of the member, then run it again',
    true,
  ),
  'stream-stalled': failed(
    'The member stopped sending in the middle of the snapshot.',
    'the member or the network is stuck; --idle-timeout sets how long to wait',
    true,
  ),
  'stream-empty-chunk': failed(
    'The member sends empty chunks: it failed to read its own database, which it reports to no one.',
    "look at the member's disk and log, and take the snapshot from another member",
  ),
  'stream-inconsistent': failed(
    'The byte counts or the page geometry of the snapshot contradict each other.',
    'take the snapshot again, and from another member if it happens twice',
    true,
  ),
  'digest-missing': failed(
    'The snapshot came without the SHA-256 digest that every etcd appends.',
    'take the snapshot again',
    true,
  ),
  'digest-mismatch': failed(
    "The bytes received do not have the member's own SHA-256: they changed on the way.",
    'take the snapshot again; if it happens twice, suspect the network or the memory',
    true,
  ),
  'database-damaged': failed(
    "The member's database is damaged: the bytes arrived as sent, but their structure is broken.",
    'take the snapshot from another member, and see to this one',
  ),

  'backup-not-found': failed(
    'There is no backup where one was named, or none of that stamp.',
    'see what there is: etcdkeep list DIR',
  ),

  // A snapshot in a file.
  'snapshot-damaged': {
    exit: 4,
    when: 'The file is no snapshot, or its structure is broken: it cannot be restored as it is.',
    advice: 'use another backup; keep this one, parts of it may be readable',
    retryable: false,
  },

  'backup-bad': {
    exit: 4,
    when: 'A backup was looked at, and something is wrong with it. What that is, and what of it can be read, is said above.',
    advice: 'use another backup, and take a new one; keep this one, parts of it may be readable',
    retryable: false,
  },
  'backup-unproven': {
    exit: 5,
    when: 'A backup was looked at, nothing is wrong with it, and not all of it could be proven.',
    advice: 'see what is missing, and verify it again',
    retryable: false,
  },

  // Making a data directory.
  'snapshot-without-digest': refused(
    "The file has no digest at its end, as a copy of a member's database has none: nothing tells whether its bytes are as they were.",
    '--skip-hash-check restores it all the same: its structure and the history of every key are looked at instead',
  ),
  'initial-cluster-invalid': usage(
    'The members of the new cluster are not named in a way that etcd could start with.',
    'name each one in --initial-cluster as NAME=URL, and this one with --name and --initial-advertise-peer-urls',
  ),
  'data-dir-not-empty': refused(
    'Something is in the directory that a data directory is to be made in, and nothing is replaced.',
    'name a directory that is empty or does not exist yet',
  ),
  'target-version-unknown': refused(
    'The database cannot be made one that this version of etcd starts on.',
    'name a version from 3.4 to 3.7; for a newer database, a newer etcdkeep',
  ),

  ...RESTORE_ERROR_CODES,

  'revision-compacted': failed(
    'The revision that was asked for is below the one that the database is compacted to.',
    'name one from the compact revision on',
  ),
  'revision-future': failed(
    'The revision that was asked for is above the newest of the database.',
    'name one that is not, or none for the newest',
  ),
  'snapshot-packed': refused(
    'The snapshot that is to be restored is compressed, or lies in an archive with the static resources; a restore needs it as it is.',
    'unpack it where there is room, with the name that it has without .gz or .zst, and beside its other files',
  ),
  'snapshot-too-large': failed(
    'A compressed snapshot unpacks to more than there is room for, or than any snapshot has.',
    'unpack it by hand where there is room, and name the unpacked file',
  ),

  // A drill.
  'etcd-unusable': usage(
    'The program that was named with --etcd cannot be run, or is no etcd.',
    'name the program etcd itself, not etcdctl or a directory; without --etcd one is looked for',
  ),
  'etcd-too-old': refused(
    'The etcd that was named is of an older minor version than the one that the snapshot is of.',
    'name one of that minor version or a later one: an older etcd would not read all that is in it',
  ),
  'scratch-too-small': refused(
    'There is no room for a drill: the database is there twice in it, with the logs of two members.',
    'name a directory on a larger file system with --scratch',
  ),

  // Ends that are nobody's fault.
  interrupted: {
    exit: 130,
    when: 'The run was interrupted (SIGINT, Ctrl-C) and has cleaned up after itself.',
    advice: 'run it again',
    retryable: true,
  },
  terminated: {
    exit: 143,
    when: 'The run was told to end (SIGTERM, or SIGHUP of a lost session) and has cleaned up after itself.',
    advice: 'run it again',
    retryable: true,
  },
  internal: failed(
    'A defect of etcdkeep itself.',
    'report it, with the command line and this message',
  ),
} as const satisfies Record<string, ErrorMeaning>;

/** A stable error code. Codes are never renamed or reused; scripts match on them. */
export type ErrorCode = keyof typeof table;

/** Meaning of every error code. */
export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorMeaning>> = table;
