import { expect, it } from 'vitest';
import { describeWithNode, nodeForSuite } from '../servers/node/for-vitest.ts';
import { CHECKOUT, ETCDKEEP_ON_NODE } from './checkout.ts';
import { debugPod } from './debug-pod.ts';

describeWithNode('a node laid out as kubeadm does it', () => {
  const node = nodeForSuite({ layout: 'kubeadm', shared: CHECKOUT });

  it('is ready, and runs all four static pods', async () => {
    const nodes = await node().kubectl(['get', 'nodes', '--no-headers']);
    expect(nodes.stdout).toMatch(/^cp-1 +Ready +control-plane /);
    const format =
      '{range .items[*]}{.metadata.name} {.status.containerStatuses[*].ready}{"\\n"}{end}';
    const pods = await node().kubectl([
      ...['get', 'pods', '-n', 'kube-system', '-o', `jsonpath=${format}`],
    ]);
    expect(pods.stdout).toBe(
      'etcd-cp-1 true\nkube-apiserver-cp-1 true\nkube-controller-manager-cp-1 true\nkube-scheduler-cp-1 true\n',
    );
  });

  it('knows how it was set up', async () => {
    const { stdout } = await node().kubectl([
      ...['get', 'configmap', '-n', 'kube-system', 'kubeadm-config', '-o', 'yaml'],
    ]);
    expect(stdout).toContain('dataDir: /var/lib/etcd');
  });

  it('lets a pod that is given the host work as on the host', async () => {
    await using pod = await debugPod(node());
    const { stdout } = await pod.exec(['chroot', '/host', 'ls', '/etc/kubernetes/pki/etcd/ca.key']);
    expect(stdout).toBe('/etc/kubernetes/pki/etcd/ca.key\n');
  });

  it('is backed up by etcdkeep on the node, with a backup that verifies', async () => {
    const backup = await node().run([ETCDKEEP_ON_NODE, 'backup', '/var/backup']);
    expect(backup.code, backup.stderr).toBe(0);
    const verify = await node().run([ETCDKEEP_ON_NODE, 'verify', '/var/backup']);
    expect(verify.code, verify.stdout + verify.stderr).toBe(0);
  });
});
