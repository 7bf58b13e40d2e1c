// deploy/rbac.yaml, whole or with one of its permissions taken away.
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { LayoutName } from '../../src/controlplane/host.ts';
import type { Permission } from '../../src/kubernetes/access-review.ts';
import type { ApiRequests } from '../servers/api-requests.ts';

const FILE = new URL('../../deploy/rbac.yaml', import.meta.url);

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

interface RoleObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly Rule[];
}

const PLURALS: Readonly<Record<string, string>> = {
  ServiceAccount: 'serviceaccounts',
  ClusterRole: 'clusterroles',
  ClusterRoleBinding: 'clusterrolebindings',
  Role: 'roles',
  RoleBinding: 'rolebindings',
};

/** The text, by the line that it names itself where the layout is not OpenShift's. */
export function roleText(layout: LayoutName): string {
  const text = readFileSync(FILE, 'utf8');
  return layout === 'openshift' ? text : text.replaceAll('openshift-etcd', 'kube-system');
}

export function roleObjects(layout: LayoutName): RoleObject[] {
  return parseAllDocuments(roleText(layout)).map((one) => one.toJS() as RoleObject);
}

/** What the roles allow, each verb of each resource by itself. */
export function permissionsOf(objects: readonly RoleObject[]): Permission[] {
  return objects.flatMap(({ metadata: { namespace }, rules = [] }) =>
    rules.flatMap((rule) => permissionsOfRule(rule, namespace)),
  );
}

function permissionsOfRule(rule: Rule, namespace: string | undefined): Permission[] {
  return rule.apiGroups.flatMap((group) =>
    rule.resources.flatMap((resource) =>
      rule.verbs.flatMap((verb) =>
        (rule.resourceNames ?? [undefined]).map((name) => ({
          verb,
          group,
          resource,
          ...(namespace !== undefined && { namespace }),
          ...(name !== undefined && { name }),
        })),
      ),
    ),
  );
}

/** The same roles with all of these taken away. */
export function withoutPermissions(
  objects: readonly RoleObject[],
  taken: readonly Permission[],
): RoleObject[] {
  const isTaken = (one: Permission): boolean =>
    taken.some((each) => JSON.stringify(sorted(each)) === JSON.stringify(sorted(one)));
  return objects.map((object) => {
    if (object.rules === undefined) return object;
    const left = permissionsOf([object]).filter((one) => !isTaken(one));
    const rules = left.map(({ group, resource, verb, name }) => ({
      apiGroups: [group],
      resources: [resource],
      verbs: [verb],
      ...(name !== undefined && { resourceNames: [name] }),
    }));
    return { ...object, rules };
  });
}

/** In an order that does not tell them apart. */
export function sorted({ verb, group, resource, namespace, name }: Permission): Permission {
  return {
    verb,
    group,
    resource,
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
  };
}

/** Makes them, or makes them what is given. */
export async function applyRole(api: ApiRequests, objects: readonly RoleObject[]): Promise<void> {
  for (const object of objects) {
    const { apiVersion, kind, metadata } = object;
    const base = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
    const { namespace, name } = metadata;
    const place = namespace === undefined ? '' : `/namespaces/${namespace}`;
    await api.apply(`${base}${place}/${PLURALS[kind]!}/${name}`, object);
  }
}

/** A token of the account, as `kubectl create token` asks for one. */
export async function tokenOf(api: ApiRequests, objects: readonly RoleObject[]): Promise<string> {
  const { name, namespace } = objects.find(({ kind }) => kind === 'ServiceAccount')!.metadata;
  const path = `/api/v1/namespaces/${namespace!}/serviceaccounts/${name}/token`;
  const answer = await api.request('POST', path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {},
  });
  return (answer as { status: { token: string } }).status.token;
}

/** A kubeconfig of whoever has the token. */
export function tokenKubeconfig(server: string, ca: Buffer, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'role',
    contexts: [{ name: 'role', context: { cluster: 'local', user: 'etcdkeep-backup' } }],
    clusters: [
      { name: 'local', cluster: { server, 'certificate-authority-data': ca.toString('base64') } },
    ],
    users: [{ name: 'etcdkeep-backup', user: { token } }],
  });
}
