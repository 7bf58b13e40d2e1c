// The error codes of an API server, and of a host that is reached through it: a part of the closed set in error-codes.ts.

import { type ErrorMeaning, failed, refused, usage } from './error-meaning.ts';

export const API_ERROR_CODES = {
  // The API server.
  'kubeconfig-missing': failed(
    'There is no kubeconfig: on a host, none for its own API server, so what only the API tells is not known.',
    'OpenShift writes one of a host under static-pod-resources/kube-apiserver-certs; a backup on a host needs none',
  ),
  'kubeconfig-invalid': failed(
    'A kubeconfig cannot be understood, or the context in use names what is not in it.',
    'try it with oc --kubeconfig; a backup on a host needs none',
  ),
  'credential-plugin-failed': failed(
    'The program that the kubeconfig names for the credentials of its user gave none.',
    'run kubectl get --raw /version with the same kubeconfig: it runs the same program',
  ),
  'proxy-invalid': failed(
    "A proxy's URL cannot be understood. It is not shown: it may hold a password.",
    'compare /etc/mco/proxy.env of the host with the status of the Proxy "cluster"',
  ),
  'api-unreachable': failed(
    'The API server did not answer.',
    'look at its pod with crictl on a control-plane host; a backup there does not need it',
    true,
  ),
  'api-unauthorized': failed(
    'The API server does not accept the credentials of the kubeconfig: they have expired, or are those of another cluster.',
    'log in again (oc login), or name another kubeconfig or context',
  ),
  'api-forbidden': failed(
    'The API server knows who asks, and does not allow it.',
    'the message names what is missing',
  ),
  'api-refused': failed(
    'The API server, or something in front of it, refused a request.',
    "the message is the server's own; a backup on a host does not need it",
  ),

  // A node that is reached through it.
  'node-not-found': usage(
    'There is no control-plane node of that name, or none at all.',
    'kubectl get nodes -l node-role.kubernetes.io/control-plane shows them',
  ),
  'node-not-ready': failed(
    'The kubelet of the node is not heard, so nothing can be started there through the API.',
    'name another node, let one be chosen with --node auto, or go by --ssh',
    true,
  ),
  'permission-missing': refused(
    'The user may not do what a backup through the API needs. It was asked before anything was begun.',
    'the message names each of them as a rule of a role has it; who may start a privileged pod on a control-plane node is cluster-admin in effect',
  ),
  'backup-running': refused(
    'A backup of the same cluster is being taken, from this machine or another one.',
    'wait for it: the backup of one host is that of the cluster, and several of one moment are of no use',
  ),
  'ssh-failed': failed(
    'The node could not be reached by ssh.',
    'try the same with ssh itself: it has to come in without a question, and be root or become it by sudo -n',
    true,
  ),
  'debug-pod-forbidden': failed(
    'The user, or the pod security of the namespace, does not allow a privileged pod.',
    'name a namespace that is labelled pod-security.kubernetes.io/enforce=privileged with --to-namespace, or go by --ssh',
  ),
  'debug-pod-failed': failed(
    'The node did not start the debug pod, or ended it.',
    'see what kubectl describe says of the pod while it is there; --image names another image, --ssh goes without a pod',
  ),
  'node-command-failed': failed(
    'A command that was run on the node failed.',
    'the message is the last that it said; run it there to see the rest',
  ),

  'executable-missing': failed(
    'There is no executable that could be sent to the node: etcdkeep runs here from its sources, or for another architecture.',
    'make one with npm run build, or name one with --executable',
  ),
  'executable-unsuited': failed(
    'The host lacks a library that the executable is linked with, or has it in too old a version.',
    'docs/install.md says what it needs; without it, save a snapshot over the network: etcdkeep snapshot save',
  ),
  'transfer-damaged': failed(
    'A file of the backup did not arrive as it is on the node.',
    'run it again; if it happens again, take the backup on the host itself',
    true,
  ),

  // A command in a container.
  'exec-failed': failed(
    'The node could not run a command in a container, or killed it.',
    "the message is the kubelet's own; look at the pod, and at the kubelet of the node",
  ),
  'exec-broken': failed(
    'The connection to a command in a container ended before the command did.',
    'run it again; what was started on the node ends by itself',
    true,
  ),
} as const satisfies Record<string, ErrorMeaning>;
