import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, it, vi } from 'vitest';
import { KUBERNETES_VERSION } from '../servers/kubernetes.ts';
import { describeWithNode, nodeForSuite } from '../servers/node/for-vitest.ts';
import { CHECKOUT, ETCDKEEP_ON_NODE } from './checkout.ts';
import { debugPod, etcdctl } from './debug-pod.ts';

describeWithNode('a node laid out as OpenShift does it', () => {
  const node = nodeForSuite({
    shared: CHECKOUT,
    taints: [{ key: 'node-role.kubernetes.io/master', effect: 'NoSchedule' }],
  });

  const kubectl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await node().kubectl(args);
    expect(code, stderr).toBe(0);
    return stdout;
  };

  it('is ready, with its roles and its taint', async () => {
    const [line] = (await kubectl('get', 'nodes', '--no-headers')).trim().split('\n');
    expect(line!.split(/\s+/).toSpliced(3, 1)).toEqual([
      'master-0',
      'Ready',
      'control-plane,master,worker',
      `v${KUBERNETES_VERSION}`,
    ]);
    expect(await kubectl('get', 'node', 'master-0', '-o', 'jsonpath={.spec.taints[*].key}')).toBe(
      'node-role.kubernetes.io/master',
    );
  });

  it('runs all four static pods, each container of them', async () => {
    const format =
      '{range .items[*]}{.metadata.namespace}/{.metadata.name} {range .status.containerStatuses[*]}{.name}={.ready} {end}{"\\n"}{end}';
    expect(
      (await kubectl('get', 'pods', '-A', '-o', `jsonpath=${format}`)).trim().split(/ *\n/),
    ).toEqual([
      'openshift-etcd/etcd-master-0 etcd=true etcdctl=true',
      'openshift-kube-apiserver/kube-apiserver-master-0 kube-apiserver=true',
      'openshift-kube-controller-manager/kube-controller-manager-master-0 kube-controller-manager=true',
      'openshift-kube-scheduler/openshift-kube-scheduler-master-0 kube-scheduler=true',
    ]);
  });

  it('keeps Secrets encrypted in etcd', async () => {
    await kubectl('create', 'secret', 'generic', 'password', '--from-literal=word=correct-horse');
    const { stdout } = await etcdctl(node(), [
      'get',
      '--print-value-only',
      '/kubernetes.io/secrets/default/password',
    ]);
    expect(stdout).toMatch(/^k8s:enc:aescbc:v1:3:/);
    expect(stdout).not.toContain('correct-horse');
    const word = await kubectl('get', 'secret', 'password', '-o', 'jsonpath={.data.word}');
    expect(Buffer.from(word, 'base64').toString()).toBe('correct-horse');
  });

  it('has the objects of OpenShift that are read', async () => {
    const get = (what: string, path: string): Promise<string> =>
      kubectl('get', what, '-o', `jsonpath=${path}`);
    expect(await get('proxy/cluster', '{.metadata.name}')).toBe('cluster');
    expect(await get('infrastructure/cluster', '{.status.controlPlaneTopology}')).toBe(
      'SingleReplica',
    );
    expect(await get('clusterversion/version', '{.status.history[0].state}')).toBe('Completed');
    expect(
      await get('etcds.operator.openshift.io/cluster', '{.status.nodeStatuses[*].nodeName}'),
    ).toBe('master-0');
    expect((await get('co', '{.items[*].metadata.name}')).split(' ')).toContain('etcd');
    const inEtcd = await kubectl('get', 'secrets', '-n', 'openshift-etcd', '-o', 'name');
    expect(inEtcd).toContain('secret/etcd-all-certs-2');
  });

  it('has a privileged pod that is given the host work as on the host', async () => {
    await using pod = await debugPod(node());
    const { stdout } = await pod.exec(['chroot', '/host', 'cat', '/etc/hostname']);
    expect(stdout).toBe('master-0\n');
    const containers = await pod.exec([
      'chroot',
      '/host',
      'crictl',
      'ps',
      '-q',
      '--name',
      '^etcd$',
    ]);
    expect(containers.stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect((await pod.exec(['sh', '-c', 'exit 7'])).code).toBe(7);
  });

  it('streams 50 MB through exec, equal at both ends', async () => {
    const path = node().path('var/tmp/large');
    await using pod = await debugPod(node());
    const made = await pod.exec(['sh', '-c', 'head -c 50000000 /dev/urandom >/host/var/tmp/large']);
    expect(made.code, made.stderr).toBe(0);
    const hash = createHash('sha256');
    const [file, ...args] = pod.execLine(['cat', '/host/var/tmp/large']);
    const child = spawn(file!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const chunk of child.stdout) hash.update(chunk as Buffer);
    const original = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    expect(hash.digest('hex')).toBe(original);
  });

  it('is backed up by etcdkeep on the node, with a backup that verifies', async () => {
    const backup = await node().run([ETCDKEEP_ON_NODE, 'backup', '/var/backup']);
    expect(backup.code, backup.stderr).toBe(0);
    // Nothing is wrong with a node that was only just made.
    expect(backup.stderr.match(/(?<=^ {2}! +)\S+/gm)).toEqual(['keys-apart']);
    const verify = await node().run([ETCDKEEP_ON_NODE, 'verify', '/var/backup']);
    expect(verify.code, verify.stdout + verify.stderr).toBe(0);
  });

  it('runs on without its kubelet, and is looked after again when that is started', async () => {
    await using pod = await debugPod(node());
    await node().kubelet.stop();
    expect((await pod.exec(['true'])).stderr).toContain('connection refused');
    expect(await node().api.isReady()).toBe(true);
    await node().kubelet.start();
    await vi.waitFor(async () => expect((await pod.exec(['true'])).code).toBe(0), {
      timeout: 60_000,
      interval: 200,
    });
  });

  it('has everything after a power cut', async () => {
    await kubectl('create', 'configmap', 'kept', '--from-literal=a=b');
    await node().powerCut();
    expect(await node().api.isReady()).toBe(false);
    await node().powerOn();
    expect(await kubectl('get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}')).toBe('b');
    await using pod = await debugPod(node());
    expect((await pod.exec(['true'])).code).toBe(0);
  });
});
