// Conditions that OpenShift's operators report through the API (openshift/api, config/v1 and operator/v1: both have `type`,
// `status` and `message`).

import { z } from 'zod';
import type { ApiClient } from '../../kubernetes/api-client.ts';

export interface Condition {
  /** `EtcdMembersAvailable`. */
  readonly type: string;
  /** `True`, `False` or `Unknown`. */
  readonly status: string;
  readonly message: string;
}

const schema = z.object({
  status: z
    .object({
      conditions: z
        .array(z.object({ type: z.string(), status: z.string(), message: z.string().default('') }))
        .default([]),
    })
    .prefault({}),
});

/**
 * Gets those of an object.
 * @param path `/apis/config.openshift.io/v1/clusteroperators/etcd`
 * @returns undefined if what is answered is no such object
 * @throws as `ApiClient.get`
 */
export async function conditionsAt(
  api: ApiClient,
  path: string,
): Promise<readonly Condition[] | undefined> {
  const { data } = schema.safeParse(await api.get(path));
  return data?.status.conditions;
}
