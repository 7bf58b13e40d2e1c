// How far a restored cluster has recovered, asked of a real API server as a workstation asks it: what is missing, and what is
// not known, is exit code 5 until it is there.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { statusPermissions } from '../../src/backup/restore/cluster-status.ts';
import { type Permission, permissionWords } from '../../src/kubernetes/access-review.ts';
import { expectFailure } from '../cli/failure.ts';
import { runCli, startCli } from '../cli/run.ts';
import { noTerminal, onTerminal } from '../cli/terminal.ts';
import type { ApiRequests } from '../servers/api-requests.ts';
import { setProgressing } from '../servers/cluster-operators.ts';
import type { CommandResult } from '../servers/command.ts';
import { temporaryDirectory } from '../servers/directories.ts';
import { apiServerForSuite, describeWithApiServer, etcdForSuite } from '../servers/for-vitest.ts';
import {
  createEtcdPod,
  createRecoveredCluster,
  deleteEtcdPod,
  NODE,
  requestCertificate,
  requestConditions,
  setEtcdMembers,
  setEtcdPod,
  setHeartbeat,
  setNode,
  withdrawRequest,
} from '../servers/recovered-cluster.ts';

const SERVING = 'kubernetes.io/kubelet-serving';

/** What is wrong, how it is said, and how it is put right. */
interface Damage {
  readonly make: (api: ApiRequests) => Promise<void>;
  readonly mend: (api: ApiRequests) => Promise<void>;
  readonly missing: string;
  readonly line: string;
}

const DAMAGES: Readonly<Record<string, Damage>> = {
  'an operator is degraded': {
    make: (api) => setProgressing(api, 'kube-scheduler', 'False', '', 'True'),
    mend: (api) => setProgressing(api, 'kube-scheduler', 'False'),
    missing: 'operators: kube-scheduler',
    line: '            kube-scheduler: Available=True Progressing=False Degraded=True',
  },
  'an operator is progressing': {
    make: (api) => setProgressing(api, 'etcd', 'True'),
    mend: (api) => setProgressing(api, 'etcd', 'False'),
    missing: 'operators: etcd',
    line: 'operators   3 of 4 at rest',
  },
  'a node is not ready': {
    make: (api) => setNode(api, { ready: 'False' }),
    mend: (api) => setNode(api, {}),
    missing: `nodes: ${NODE}`,
    line: `            ${NODE} is not`,
  },
  'a node is cordoned': {
    make: (api) => setNode(api, { unschedulable: true }),
    mend: (api) => setNode(api, {}),
    missing: `nodes: ${NODE}`,
    line: `            ${NODE} is cordoned`,
  },
  'a node says Ready, as it did at the time of the backup, and is not heard': {
    make: (api) => setHeartbeat(api, new Date(Date.now() - 600_000)),
    mend: (api) => setHeartbeat(api, new Date()),
    missing: `heartbeats: ${NODE}`,
    line: 'heartbeats  0 of 1 nodes heard',
  },
  'a pod of etcd is not ready': {
    make: (api) => setEtcdPod(api, 'False'),
    mend: (api) => setEtcdPod(api, 'True'),
    missing: `etcd: ${NODE}`,
    line: `etcd        ${NODE}: its pod is NOT READY`,
  },
  'a node of the control plane has no etcd': {
    make: (api) => deleteEtcdPod(api),
    mend: async (api) => {
      await createEtcdPod(api);
      await setEtcdPod(api, 'True');
    },
    missing: `etcd: ${NODE}`,
    line: `etcd        ${NODE}: NO POD of etcd`,
  },
  'the operator of etcd misses members': {
    make: (api) => setEtcdMembers(api, 'False'),
    mend: (api) => setEtcdMembers(api, 'True'),
    missing: 'etcd operator: EtcdMembersAvailable, EtcdMembersDegraded',
    line: '            its operator: NOT WELL: EtcdMembersAvailable, EtcdMembersDegraded',
  },
  'a kubelet waits for a certificate': {
    make: (api) => requestCertificate(api, 'csr-1', SERVING),
    mend: (api) => withdrawRequest(api, 'csr-1'),
    missing: 'certificate requests: csr-1',
    line: '            look at each: oc describe csr NAME; then: oc adm certificate approve NAME',
  },
};

