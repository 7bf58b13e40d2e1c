import { mkdir, rm, utimes } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { makeHost, put, RESOURCES } from '../host.fixture.ts';
import { findOpenshiftPods, STATIC_POD_NAMES } from './static-pods.ts';

const manifestOf = (name: string): string => `/etc/kubernetes/manifests/${name}.yaml`;

describe('findOpenshiftPods', () => {
  it('four pods, in the order of the documented procedure', async () => {
    const { host } = await makeHost();
    expect((await findOpenshiftPods(host)).pods).toEqual([
      { name: 'kube-apiserver-pod', revision: 14, path: `${RESOURCES}/kube-apiserver-pod-14` },
      {
        name: 'kube-controller-manager-pod',
        revision: 5,
        path: `${RESOURCES}/kube-controller-manager-pod-5`,
      },
      { name: 'kube-scheduler-pod', revision: 7, path: `${RESOURCES}/kube-scheduler-pod-7` },
      { name: 'etcd-pod', revision: 3, path: `${RESOURCES}/etcd-pod-3` },
    ]);
  });

  it('other revisions are not chosen, neither the newest by time nor by number', async () => {
    const { host } = await makeHost();
    for (const revision of [13, 15]) {
      const path = host.realPath(`${RESOURCES}/kube-apiserver-pod-${revision}`);
      await mkdir(path);
      await utimes(path, new Date(), new Date(Date.now() + 3_600_000));
    }
    expect((await findOpenshiftPods(host)).pods[0]!.revision).toBe(14);
  });

  it('the first revision in the manifest is the one', async () => {
    const { host } = await makeHost();
    const text = `path: ${RESOURCES}/etcd-pod-3\nold: ${RESOURCES}/etcd-pod-2\n`;
    await put(host, manifestOf('etcd-pod'), text);
    expect((await findOpenshiftPods(host)).pods[3]!.revision).toBe(3);
  });

  it('the shared certificates and a path without digits are no revision', async () => {
    const { host } = await makeHost();
    const text = ['etcd-certs', 'etcd-pod', 'etcd-pod-', 'etcd-pod-x', 'etcd-pod-3']
      .map((name) => `path: ${RESOURCES}/${name}\n`)
      .join('');
    await put(host, manifestOf('etcd-pod'), text);
    expect((await findOpenshiftPods(host)).pods[3]!.path).toBe(`${RESOURCES}/etcd-pod-3`);
  });

  it.each(STATIC_POD_NAMES)('%s has no manifest', async (name) => {
    const { host } = await makeHost();
    await rm(host.realPath(manifestOf(name)));
    await expect(findOpenshiftPods(host)).rejects.toMatchObject({
      code: 'static-pod-missing',
      message: `this host runs no ${name}: it has no manifest`,
      position: { path: host.realPath(manifestOf(name)) },
    });
  });

  it.each([`path: ${RESOURCES}/etcd-pod-\n`, ''])('no revision in %j', async (text) => {
    const { host } = await makeHost();
    await put(host, manifestOf('etcd-pod'), text);
    await expect(findOpenshiftPods(host)).rejects.toMatchObject({
      code: 'static-pod-revision-missing',
      message: 'the manifest of etcd-pod names no revision',
    });
  });

  it('the directory of the revision is not there', async () => {
    const { host } = await makeHost();
    await rm(host.realPath(`${RESOURCES}/etcd-pod-3`), { recursive: true });
    await expect(findOpenshiftPods(host)).rejects.toMatchObject({
      code: 'static-pod-revision-missing',
      message: 'revision 3 of etcd-pod is named by its manifest and not on this host',
      position: { path: host.realPath(`${RESOURCES}/etcd-pod-3`) },
    });
  });
});
