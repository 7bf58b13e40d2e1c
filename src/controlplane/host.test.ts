import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeHost, put, RESOURCES, temporaryDirectory } from './host.fixture.ts';
import { findHost, Host } from './host.ts';

describe('findHost', () => {
  it('the root that is named is taken, whatever else is there', async () => {
    const { host } = await makeHost();
    const other = (await makeHost()).host;
    const found = await findHost(host.root, [other.root]);
    expect(found).toMatchObject({ root: host.root, layout: 'openshift' });
  });

  it('this machine comes before what a debug pod mounts', async () => {
    const [machine, mounted] = [(await makeHost()).host, (await makeHost()).host];
    expect((await findHost(undefined, [machine.root, mounted.root])).root).toBe(machine.root);
  });

  it('in a debug pod the mounted root is found', async () => {
    const { host } = await makeHost();
    const pod = await temporaryDirectory();
    expect((await findHost(undefined, [pod, host.root])).root).toBe(host.root);
  });

  it('nowhere: the places that were looked at are named', async () => {
    const empty = await temporaryDirectory();
    await expect(findHost(undefined, [empty, join(empty, 'host')])).rejects.toMatchObject({
      code: 'not-a-control-plane-host',
      message: `this is not a control-plane host with an etcd of its own: there is no ${empty}/etc/kubernetes/manifests and no ${empty}/host/etc/kubernetes/manifests`,
    });
  });

  it('a named root that is no host: the usual places are not tried', async () => {
    const { host } = await makeHost();
    await expect(findHost(await temporaryDirectory(), [host.root])).rejects.toMatchObject({
      code: 'not-a-control-plane-host',
    });
  });

  it('a worker: manifests, but nothing of etcd', async () => {
    const { host } = await makeHost();
    await rm(host.realPath(`${RESOURCES}/etcd-certs`), { recursive: true });
    await expect(findHost(host.root)).rejects.toMatchObject({
      code: 'not-a-control-plane-host',
      message: `this is not a control-plane host with an etcd of its own: neither OpenShift's ${host.root}${RESOURCES}/etcd-certs nor kubeadm's ${host.root}/etc/kubernetes/manifests/etcd.yaml is there`,
    });
  });

  it('a file where a directory should be is no host', async () => {
    const root = await temporaryDirectory();
    await mkdir(join(root, 'etc'));
    await writeFile(join(root, 'etc/kubernetes'), '');
    await expect(findHost(root)).rejects.toMatchObject({ code: 'not-a-control-plane-host' });
  });
});

describe('Host', () => {
  it.each([
    ['/', '/etc/kubernetes/manifests'],
    ['/host', '/host/etc/kubernetes/manifests'],
    ['/host/', '/host/etc/kubernetes/manifests'],
  ])('under %s a host path is %s', (root, path) =>
    expect(new Host(root, 'openshift').realPath('/etc/kubernetes/manifests')).toBe(path),
  );

  it('a text that is too long to be what it should be is not read', async () => {
    const { host } = await makeHost();
    await put(host, '/etc/long', ' '.repeat((4 << 20) + 1));
    await expect(host.readText('/etc/long')).rejects.toMatchObject({
      code: 'file-failed',
      message: 'cannot read /etc/long: it is larger than 4194304 bytes',
    });
  });
});
