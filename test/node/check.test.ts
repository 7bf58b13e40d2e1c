// etcdkeep check --node: what a backup from a workstation would be told, with nothing taken and nothing left.
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { expectFailure } from '../cli/failure.ts';
import { runCli } from '../cli/run.ts';
import { describeWithNode, nodeForSuite } from '../servers/node/for-vitest.ts';
import { leftOn, through } from './remote-run.ts';

const MIGRATION = '/apis/operator.openshift.io/v1/kubeapiservers/cluster/status';

describeWithNode('a check from a workstation', () => {
  const node = nodeForSuite({
    taints: [{ key: 'node-role.kubernetes.io/master', effect: 'NoSchedule' }],
  });
  const check = async (...flags: string[]) => {
    const [, ...rest] = through(node(), ...flags);
    const outcome = await runCli(['check', ...rest], { timeoutMs: 120_000 });
    expect(await leftOn(node())).toEqual([]);
    return outcome;
  };

  it('says what the node, its member and the cluster are like, and what a backup would be told', async () => {
    const outcome = await check('--node=auto');
    expect(outcome.code, outcome.stderr).toBe(0);
    const [first, ...checks] = outcome.stdout.split('\n').filter((line) => line !== '');
    expect(first).toMatch(/^ {2}master-0 {2}ready · its member leads · [\d.]+ [GT]B free$/);
    expect(checks.filter((line) => !line.startsWith('  ok  '))).toEqual([]);
    expect(outcome.stderr).toContain(
      'proxy       not enabled; nothing of a backup goes through it',
    );
    expect(outcome.stderr).toContain('node        master-0 · OpenShift layout; the only one');
    expect(outcome.stderr).toContain('checks      17 passed\n');
  });

  it('takes no Lease, writes nothing, and gives a program one document', async () => {
    const outcome = await check('--output=json', '--leave-on-node=/home/core/assets/backup');
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(JSON.parse(outcome.stdout)).toMatchObject({
      host: { name: 'master-0', layout: 'openshift' },
      nodes: [
        {
          name: 'master-0',
          ready: true,
          diskPressure: false,
          freeBytes: expect.any(Number) as number,
          member: { serves: true, leader: true, learner: false, lag: 0, alarms: [] },
        },
      ],
      checks: expect.arrayContaining([
        expect.objectContaining({ name: 'keys-apart', result: 'failed' }),
        expect.objectContaining({ name: 'encryption-migration', result: 'passed' }),
      ]) as object[],
    });
    const lease = await node().kubectl(['get', 'lease', '-n', 'kube-system', 'etcdkeep-backup']);
    expect(lease.stderr).toContain('NotFound');
    expect((await node().run(['ls', '/home/core/assets/backup'])).code).not.toBe(0);
  });

  it('names what refuses a backup: a directory that is a file, and who is at it already', async () => {
    writeFileSync(node().path('/home/a file'), '');
    const place = await check('--leave-on-node=/home/a file');
    expectFailure(place, 'target-not-directory', 2);

    const moment = new Date().toISOString().replace('Z', '000Z');
    const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';
    await node().api.request('POST', leases, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'etcdkeep-backup' },
      spec: {
        holderIdentity: 'alice@laptop',
        leaseDurationSeconds: 600,
        acquireTime: moment,
        renewTime: moment,
      },
    });
    const busy = await check();
    await node().api.request('DELETE', `${leases}/etcdkeep-backup`);
    expect(expectFailure(busy, 'check-failed', 3).message).toContain('alice@laptop');
  });

  it('warns while the API server writes its objects anew with another key', async () => {
    const state = (status: 'True' | 'False', message: string) =>
      node().api.apply(MIGRATION, {
        apiVersion: 'operator.openshift.io/v1',
        kind: 'KubeAPIServer',
        metadata: { name: 'cluster' },
        status: {
          conditions: [
            { type: 'EncryptionMigrationControllerProgressing', status, reason: '', message },
          ],
        },
      });
    await state('True', 'migrating resources to a new write key: [core/secrets]');
    const outcome = await check();
    await state('False', '');
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stdout).toContain(
      '  !   encryption-migration  migrating resources to a new write key: [core/secrets]',
    );
  });

  it('asks first what the user may do, and names all that is missing', async () => {
    const outcome = await check('--as=alice');
    const { message } = expectFailure(outcome, 'permission-missing', 3);
    expect(message).toContain('list nodes, list pods in openshift-etcd, create pods in ');
    expect(message).toContain('create pods/exec in openshift-etcd');
  });

  it('refuses what says nothing', async () => {
    const directory = await runCli(['check', '--node', 'master-0', '/home/backup']);
    expectFailure(directory, 'usage', 2);
    const both = await runCli(['check', '--node', 'master-0', '--ssh', 'core@192.0.2.1']);
    expectFailure(both, 'usage', 2);
    const nowhere = await runCli(['check', '--leave-on-node', '/home/backup']);
    expectFailure(nowhere, 'usage', 2);
  });
});
