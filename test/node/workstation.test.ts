import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { expectFailure } from '../cli/failure.ts';
import { type CliRun, runCli, startCli } from '../cli/run.ts';
import { directoryForTest, usedDirectory } from '../cli/scene.ts';
import { describeWithNode, nodeForSuite } from '../servers/node/for-vitest.ts';
import { CHECKOUT, ETCDKEEP_ON_NODE } from './checkout.ts';
import { leftOn, said, through } from './remote-run.ts';

const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';

function recordIn(directory: string) {
  const name = readdirSync(directory).find((one) => /^backup_.*\.json$/.test(one))!;
  return JSON.parse(readFileSync(join(directory, name), 'utf8')) as {
    readonly snapshot: { readonly revision: string; readonly file: string };
    readonly resources: {
      readonly members: readonly { readonly path: string; readonly sha256?: string }[];
    };
    readonly verdicts: readonly { readonly kind: string; readonly result: string }[];
  };
}

/** A pod that cannot be removed is waited for, and one that was killed leaves a Lease to be waited for. */
const LONG = { timeoutMs: 120_000 };

describeWithNode('a backup from a workstation, OpenShift layout', () => {
  const node = nodeForSuite({
    shared: CHECKOUT,
    taints: [{ key: 'node-role.kubernetes.io/master', effect: 'NoSchedule' }],
  });

  it('comes home proven, is what the host itself would have taken, and leaves nothing there', async () => {
    const directory = join(directoryForTest(), 'a path with spaces');
    // What a run has left on a host that went down meanwhile.
    const orphan = node().path('/var/lib/etcdkeep/nodes/orphan');
    mkdirSync(orphan, { recursive: true });
    writeFileSync(join(orphan, 'pid'), '4194305\n');
    const outcome = await runCli(through(node(), '--dest-dir', directory));
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stdout).toContain(
      'found latest kube-apiserver-pod: /etc/kubernetes/static-pod-resources/kube-apiserver-pod-3\n',
    );
    expect(outcome.stdout).toContain(
      `snapshot db and kube resources are successfully saved to ${directory}\n`,
    );
    const record = recordIn(directory);
    expect(record.verdicts).toMatchObject([{ kind: 'verify', result: 'good' }]);
    expect(await leftOn(node())).toEqual([]);

    const there = await node().run([ETCDKEEP_ON_NODE, 'backup', '/var/backups/etcd']);
    expect(there.code, there.stderr).toBe(0);
    const onHost = node().path('/var/backups/etcd');
    expect(record.resources.members).toEqual(recordIn(onHost).resources.members);
    // The host's was taken later: at the revision of this one both hold the same.
    const { revision, file } = record.snapshot;
    const hash = async (path: string): Promise<string> => {
      const { stdout } = await runCli([
        'snapshot',
        'hashkv',
        path,
        '--rev',
        revision,
        '-w',
        'json',
      ]);
      return stdout;
    };
    expect(await hash(join(directory, file))).toBe(
      await hash(join(onHost, recordIn(onHost).snapshot.file)),
    );
  });

  it('without a name, the node is chosen, and why is said', async () => {
    const args = ['backup', '--node', 'auto', '--kubeconfig', node().kubeconfig];
    const outcome = await runCli([...args, '--dest-dir', directoryForTest()]);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stderr).toContain(
      'node        master-0 · OpenShift layout; the only one that can be',
    );
  });

  it('stays on the node where that is asked for', async () => {
    const outcome = await runCli(through(node(), '--leave-on-node', '/home/core/assets/backup'));
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stdout).toContain('successfully saved to /home/core/assets/backup\n');
    const names = readdirSync(node().path('/home/core/assets/backup')).sort();
    expect(names.map((name) => name.replace(/\d{4}-.*?(?=\.)/, ''))).toEqual([
      'backup_.json',
      'snapshot_.db',
      'static_kuberesources_.tar.gz',
    ]);
    expect(await leftOn(node())).toEqual([]);
  });

  it('keeps the keys apart there', async () => {
    const flags = ['--leave-on-node', '/home/apart', '--static-resources-dir', '/home/keys'];
    const outcome = await runCli(through(node(), ...flags));
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stdout).toContain('successfully saved to /home/apart and /home/keys\n');
    expect(readdirSync(node().path('/home/keys'))).toEqual([
      expect.stringMatching(/^static_kuberesources_/),
    ]);
  });

  it('keeps the keys apart here', async () => {
    const [directory, keys] = [directoryForTest(), directoryForTest()];
    const flags = ['--dest-dir', directory, '--static-resources-dir', keys];
    const outcome = await runCli(through(node(), ...flags));
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(readdirSync(keys)).toEqual([expect.stringMatching(/^static_kuberesources_/)]);
    const verified = await runCli(['verify', directory]);
    expect(verified.code, verified.stderr).toBe(0);
  });

  it('refuses, with what is wrong, before anything is made', async () => {
    const directory = await usedDirectory();
    const names = readdirSync(directory).sort();
    const fails = async (
      code: Parameters<typeof expectFailure>[1],
      exit: number,
      ...flags: string[]
    ) => {
      const outcome = await runCli(through(node(), '--dest-dir', directory, ...flags), LONG);
      const failure = expectFailure(outcome, code, exit);
      expect(readdirSync(directory).sort()).toEqual(names);
      expect(await leftOn(node())).toEqual([]);
      return failure;
    };
    const elsewhere = await fails('node-not-found', 2, '--node=master-7');
    expect(elsewhere.rows.get('nodes')).toBe('master-0');
    const nobody = await fails('permission-missing', 3, '--as=alice', '--as-group=dev');
    expect(nobody.message).toContain('list nodes, list pods in openshift-etcd');
    await fails('executable-missing', 1, '--executable=/nowhere');
    await fails('debug-pod-failed', 1, '--image=registry.invalid/none:1');
    await node().kubectl(['create', 'namespace', 'restricted']);
    const label = 'pod-security.kubernetes.io/enforce=restricted';
    await node().kubectl(['label', 'namespace', 'restricted', label]);
    const forbidden = await fails('debug-pod-forbidden', 1, '--to-namespace=restricted');
    expect(forbidden.message).toContain('violates PodSecurity "restricted:latest"');
    await fails('kubeconfig-missing', 1, '--kubeconfig=/nowhere');
  }, 180_000);

  it('is one at a time, and the second is told who is at it', async () => {
    const moment = new Date().toISOString().replace('Z', '000Z');
    await node().api.request('POST', LEASES, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'etcdkeep-backup' },
      spec: {
        holderIdentity: 'alice@laptop',
        leaseDurationSeconds: 60,
        acquireTime: moment,
        renewTime: moment,
      },
    });
    const outcome = await runCli(through(node(), '--dest-dir', directoryForTest()));
    const failure = expectFailure(outcome, 'backup-running', 3);
    expect(failure.message).toContain('is being taken by alice@laptop, since ');
    await node().api.request('DELETE', `${LEASES}/etcdkeep-backup`);
  });

  it('told to stop, it leaves nothing at both ends', async () => {
    const directory = await usedDirectory();
    const names = readdirSync(directory).sort();
    const run = startCli(through(node(), '--dest-dir', directory, '--rate-limit=200kB'));
    await receiving(run);
    run.signal('SIGINT');
    const outcome = await run.outcome;
    expect(outcome.code, outcome.stderr).toBe(130);
    expect(readdirSync(directory).sort()).toEqual(names);
    expect(await leftOn(node())).toEqual([]);
  });

  it('says so when the kubelet goes away meanwhile, and the next one works', async () => {
    const directory = await usedDirectory();
    const names = readdirSync(directory).sort();
    const run = startCli(through(node(), '--dest-dir', directory, '--rate-limit=100kB'), LONG);
    await receiving(run);
    await node().kubelet.stop();
    const outcome = await run.outcome;
    expectFailure(outcome, 'exec-broken');
    expect(readdirSync(directory).sort()).toEqual(names);
    await node().kubelet.start();
    await sleep(1000);
    const next = await runCli(through(node(), '--dest-dir', directoryForTest()), LONG);
    expect(next.code, next.stderr).toBe(0);
  }, 180_000);

  it('a host that ssh cannot reach is named', async () => {
    const args = ['backup', '--ssh', 'core@192.0.2.1', '--dest-dir', directoryForTest()];
    // A PATH with all but ssh.
    const programs = directoryForTest();
    for (const name of ['readlink', 'dirname']) {
      symlinkSync(join('/usr/bin', name), join(programs, name));
    }
    const outcome = await runCli(args, { env: { PATH: programs } });
    const { message } = expectFailure(outcome, 'ssh-failed');
    expect(message).toBe('cannot reach core@192.0.2.1: there is no ssh');
  });
});

describeWithNode('a backup from a workstation, kubeadm layout', () => {
  const node = nodeForSuite({ layout: 'kubeadm' });

  it('comes home, through an image that has nothing but its program', async () => {
    const directory = directoryForTest();
    const outcome = await runCli(through(node(), '--dest-dir', directory));
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(recordIn(directory).verdicts).toMatchObject([{ kind: 'verify', result: 'good' }]);
    expect(await leftOn(node())).toEqual([]);
  });
});

/** Until the snapshot is on its way. */
function receiving(run: CliRun): Promise<void> {
  return said(run, 'member      ');
}
