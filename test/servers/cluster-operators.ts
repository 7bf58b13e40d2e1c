// OpenShift's ClusterOperators on a plain API server, as far as they say whether one is progressing, or degraded.
import type { ApiRequests, CustomKind } from './api-requests.ts';

const GROUP = 'config.openshift.io';
const PATH = `/apis/${GROUP}/v1/clusteroperators`;

/** openshift/api, config/v1. */
const KIND: CustomKind = {
  group: GROUP,
  kind: 'ClusterOperator',
  plural: 'clusteroperators',
  shortNames: ['co'],
};

export const OPERATORS = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'etcd',
] as const;

/** Makes the four that a backup asks for; none of them is progressing. */
export async function createClusterOperators(server: ApiRequests): Promise<void> {
  await server.define(KIND);
  for (const name of OPERATORS) {
    await server.apply(`${PATH}/${name}`, named(name));
    await setProgressing(server, name, 'False');
  }
}

/** Sets its conditions as an operator does. */
export async function setProgressing(
  server: ApiRequests,
  name: (typeof OPERATORS)[number],
  status: 'True' | 'False' | 'Unknown',
  message = '',
  degraded: 'True' | 'False' = 'False',
): Promise<void> {
  const conditions = [
    { type: 'Available', status: 'True', reason: 'AsExpected', message: '' },
    { type: 'Progressing', status, reason: 'NodeInstaller', message },
    { type: 'Degraded', status: degraded, reason: 'NodeInstaller', message: '' },
  ];
  await server.apply(`${PATH}/${name}/status`, { ...named(name), status: { conditions } });
}

function named(name: string) {
  return { apiVersion: `${GROUP}/v1`, kind: 'ClusterOperator', metadata: { name } };
}
