// The pod through which a node is reached: as `oc debug node` makes it (openshift/oc, pkg/cli/debug/debug.go: privileged, in
// the host's own namespaces, with its root at /host), with limits, a deadline and tolerations for every taint. Its image is one
// that the node has; nothing of it is run: what it begins with is the host's own chroot, so that an image without a shell will do.

import type { LayoutName } from './host.ts';
import { MAKE_DIRECTORY, PATIENCE_SECONDS, REMOVE_DIRECTORY } from './node-directory.ts';

export const CONTAINER = 'etcdkeep';

/** By these a later run finds what an earlier one has left. */
export const POD_LABELS = { 'app.kubernetes.io/managed-by': 'etcdkeep' };

/** When nobody can need it any more, RFC 3339. */
export const EXPIRES = 'etcdkeep-expires';

export interface DebugPodRequest {
  readonly name: string;
  readonly namespace: string;
  readonly layout: LayoutName;
  readonly node: string;
  /** As Go names it. */
  readonly architecture: string;
  readonly image: string;
  /** Who has made it, in words. */
  readonly owner: string;
  /** A directory on the host, which is removed when the pod ends. */
  readonly directory: string;
  readonly deadlineMs: number;
  readonly expires: Date;
}

/** What of the host lies over the image, so that the host's own chroot finds its libraries. */
const SYSTEM_DIRECTORIES = ['usr', 'bin', 'lib'];

/**
 * What it does: it waits until it is released, or nobody has come for it, and cleans up. `$2` is how many seconds it
 * waits for whoever has made it.
 */
const MAIN = `
${REMOVE_DIRECTORY}
trap 'remove "$1"; exit 0' TERM INT
${MAKE_DIRECTORY}
seconds=0
until [ -e "$1/released" ]; do
  sleep 1 & wait $!
  seconds=$((seconds + 1))
  [ -e "$1/lifeline" ] || [ $seconds -lt "$2" ] || break
done
remove "$1"
`;

/**
 * What is run beside it for as long as its client lives: it ends with its stdin. `$2` names this client's connection, `$3` is
 * for how many seconds a new one is waited for.
 */
const LIFELINE = `
seconds=0
until [ -e "$1/pid" ]; do
  seconds=$((seconds + 1))
  [ $seconds -lt 30 ] || { echo "there is no $1" >&2; exit 1; }
  sleep 1
done
echo "$2" > "$1/lifeline" && echo held || exit 1
cat > /dev/null
sleep "$3"
[ "$(cat "$1/lifeline")" != "$2" ] || : > "$1/released"
`;

export function debugPod(request: DebugPodRequest): object {
  const { name, namespace, layout, node, image, owner, expires, deadlineMs } = request;
  const directories = [
    ...SYSTEM_DIRECTORIES,
    ...(request.architecture === 'amd64' ? ['lib64'] : []),
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels: POD_LABELS,
      annotations: {
        'etcdkeep-owner': owner,
        [EXPIRES]: expires.toISOString(),
        ...(layout === 'openshift' ? { 'openshift.io/required-scc': 'privileged' } : {}),
      },
    },
    spec: {
      nodeName: node,
      restartPolicy: 'Never',
      activeDeadlineSeconds: Math.ceil(deadlineMs / 1000),
      terminationGracePeriodSeconds: 10,
      hostNetwork: true,
      hostPID: true,
      hostIPC: true,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      tolerations: [{ operator: 'Exists' }],
      ...(layout === 'openshift' ? { priorityClassName: 'openshift-user-critical' } : {}),
      containers: [
        {
          name: CONTAINER,
          image,
          imagePullPolicy: 'IfNotPresent',
          command: onHost(
            '/bin/sh',
            '-c',
            MAIN,
            'etcdkeep',
            request.directory,
            String(PATIENCE_SECONDS),
          ),
          // What its shell says last is the reason of its end.
          terminationMessagePolicy: 'FallbackToLogsOnError',
          securityContext: { privileged: true, runAsUser: 0 },
          resources: {
            requests: { cpu: '100m', memory: '128Mi' },
            limits: { memory: '1Gi' },
          },
          volumeMounts: [
            { name: 'host', mountPath: '/host' },
            ...directories.map((each) => ({ name: each, mountPath: `/${each}`, readOnly: true })),
          ],
        },
      ],
      volumes: [
        { name: 'host', hostPath: { path: '/', type: 'Directory' } },
        ...directories.map((each) => ({ name: each, hostPath: { path: `/${each}` } })),
      ],
    },
  };
}

/** The command that holds the pod for as long as its stdin is open. @param connection a name for it */
export function lifelineCommand(directory: string, connection: string): string[] {
  const patience = String(PATIENCE_SECONDS);
  return onHost('/bin/sh', '-c', LIFELINE, 'etcdkeep', directory, connection, patience);
}

/** A command as it is started in the pod: with the host's root as its own. */
export function onHost(...command: readonly string[]): string[] {
  return ['/usr/sbin/chroot', '/host', ...command];
}