describeWithApiServer('restore --status from a workstation', () => {
  const etcd = etcdForSuite({ version: '3.6.16', tls: 'mutual' });
  const api = apiServerForSuite(etcd);
  const directory = temporaryDirectory();
  const fileOf = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const flags = (kubeconfig: string, more: readonly string[] = []): string[] => [
    'restore',
    '--status',
    `--kubeconfig=${kubeconfig}`,
    ...more,
  ];
  let admin: string;
  const status = (...more: readonly string[]): Promise<CommandResult> => runCli(flags(admin, more));

  beforeAll(async () => {
    admin = fileOf('admin', api().kubeconfig());
    await createRecoveredCluster(api());
  });
  beforeEach(() => setHeartbeat(api(), new Date()));

  it('has recovered: nothing is missing, and each of it is said', async () => {
    const { code, stdout, stderr } = await status();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.replace(/\b\d+(?= checks| objects)/g, 'N').split('\n')).toEqual([
      `cluster     ${api().url} · OpenShift layout`,
      'ready       all N checks of the API server pass',
      `etcd        ${NODE}: ready`,
      '            its operator: 1 members are available',
      'lists       the API server and etcd agree on N objects',
      'operators   4 of 4 at rest',
      'nodes       1 of 1 ready',
      'heartbeats  1 of 1 nodes heard',
      'requests    0 certificate requests wait for you to decide',
      'recovered   all that can be seen',
      '',
    ]);
  });

  it('is one document for a program', async () => {
    const { code, stdout } = await status('--output=json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      endpoint: api().url,
      layout: 'openshift',
      readiness: { seen: { failing: [] } },
      members: { seen: [{ node: NODE, pod: 'ready' }] },
      etcdOperator: { seen: { failing: [] } },
      lists: { seen: { stale: [] } },
      nodes: { seen: [{ name: NODE, isReady: true, isSchedulable: true }] },
      heartbeats: { seen: { heard: 1, silent: [] } },
      pendingRequests: { seen: [] },
      missingPermissions: [],
      recovered: true,
      missing: [],
    });
  });

  it('is asked where this is no control-plane host, and KUBECONFIG says whom', async () => {
    const found = await runCli(['restore', '--status'], { env: { KUBECONFIG: admin } });
    expect(found.code, found.stderr).toBe(0);
    expect(found.stdout).toContain(`cluster     ${api().url}`);
    const env = { HOME: directory, KUBECONFIG: undefined };
    const lost = await runCli(['restore', '--status'], { env });
    const { rows } = expectFailure(lost, 'not-a-control-plane-host');
    expect(rows.get('do')).toContain('name a kubeconfig with --kubeconfig');
    const stamped = await runCli(['restore', '--status', '20261123-170200'], {
      env: { KUBECONFIG: admin },
    });
    expectFailure(stamped, 'usage', 2);
  });

  describe.each(Object.entries(DAMAGES))('%s', (_, { make, mend, missing, line }) => {
    beforeEach(async () => {
      await make(api());
      return () => mend(api());
    });

    it('is exit code 5, and named', async () => {
      const outcome = await status();
      const { message } = expectFailure(outcome, 'cluster-not-recovered', 5);
      expect(message).toBe(`the cluster has not recovered: ${missing}`);
      expect(outcome.stdout.split('\n')).toContain(line);
      expect(outcome.stdout).toMatch(/^recovered {3}NO$/m);
      const { stdout } = await status('--output=json');
      const [what, words] = missing.split(': ');
      expect(JSON.parse(stdout)).toMatchObject({
        recovered: false,
        missing: [{ what, words }],
        error: { code: 'cluster-not-recovered', retryable: true },
      });
    });
  });

  it('shows what others ask certificates for, and decides on nothing', async () => {
    await requestCertificate(api(), 'alice', 'example.com/tokens');
    await requestCertificate(api(), 'kubelet', SERVING);
    const both = await status();
    expect(both.code).toBe(5);
    expect(both.stdout).toContain('requests    2 certificate requests wait for you to decide\n');
    expect(both.stdout).toContain(`            kubelet  ${SERVING}  system:admin\n`);
    expect(await requestConditions(api(), 'kubelet')).toBeUndefined();
    await withdrawRequest(api(), 'kubelet');
    // That one waits for somebody else, and no node for it.
    const other = await status();
    expect(other.code, other.stderr).toBe(0);
    expect(other.stdout).toContain('            alice  example.com/tokens  system:admin\n');
    expect(await requestConditions(api(), 'alice')).toBeUndefined();
    await withdrawRequest(api(), 'alice');
  });

  it('follows until nothing is missing', async () => {
    await setNode(api(), { ready: 'False' });
    const run = startCli(flags(admin, ['--watch']));
    await run.waitUntil(() => /^waiting {5}\S+ {2}nodes: master-0\n/m.test(run.stderr));
    expect(run.stdout).toBe('');
    await setNode(api(), {});
    const { code, stdout, stderr } = await run.outcome;
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^nodes {7}1 of 1 ready$/m);
    expect(stdout).toMatch(/^recovered {3}all that can be seen$/m);
  });

  it('follows no longer than it is told to, and ends when it is told to', async () => {
    await setNode(api(), { ready: 'False' });
    const cut = await status('--timeout=1s');
    expectFailure(cut, 'cluster-not-recovered', 5);
    expect(cut.stderr).toMatch(/^waiting {5}\S+ {2}nodes: master-0$/m);
    const run = startCli(flags(admin, ['--watch']));
    await run.waitUntil(() => run.stderr.includes('waiting '));
    expect((await run.end('SIGINT')).code).toBe(130);
    await setNode(api(), {});
  });

  it(`follows by itself on a terminal${noTerminal}`, { skip: noTerminal !== '' }, async () => {
    await setNode(api(), { ready: 'False' });
    const watched = onTerminal(flags(admin), {}, { after: 'nodes: master-0', keys: '\x03' });
    expect((await watched).code).toBe(130);
    const once = await onTerminal(flags(admin, ['--no-watch']));
    expect(once.code).toBe(5);
    expect(once.screen).not.toContain('waiting ');
    await setNode(api(), {});
  });

  describe('for a user', () => {
    const as = (...more: readonly string[]) => status('--as=watcher', ...more);

    it('without any permission names all of them, and waits for none', async () => {
      const outcome = await runCli(flags(admin, ['--as=nobody', '--watch']));
      expect(expectFailure(outcome, 'cluster-not-recovered', 5).message).toBe(
        'the cluster has not recovered: etcd, etcd operator, lists, operators, nodes, heartbeats, ' +
          'certificate requests: unknown (not allowed)',
      );
      for (const permission of statusPermissions('openshift')) {
        expect(outcome.stderr).toContain(
          `warning     the user may not ${permissionWords(permission)}\n`,
        );
      }
      expect(outcome.stdout).toMatch(/^nodes {7}unknown: the API server answered 403: /m);
      expect(outcome.stdout).toMatch(/^ready {7}all \d+ checks/m);
    });

    it('with those that docs/restore.md names sees all of it; without one, not that', async () => {
      const all = statusPermissions('openshift');
      await grant(api(), all);
      await settled(async () => (await as()).code === 0);
      const [one] = all.filter(({ resource }) => resource === 'certificatesigningrequests');
      await grant(
        api(),
        all.filter((each) => each !== one),
      );
      await settled(async () => (await as()).code === 5);
      const { stderr, stdout } = await as();
      expect(stderr).toMatch(
        /^warning {5}the user may not list certificatesigningrequests\.certificates\.k8s\.io$/m,
      );
      expect(stderr.match(/the user may not/g)).toHaveLength(1);
      expect(stdout).toMatch(/^nodes {7}1 of 1 ready$/m);
      const text = readFileSync(new URL('../../docs/restore.md', import.meta.url), 'utf8');
      const rows = text.split('\n').filter((line) => line.startsWith('| `'));
      for (const { verb, resource } of all) {
        const row = rows.find((each) => each.split('|')[1]!.includes(`\`${resource}\``));
        expect(row?.split('|')[2], resource).toContain(verb);
      }
    });
  });
});

/** Gives them to the user `watcher`, and no others. */
async function grant(api: ApiRequests, permissions: readonly Permission[]): Promise<void> {
  const group = 'rbac.authorization.k8s.io';
  const base = `/apis/${group}/v1`;
  const metadata = { name: 'watcher' };
  const rules = permissions.map((one) => ({
    apiGroups: [one.group],
    resources: [one.resource],
    verbs: [one.verb],
    ...(one.name !== undefined && { resourceNames: [one.name] }),
  }));
  await api.apply(`${base}/clusterroles/watcher`, {
    apiVersion: `${group}/v1`,
    kind: 'ClusterRole',
    metadata,
    rules,
  });
  await api.apply(`${base}/clusterrolebindings/watcher`, {
    apiVersion: `${group}/v1`,
    kind: 'ClusterRoleBinding',
    metadata,
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'watcher' },
    subjects: [{ apiGroup: group, kind: 'User', name: 'watcher' }],
  });
}

/** Until the API server goes by what it was told. */
async function settled(condition: () => Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => expect(await condition()).toBe(true), {
    timeout: 30_000,
    interval: 100,
  });
}
