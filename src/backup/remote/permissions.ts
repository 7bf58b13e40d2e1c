// What a user needs to take a backup through the API: the list that is asked before anything is begun, and that the roles in
// deploy/rbac.yaml are made of.

import { EtcdkeepError } from '../../base/errors.ts';
import type { LayoutName } from '../../controlplane/host.ts';
import {
  missingPermissions,
  type Permission,
  permissionWords,
} from '../../kubernetes/access-review.ts';
import type { ApiClient } from '../../kubernetes/api-client.ts';
import { LEASE } from '../cluster-lease.ts';
import type { RemoteReport } from './events.ts';

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
    // Those of etcd; and those that a killed run has left, which are in the same place as a rule.
    ...[...new Set([etcdNamespace, podNamespace])].map((namespace) => ({
      verb: 'list',
      group: '',
      resource: 'pods',
      namespace,
    })),
    ...['create', 'get', 'delete'].map((verb) => ({
      verb,
      group: '',
      resource: 'pods',
      namespace: podNamespace,
    })),
    // A WebSocket is opened with GET. Servers from 1.35 on ask for `create` besides (k8s.io/kubernetes,
    // pkg/registry/core/pod/rest/subresources.go: AuthorizePodWebsocketUpgradeCreatePermission).
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

/**
 * Asks for all of them, before anything is begun.
 * @throws EtcdkeepError `permission-missing`; `api-unreachable`, ApiRefusal; the signal's reason
 */
export async function demandPermissions(
  api: ApiClient,
  scope: PermissionScope,
  { report }: { readonly report: RemoteReport },
): Promise<void> {
  const missing = await missingPermissions(api, neededPermissions(scope));
  if (missing.length > 0) {
    throw new EtcdkeepError(
      'permission-missing',
      `the user may not ${missing.map(permissionWords).join(', ')}`,
      { endpoint: api.endpoint },
    );
  }
  const unknown = await missingPermissions(api, wantedPermissions(scope));
  if (unknown.length === 0) return;
  const words = unknown.map(permissionWords).join(', ');
  report({ kind: 'warning', words: `the user may not ${words}: what that is for is left out` });
}
