// Whether the user may do what is about to be done, asked of the API server itself before anything is begun
// (authorization.k8s.io/v1, SelfSubjectAccessReview).

import { z } from 'zod';
import { EtcdkeepError } from '../base/errors.ts';
import type { ApiClient } from './api-client.ts';

/** As a rule of a Role names it. */
export interface Permission {
  readonly verb: string;
  /** Empty for the core group. */
  readonly group: string;
  /** `pods`, `pods/exec`. */
  readonly resource: string;
  /** Undefined for what is of the whole cluster. */
  readonly namespace?: string;
  /** Undefined for any. */
  readonly name?: string;
}

// The server may add why not; it is free to say nothing.
const schema = z.object({ status: z.object({ allowed: z.boolean() }) });

/**
 * Asks for each of them.
 * @returns those that the user does not have
 * @throws EtcdkeepError `api-unreachable`, ApiRefusal; the signal's reason
 */
export async function missingPermissions(
  api: ApiClient,
  permissions: readonly Permission[],
): Promise<readonly Permission[]> {
  const allowed = await Promise.all(permissions.map((permission) => isAllowed(api, permission)));
  return permissions.filter((_, index) => !allowed[index]);
}

/** `create pods/exec in openshift-etcd`. */
export function permissionWords({ verb, group, resource, namespace, name }: Permission): string {
  const what = group === '' ? resource : `${resource}.${group}`;
  const whose = name === undefined ? '' : ` ${name}`;
  return `${verb} ${what}${whose}${namespace === undefined ? '' : ` in ${namespace}`}`;
}

async function isAllowed(api: ApiClient, permission: Permission): Promise<boolean> {
  const { verb, group, namespace, name } = permission;
  const [resource, subresource] = permission.resource.split('/');
  const resourceAttributes = { verb, group, resource, subresource, namespace, name };
  const answer = await api.request(
    'POST',
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes },
    },
  );
  const { data } = schema.safeParse(answer);
  if (data !== undefined) return data.status.allowed;
  throw new EtcdkeepError('api-refused', 'the API server does not say what is allowed', {
    endpoint: api.endpoint,
  });
}
