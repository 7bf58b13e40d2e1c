// What has to hold after a restore: the API is back with the objects of the backup and no others, all ways to read agree, the
// node is ready, pods run and new ones start, controllers act, revisions were raised, and a next backup is taken.
import { runCli } from '../cli/run.ts';
import { disagreements, listed, read } from './agreement.ts';
import {
  applyWorkload,
  CONFIG_MAPS,
  CORE,
  DEPLOYMENTS,
  LATE,
  LATE_NAMESPACE,
  LATE_WORKLOAD,
  NAMESPACE,
  podsOf,
  SECRETS,
  untilAvailable,
  WORKLOADS,
} from './contents.ts';
import { containersOf, plannedRevision, restoreStatus } from './host.ts';
import { demand, type Lab, succeeded, until } from './lab.ts';

const BACKUP_TIMEOUT_MS = 5 * 60_000;

/** Watches a restored cluster until all of that holds. @param highest revision that anybody has seen before */
export async function expectRestored(lab: Lab, highest: bigint): Promise<void> {
  const { phases } = lab;
  await phases.time('API back', () => untilApiIsReady(lab));
  await phases.time('node Ready', () => untilNodeIsReady(lab));
  await phases.time('objects', () => expectObjects(lab));
  await phases.time('lists agree', () => untilAllAgree(lab, highest));
  await phases.time('workload', () => expectWorkloads(lab));
  await phases.time('new pod', () => startPod(lab));
  await phases.time('scaled', () => scale(lab));
  await phases.time('next backup', () => takeNextBackup(lab));
}

export async function untilApiIsReady(lab: Lab): Promise<void> {
  await until('with a ready API', lab, async () =>
    (await lab.node.api.isReady()) ? undefined : 'it is not ready',
  );
}

/** What the snapshot says of the node is old: it is ready when it has said so since. */
async function untilNodeIsReady(lab: Lab): Promise<void> {
  const { api, nodeName } = lab.node;
  const since = Date.now();
  await until('with a node that is ready', lab, async () => {
    const lease = (await api.request(
      'GET',
      `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${nodeName}`,
    )) as { readonly spec: { readonly renewTime: string } };
    if (Date.parse(lease.spec.renewTime) < since) return `last heard of ${lease.spec.renewTime}`;
    const node = (await api.request('GET', `/api/v1/nodes/${nodeName}`)) as {
      readonly status: { readonly conditions: readonly { type: string; status: string }[] };
    };
    const ready = node.status.conditions.find(({ type }) => type === 'Ready');
    return ready?.status === 'True' ? undefined : `Ready is ${ready?.status ?? 'unknown'}`;
  });
}

/** Those of the backup as they were, and none of later: by a list and one by one. */
async function expectObjects(lab: Lab): Promise<void> {
  const base64 = (word: string): string => Buffer.from(word).toString('base64');
  const secrets = Object.entries(SECRETS).map(([name, word]) => [name, base64(word)] as const);
  const maps = [...Object.entries(CONFIG_MAPS), ['kube-root-ca.crt', undefined] as const];
  const deployments = Object.keys(WORKLOADS).map((name) => [name, undefined] as const);
  for (const [path, expected] of [
    [`${CORE}/secrets`, secrets],
    [`${CORE}/configmaps`, maps],
    [DEPLOYMENTS, deployments],
  ] as const) {
    for (const [name, word] of expected) {
      const object = await read(lab, `${path}/${name}`);
      demand(object !== undefined, `${path}/${name} of the backup is not there`);
      const there = object?.data?.word;
      demand(there === word, `${path}/${name} has ${there}, and had ${word}`);
    }
    for (const name of [...LATE, LATE_WORKLOAD]) {
      demand((await read(lab, `${path}/${name}`)) === undefined, `${path}/${name} is still there`);
    }
    const names = expected.map(([name]) => name).sort();
    for (const query of ['', '?resourceVersion=0']) {
      // The cache is told that all before is compacted, and has to list anew.
      await until(`with ${path}${query} as it was`, lab, async () => {
        const there = [...(await listed(lab, `${path}${query}`)).keys()].sort();
        return there.join() === names.join() ? undefined : there.join();
      });
    }
  }
  const late = await read(lab, `/api/v1/namespaces/${LATE_NAMESPACE}`);
  demand(late === undefined, `the namespace ${LATE_NAMESPACE} is still there`);
}

