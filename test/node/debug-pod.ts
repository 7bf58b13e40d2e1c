// A pod as `oc debug node` makes it, and etcdctl in the pod of etcd.
import { randomBytes } from 'node:crypto';
import { type CommandResult, runCommand } from '../servers/command.ts';
import type { ControlPlaneNode } from '../servers/node/node.ts';

export class DebugPod implements AsyncDisposable {
  readonly #node: ControlPlaneNode;
  readonly name: string;

  constructor(node: ControlPlaneNode, name: string) {
    this.#node = node;
    this.name = name;
  }

  /** The command line that runs another one in the pod. */
  execLine(command: readonly string[]): string[] {
    return this.#node.kubectlLine(['exec', this.name, '--', ...command]);
  }

  exec(command: readonly string[]): Promise<CommandResult> {
    const [file, ...args] = this.execLine(command);
    return runCommand(file!, args, { timeoutMs: 60_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node.kubectl(['delete', 'pod', this.name, '--grace-period=0', '--force']);
  }
}

/** Starts one in the namespace `default`, and waits until it runs. Throws if it does not. */
export async function debugPod(node: ControlPlaneNode): Promise<DebugPod> {
  const name = `${node.nodeName}-debug-${randomBytes(3).toString('hex')}`;
  const pod = new DebugPod(node, name);
  await node.api.request('POST', '/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      nodeName: node.nodeName,
      hostNetwork: true,
      hostPID: true,
      hostIPC: true,
      restartPolicy: 'Never',
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'container-00',
          image: node.images.tools,
          command: ['sleep', 'infinity'],
          securityContext: { privileged: true, runAsUser: 0 },
          volumeMounts: [{ name: 'host', mountPath: '/host' }],
        },
      ],
      volumes: [{ name: 'host', hostPath: { path: '/', type: 'Directory' } }],
    },
  });
  const waited = await node.kubectl([
    'wait',
    `pod/${name}`,
    '--for=condition=Ready',
    '--timeout=20s',
  ]);
  if (waited.code === 0) return pod;
  await pod[Symbol.asyncDispose]();
  throw new Error(`the pod does not run: ${waited.stderr}`);
}

/** Runs etcdctl where an administrator of OpenShift does. */
export function etcdctl(node: ControlPlaneNode, args: readonly string[]): Promise<CommandResult> {
  const pod = ['-n', 'openshift-etcd', 'exec', `etcd-${node.nodeName}`, '-c', 'etcdctl'];
  return node.kubectl([...pod, '--', 'etcdctl', ...args]);
}
