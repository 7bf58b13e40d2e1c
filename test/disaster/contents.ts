// What the cluster holds: what was there when the backup was taken, and what was made of it afterwards.
import { randomBytes } from 'node:crypto';
import { type Lab, until } from './lab.ts';

export const NAMESPACE = 'shop';
export const CORE = `/api/v1/namespaces/${NAMESPACE}`;
export const DEPLOYMENTS = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments`;

/** A namespace that is made after the backup: `restore --status` compares the lists of namespaces. */
export const LATE_NAMESPACE = 'late';

/** By name, the one word that each holds. */
export const SECRETS: Readonly<Record<string, string>> = {
  changed: 'staple-of-before',
  deleted: 'battery-of-before',
  kept: 'horse-of-before',
};
export const CONFIG_MAPS: Readonly<Record<string, string>> = {
  deleted: 'map-of-before',
  kept: 'plan-of-before',
};

/** Running pods: one workload that goes on, and one that is deleted after the backup. */
export const WORKLOADS: Readonly<Record<string, number>> = { web: 2, worker: 1 };

/** Names that are made after the backup, whatever their kind. */
export const LATE = Array.from({ length: 10 }, (_, index) => `late-${index}`);
export const LATE_WORKLOAD = 'late';

/** So much that a restore can be killed while it builds. */
const BULK_COUNT = 60;
const BULK_BYTES = 500_000;
const BULK_NAMESPACE = 'bulk';

/** Makes all that the backup will hold, and waits until the workloads run. */
export async function writeBefore(lab: Lab): Promise<void> {
  const { api } = lab.node;
  for (const name of [NAMESPACE, BULK_NAMESPACE]) await applyNamespace(lab, name);
  for (const [name, word] of Object.entries(SECRETS)) await applySecret(lab, name, word);
  for (const [name, word] of Object.entries(CONFIG_MAPS)) await applyConfigMap(lab, name, word);
  for (let index = 0; index < BULK_COUNT; index += 1) {
    await api.apply(`/api/v1/namespaces/${BULK_NAMESPACE}/configmaps/bulk-${index}`, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `bulk-${index}`, namespace: BULK_NAMESPACE },
      data: { bulk: randomBytes(BULK_BYTES / 2).toString('hex') },
    });
  }
  for (const [name, replicas] of Object.entries(WORKLOADS)) {
    await applyWorkload(lab, name, replicas);
  }
  for (const [name, replicas] of Object.entries(WORKLOADS)) {
    await untilAvailable(lab, name, replicas);
  }
}

/** Changes, deletes and makes: none of it is in the backup. Waits until the node has followed. */
export async function writeLater(lab: Lab): Promise<void> {
  const { api } = lab.node;
  await applySecret(lab, 'changed', 'staple-of-later');
  await api.request('DELETE', `${CORE}/secrets/deleted`);
  await api.request('DELETE', `${CORE}/configmaps/deleted`);
  await api.request('DELETE', `${DEPLOYMENTS}/worker`);
  await applyNamespace(lab, LATE_NAMESPACE);
  for (const name of LATE) {
    await applySecret(lab, name, 'of-later');
    await applyConfigMap(lab, name, 'of-later');
  }
  await applyWorkload(lab, 'web', WORKLOADS.web! + 1);
  await applyWorkload(lab, LATE_WORKLOAD, 1);
  await untilAvailable(lab, 'web', WORKLOADS.web! + 1);
  await untilAvailable(lab, LATE_WORKLOAD, 1);
  await until('without the pod of what was deleted', lab, async () => {
    const left = (await podsOf(lab, 'worker')).length;
    return left === 0 ? undefined : `${left} pods`;
  });
}

async function applyNamespace({ node }: Lab, name: string): Promise<void> {
  const metadata = { name };
  await node.api.apply(`/api/v1/namespaces/${name}`, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata,
  });
}

async function applySecret({ node }: Lab, name: string, word: string): Promise<void> {
  await node.api.apply(`${CORE}/secrets/${name}`, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: NAMESPACE },
    data: { word: Buffer.from(word).toString('base64') },
  });
}

async function applyConfigMap({ node }: Lab, name: string, word: string): Promise<void> {
  await node.api.apply(`${CORE}/configmaps/${name}`, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: NAMESPACE },
    data: { word },
  });
}

/** Makes a Deployment, or scales it. */
export async function applyWorkload({ node }: Lab, name: string, replicas: number): Promise<void> {
  const labels = { app: name };
  await node.api.apply(`${DEPLOYMENTS}/${name}`, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          tolerations: [{ operator: 'Exists' }],
          containers: [
            { name, image: node.images.tools, command: ['/bin/bash', '-c', 'sleep infinity'] },
          ],
        },
      },
    },
  });
}

interface PodObject {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** The pods of a workload. */
export async function podsOf({ node }: Lab, name: string): Promise<readonly PodObject[]> {
  const answer = await node.api.request('GET', `${CORE}/pods?labelSelector=app%3D${name}`);
  return (answer as { readonly items: readonly PodObject[] }).items;
}

/** Waits until a workload has as many pods as it should have, each of them ready, and the controllers have seen it. */
export async function untilAvailable(lab: Lab, name: string, replicas: number): Promise<void> {
  await until(`with ${replicas} pods of ${name}`, lab, async () => {
    const deployment = (await lab.node.api.request('GET', `${DEPLOYMENTS}/${name}`)) as {
      readonly metadata: { readonly generation: number };
      readonly spec: { readonly replicas: number };
      readonly status?: { readonly availableReplicas?: number; observedGeneration?: number };
    };
    const { spec, status = {}, metadata } = deployment;
    const pods = await podsOf(lab, name);
    const ready = pods.filter(isReady).length;
    const isThere =
      spec.replicas === replicas &&
      status.availableReplicas === replicas &&
      status.observedGeneration === metadata.generation &&
      pods.length === replicas &&
      ready === replicas;
    return isThere
      ? undefined
      : `${spec.replicas} wanted, ${status.availableReplicas ?? 0} available, ${pods.length} pods, ${ready} ready`;
  });
}

function isReady({ metadata, status }: PodObject): boolean {
  const conditions = status?.conditions ?? [];
  return (
    metadata.deletionTimestamp === undefined &&
    conditions.some((one) => one.type === 'Ready' && one.status === 'True')
  );
}
