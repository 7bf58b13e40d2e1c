// The shipped role and the list that is asked before a backup are one: each permission of the role, taken away, is named.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { LEASE } from '../../src/backup/cluster-lease.ts';
import {
  neededPermissions,
  type PermissionScope,
  wantedPermissions,
} from '../../src/backup/remote/permissions.ts';
import {
  missingPermissions,
  type Permission,
  permissionWords,
} from '../../src/kubernetes/access-review.ts';
import { expectFailure } from '../cli/failure.ts';
import { runCli } from '../cli/run.ts';
import { directoryForTest } from '../cli/scene.ts';
import type { CommandResult } from '../servers/command.ts';
import { temporaryDirectory } from '../servers/directories.ts';
import { apiServerForSuite, describeWithApiServer, etcdForSuite } from '../servers/for-vitest.ts';
import { clientsForSuite, NOBODY } from './for-suite.ts';
import {
  applyRole,
  permissionsOf,
  roleObjects,
  sorted,
  tokenKubeconfig,
  tokenOf,
  withoutPermissions,
} from './role.ts';

const OPENSHIFT: PermissionScope = {
  layout: 'openshift',
  etcdNamespace: 'openshift-etcd',
  podNamespace: 'openshift-etcd',
};
const KUBEADM: PermissionScope = {
  layout: 'kubeadm',
  etcdNamespace: 'kube-system',
  podNamespace: 'kube-system',
};

const words = (permissions: readonly Permission[]): string[] =>
  [...new Set(permissions.map((one) => permissionWords(one)))].sort();
const asked = (scope: PermissionScope): Permission[] => [
  ...neededPermissions(scope),
  ...wantedPermissions(scope),
];

describe('the role of deploy/rbac.yaml', () => {
  it('allows what is asked for, and nothing else', () => {
    expect(words(permissionsOf(roleObjects('openshift')))).toEqual(words(asked(OPENSHIFT)));
  });

  it('allows it where kubeadm has etcd, and what only OpenShift has', () => {
    const ofOpenshift = 'get proxies.config.openshift.io cluster';
    expect(words(permissionsOf(roleObjects('kubeadm')))).toEqual(
      [...words(asked(KUBEADM)), ofOpenshift].sort(),
    );
  });

  it('says what it means to have it', () => {
    const text = readFileSync(new URL('../../deploy/rbac.yaml', import.meta.url), 'utf8');
    expect(text).toContain('CLUSTER-ADMIN IN EFFECT');
  });
});

describeWithApiServer('a user with the role of deploy/rbac.yaml', () => {
  const etcd = etcdForSuite({ version: '3.6.16', tls: 'mutual' });
  const server = apiServerForSuite(etcd);
  const make = clientsForSuite(server);
  const whole = roleObjects('openshift');
  const kubeconfig = join(temporaryDirectory(), 'kubeconfig');
  let token: string;
  beforeAll(async () => {
    const group = 'config.openshift.io';
    await server().define({ group, kind: 'Proxy', plural: 'proxies' });
    await server().apply('/api/v1/namespaces/openshift-etcd', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'openshift-etcd' },
    });
    await applyRole(server(), whole);
    token = await tokenOf(server(), whole);
    writeFileSync(kubeconfig, tokenKubeconfig(server().url, readFileSync(server().ca), token));
  });

  // Whoever may not delete it leaves it behind, and it keeps others away for a minute.
  afterEach(async () => {
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${LEASE.namespace}/leases`;
    await server()
      .request('DELETE', `${leases}/${LEASE.name}`)
      .catch(() => undefined);
  });

  /** Waits until that is what the API server goes by. */
  const allow = async (taken: readonly Permission[]): Promise<void> => {
    await applyRole(server(), withoutPermissions(whole, taken));
    const api = await make({ ...NOBODY, token });
    await vi.waitFor(
      async () => {
        const missing = await missingPermissions(api, permissionsOf(whole));
        expect(words(missing)).toEqual(words(taken));
      },
      { timeout: 20_000, interval: 50 },
    );
  };
  const backUp = (directory: string): Promise<CommandResult> =>
    runCli(['backup', '--node=auto', `--dest-dir=${directory}`, `--kubeconfig=${kubeconfig}`]);
  /** A place that is made only if something begins. */
  const place = (): string => join(directoryForTest(), 'backups');

  it('may do all that is asked for', async () => {
    await allow([]);
    const outcome = await backUp(place());
    // There is no node here; the whole of it is tried on a real one (test/node/deploy.test.ts).
    expectFailure(outcome, 'node-not-found', 2);
    expect(outcome.stderr).not.toContain('may not');
  });

  it.each(neededPermissions(OPENSHIFT).map((one) => [permissionWords(one), one] as const))(
    'but not %s, is told so, and nothing is begun',
    async (name, permission) => {
      await allow([permission]);
      const directory = place();
      const outcome = await backUp(directory);
      const { message } = expectFailure(outcome, 'permission-missing', 3);
      expect(message).toBe(`the user may not ${name}`);
      expect(existsSync(directory)).toBe(false);
    },
  );

  it.each(wantedPermissions(OPENSHIFT).map((one) => [permissionWords(one), one] as const))(
    'but not %s, is warned, and it goes on',
    async (name, permission) => {
      await allow([permission]);
      const outcome = await backUp(place());
      expect(outcome.stderr).toContain(
        `warning     the user may not ${name}: what that is for is left out\n`,
      );
      expectFailure(outcome, 'node-not-found', 2);
    },
  );

  it('but none at all, is told of each', async () => {
    const all = permissionsOf(whole).map(sorted);
    await allow(all);
    const { message } = expectFailure(await backUp(place()), 'permission-missing', 3);
    for (const one of neededPermissions(OPENSHIFT)) {
      expect(message).toContain(permissionWords(one));
    }
  });
});
