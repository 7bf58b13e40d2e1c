// OpenShift's ClusterOperators on a plain API server, as far as they say whether one is progressing.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiServer } from './api-server.ts';

const GROUP = 'config.openshift.io';
const PATH = `/apis/${GROUP}/v1/clusteroperators`;

/** openshift/api, config/v1: cluster-scoped, with a status of its own. */
const DEFINITION = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `clusteroperators.${GROUP}` },
  spec: {
    group: GROUP,
    scope: 'Cluster',
    names: {
      kind: 'ClusterOperator',
      listKind: 'ClusterOperatorList',
      plural: 'clusteroperators',
      singular: 'clusteroperator',
      shortNames: ['co'],
    },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        },
      },
    ],
  },
};

export const OPERATORS = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'etcd',
] as const;

/** Makes the four that a backup asks for; none of them is progressing. */
export async function createClusterOperators(server: ApiServer): Promise<void> {
  await server.request(
    'POST',
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    DEFINITION,
  );
  // It is served a moment after it is accepted.
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const served = await server.request('GET', PATH).catch(() => undefined);
    if (served !== undefined) break;
    await sleep(100);
  }
  for (const name of OPERATORS) {
    await server.apply(`${PATH}/${name}`, named(name));
    await setProgressing(server, name, 'False');
  }
}

/** Sets the condition as an operator does. */
export async function setProgressing(
  server: ApiServer,
  name: (typeof OPERATORS)[number],
  status: 'True' | 'False' | 'Unknown',
  message = '',
): Promise<void> {
  const conditions = [
    { type: 'Available', status: 'True', reason: 'AsExpected', message: '' },
    { type: 'Progressing', status, reason: 'NodeInstaller', message },
  ];
  await server.apply(`${PATH}/${name}/status`, { ...named(name), status: { conditions } });
}

function named(name: string) {
  return { apiVersion: `${GROUP}/v1`, kind: 'ClusterOperator', metadata: { name } };
}
