// What a user needs to take a backup through the API: the list that is asked before anything is begun, and that the role in
// deploy/ is made of.

import type { LayoutName } from '../../controlplane/host.ts';
import type { Permission } from '../../kubernetes/access-review.ts';
import { LEASE } from '../cluster-lease.ts';

export interface PermissionScope {
  readonly layout: LayoutName;
  /** Where the pods of etcd are. */
  readonly etcdNamespace: string;
  /** Where the debug pod is made. */
  readonly podNamespace: string;
}

/** Without any of them there is no backup. */
export function neededPermissions({ etcdNamespace, podNamespace }: PermissionScope): Permission[] {
  return [
    { verb: 'list', group: '', resource: 'nodes' },
    { verb: 'list', group: '', resource: 'pods', namespace: etcdNamespace },
    ...['create', 'get', 'list', 'delete'].map((verb) => ({
      verb,
      group: '',
      resource: 'pods',
      namespace: podNamespace,
    })),
    // A WebSocket is opened with GET, and is asked for as one by servers before 1.35.
    ...['create', 'get'].map((verb) => ({
      verb,
      group: '',
      resource: 'pods/exec',
      namespace: podNamespace,
    })),
  ];
}

/** Without these something is not known, or not said. */
export function wantedPermissions({ layout }: PermissionScope): Permission[] {
  const group = 'coordination.k8s.io';
  return [
    ...['get', 'update', 'delete'].map((verb) => ({ ...LEASE, verb, group, resource: 'leases' })),
    { verb: 'create', group, resource: 'leases', namespace: LEASE.namespace },
    ...(layout === 'openshift'
      ? [{ verb: 'get', group: 'config.openshift.io', resource: 'proxies', name: 'cluster' }]
      : []),
  ];
}
