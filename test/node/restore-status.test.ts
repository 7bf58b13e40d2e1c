// A workstation follows a real control plane until it has recovered: from damage that is made, and from a restore.
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, it, vi } from 'vitest';
import { apiServersOf } from '../../src/backup/restore/api-servers.ts';
import { ApiClient } from '../../src/kubernetes/api-client.ts';
import { readKubeconfig } from '../../src/kubernetes/kubeconfig.ts';
import { expectFailure } from '../cli/failure.ts';
import { runCli, startCli } from '../cli/run.ts';
import { setProgressing } from '../servers/cluster-operators.ts';
import type { CommandResult } from '../servers/command.ts';
import { describeWithNode, nodeForSuite } from '../servers/node/for-vitest.ts';
import type { ControlPlaneNode } from '../servers/node/node.ts';
import { requestCertificate, requestConditions } from '../servers/recovered-cluster.ts';
import { CHECKOUT, ETCDKEEP_ON_NODE } from './checkout.ts';

const BACKUPS = '/var/backups/etcd';

describeWithNode('restore --status from a workstation, OpenShift layout', () => {
  const node = nodeForSuite({ shared: CHECKOUT });
  const status = (...more: readonly string[]) => statusOf(node(), more);
  const missing = async (): Promise<string> =>
    expectFailure(await status(), 'cluster-not-recovered', 5).message;
  const kubectl = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await node().kubectl(args);
    expect(code, stderr).toBe(0);
  };

  it('of a node that is well: nothing is missing', async () => {
    const { code, stdout, stderr } = await status();
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^etcd {8}master-0: ready\n {12}its operator: 1 members are available$/m,
    );
    expect(stdout).toMatch(/^heartbeats {2}1 of 1 nodes heard$/m);
    expect(stdout).toMatch(/^recovered {3}all that can be seen$/m);
  });

  it('its API server says where it is', async () => {
    const access = await readKubeconfig(
      await readFile(node().kubeconfig, 'utf8'),
      node().kubeconfig,
      (path) => readFile(path, 'utf8'),
    );
    const { signal } = new AbortController();
    const api = new ApiClient(access, { proxy: undefined, timeoutMs: 20_000, signal });
    expect(await apiServersOf(api)).toEqual([`${node().address}:6443`]);
    // By its own address, all over one connection, its certificate is as good as by the name.
    const one = api.atOne(new URL(`https://${node().address}:6443`));
    expect((await one.getText('/readyz')).text).toBe('ok');
    one.close();
    api.close();
  });

  it('an operator is degraded', async () => {
    await setProgressing(node().api, 'kube-apiserver', 'False', '', 'True');
    expect(await missing()).toBe('the cluster has not recovered: operators: kube-apiserver');
    await setProgressing(node().api, 'kube-apiserver', 'False');
    expect((await status()).code).toBe(0);
  });

  it('the kubelet waits for a certificate: shown until somebody approves it', async () => {
    await requestCertificate(node().api, 'csr-serving', 'kubernetes.io/kubelet-serving');
    expect(await missing()).toBe(
      'the cluster has not recovered: certificate requests: csr-serving',
    );
    // The API is asked time and again, and nobody has approved it.
    expect(await requestConditions(node().api, 'csr-serving')).toBeUndefined();
    await kubectl('certificate', 'approve', 'csr-serving');
    expect((await status()).code).toBe(0);
  });

  it('the kubelet is gone: the node is not ready, and is followed until it is', async () => {
    await node().kubelet.stop();
    await vi.waitFor(async () => expect(await missing()).toMatch(/(; |: )nodes: master-0/), {
      timeout: 120_000,
      interval: 2000,
    });
    const following = startCli(
      ['restore', '--status', '--watch', '--kubeconfig', node().kubeconfig],
      { timeoutMs: 200_000 },
    );
    await following.waitUntil(() => following.stderr.includes('waiting '));
    await node().kubelet.start();
    const { code, stdout, stderr } = await following.outcome;
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^waiting {5}\S+ {2}.*nodes: master-0/m);
    expect(stdout).toMatch(/^nodes {7}1 of 1 ready$/m);
  });

  it('a restore: what it brings back is named, and the end of it is seen', async () => {
    await kubectl('cordon', 'master-0');
    mkdirSync(node().path(BACKUPS), { recursive: true });
    const backup = await node().run([ETCDKEEP_ON_NODE, 'backup', BACKUPS]);
    expect(backup.code, backup.stderr).toBe(0);
    await kubectl('uncordon', 'master-0');
    await kubectl('create', 'namespace', 'made-since');
    expect((await status()).code).toBe(0);

    // The kubelet, which cannot ask the API server meanwhile, takes up to two minutes to start etcd again.
    const restored = node().run([ETCDKEEP_ON_NODE, 'restore', '--yes', BACKUPS], {
      timeoutMs: 300_000,
    });
    const run = startCli(['restore', '--status', '--watch', '--kubeconfig', node().kubeconfig], {
      timeoutMs: 200_000,
    });
    const { code, stderr } = await restored;
    expect(code, stderr).toBe(0);
    await run.end('SIGINT');
    // Whatever else is not there yet: that node is cordoned again.
    await vi.waitFor(
      async () => expect(await missing()).toBe('the cluster has not recovered: nodes: master-0'),
      { timeout: 120_000, interval: 1000 },
    );
    expect((await status()).stdout).toMatch(/^ {12}master-0 is cordoned$/m);
    const onHost = await node().run([ETCDKEEP_ON_NODE, 'restore', '--status']);
    expectFailure(onHost, 'cluster-not-recovered', 5);
    expect(onHost.stdout).toMatch(/^ {12}master-0 is cordoned$/m);
    await kubectl('uncordon', 'master-0');
    const recovered = await status('--watch');
    expect(recovered.code, recovered.stderr).toBe(0);
    expect(recovered.stdout).toMatch(/^lists {7}the API server and etcd agree on \d+ objects$/m);
    const host = await node().run([ETCDKEEP_ON_NODE, 'restore', '--status']);
    expect(host.code, host.stdout + host.stderr).toBe(0);
    expect(host.stdout).toMatch(/^restore {5}\d{8}-\d{6}: served$/m);
    const gone = await node().kubectl(['get', 'namespace', 'made-since']);
    expect(gone.stderr).toContain('NotFound');
  }, 600_000);
});

describeWithNode('restore --status from a workstation, kubeadm layout', () => {
  const node = nodeForSuite({ layout: 'kubeadm' });

  it('has no operators, and misses none', async () => {
    const { code, stdout, stderr } = await statusOf(node(), []);
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^cluster {5}\S+ · kubeadm layout$/m);
    expect(stdout).toMatch(/^etcd {8}cp-1: ready$/m);
    expect(stdout).toMatch(/^operators {3}unknown: only OpenShift has them$/m);
  });
});

function statusOf(node: ControlPlaneNode, more: readonly string[]): Promise<CommandResult> {
  return runCli(['restore', '--status', '--kubeconfig', node.kubeconfig, ...more], {
    timeoutMs: 200_000,
  });
}