/** By requests, and as etcdkeep itself sees it. */
async function untilAllAgree(lab: Lab, highest: bigint): Promise<void> {
  await until('of one mind', lab, async () => {
    const found = await disagreements(lab);
    return found.length === 0 ? undefined : found.join('\n');
  });
  await until('recovered, as restore --status sees it', lab, async () => {
    const { phase, etcd, lists, nodes } = await restoreStatus(lab);
    demand(phase === 'served', `the restore is ${phase}`);
    if (lists.seen === undefined || nodes.seen === undefined || etcd.seen === undefined) {
      return [etcd, lists, nodes].map(({ unknown }) => unknown ?? 'seen').join('; ');
    }
    const { compared, stale } = lists.seen;
    if (stale.length > 0 || compared === 0) return `stale: ${stale.join()}, of ${compared}`;
    const revision = BigInt(etcd.seen.revision);
    const planned = plannedRevision(lab);
    demand(planned > highest, `revisions were to rise to ${planned}, and ${highest} was seen`);
    demand(revision >= planned, `etcd is at ${revision}, below ${planned}`);
    const waiting = nodes.seen.filter(({ isReady }) => !isReady).map(({ name }) => name);
    return waiting.length === 0 ? undefined : `not ready: ${waiting.join()}`;
  });
  const raised = await highestRevision(lab);
  demand(raised > highest, `the API is at ${raised}, and ${highest} was seen before`);
}

/** The revision of etcd, as the API gives it. */
export async function highestRevision({ node }: Lab): Promise<bigint> {
  const { metadata } = (await node.api.request('GET', '/api/v1/namespaces')) as {
    readonly metadata: { readonly resourceVersion: string };
  };
  return BigInt(metadata.resourceVersion);
}

/** In the API, on the host, and by a command in each pod. */
async function expectWorkloads(lab: Lab): Promise<void> {
  for (const [name, replicas] of [...Object.entries(WORKLOADS), [LATE_WORKLOAD, 0] as const]) {
    if (replicas > 0) await untilAvailable(lab, name, replicas);
    await until(`with ${replicas} containers of ${name}`, lab, async () => {
      const running = await containersOf(lab, name);
      return running === replicas ? undefined : `${running} run`;
    });
    for (const { metadata } of await podsOf(lab, name)) await runIn(lab, metadata.name);
  }
}

/** In a pod. */
async function runIn({ node }: Lab, pod: string): Promise<void> {
  const line = ['-n', NAMESPACE, 'exec', pod, '--', 'echo', 'it runs'];
  const printed = succeeded(`kubectl ${line.join(' ')}`, await node.kubectl(line));
  demand(printed === 'it runs\n', `${pod} says ${printed}`);
}

async function startPod(lab: Lab): Promise<void> {
  const { api, images } = lab.node;
  const name = 'new';
  await api.request('POST', `${CORE}/pods`, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name, image: images.tools, command: ['/bin/bash', '-c', 'sleep infinity'] }],
    },
  });
  await until('with a new pod that runs', lab, async () => {
    const [pod] = await podsOf(lab, name);
    const { conditions = [] } = pod?.status ?? {};
    const isReady = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
    return isReady ? undefined : JSON.stringify(pod?.status);
  });
  await runIn(lab, name);
  await api.request('DELETE', `${CORE}/pods/${name}`);
}

async function scale(lab: Lab): Promise<void> {
  for (const replicas of [WORKLOADS.web! + 2, WORKLOADS.web!]) {
    await applyWorkload(lab, 'web', replicas);
    await untilAvailable(lab, 'web', replicas);
  }
}

/** The last step of docs/restore.md; and what the backup's own pod and lease have become in the snapshot is in nobody's way. */
async function takeNextBackup(lab: Lab): Promise<void> {
  const { node } = lab;
  const line = ['backup', '--node', node.nodeName, '--kubeconfig', node.kubeconfig];
  const outcome = await runCli([...line, '--dest-dir', `${lab.backups}-next`], {
    timeoutMs: BACKUP_TIMEOUT_MS,
  });
  succeeded(`etcdkeep ${line.join(' ')}`, outcome);
  const managed = [
    'get',
    'pods',
    '-A',
    '-l',
    'app.kubernetes.io/managed-by=etcdkeep',
    '-o',
    'name',
  ];
  const left = succeeded(managed.join(' '), await node.kubectl(managed));
  demand(left === '', `pods of backups are left: ${left}`);
}
