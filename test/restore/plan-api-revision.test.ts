// Revisions go on above what the host's API server has in its cache, a real one, which nothing else may know any more.
import { rm, writeFile } from 'node:fs/promises';
import { expect, it, onTestFinished } from 'vitest';
import { startApiServer } from '../servers/api-server.ts';
import { describeWithApiServer } from '../servers/for-vitest.ts';
import { openshiftScene, plan } from './plan-scene.ts';

const KUBECONFIG =
  'etc/kubernetes/static-pod-resources/kube-apiserver-certs/secrets/node-kubeconfigs/localhost.kubeconfig';

describeWithApiServer('revisions, after a restore', () => {
  it('go on above those of an API server that has lost its etcd', {
    timeout: 120_000,
  }, async () => {
    const scene = await openshiftScene();
    const api = await startApiServer(scene.etcd);
    onTestFinished(() => api.stop());
    await writeFile(scene.host.path(KUBECONFIG), api.kubeconfig());
    const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
    const { metadata } = (await api.request('POST', leases, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'late' },
    })) as { readonly metadata: { readonly resourceVersion: string } };
    const made = BigInt(metadata.resourceVersion);
    const list = '/apis/coordination.k8s.io/v1/leases?resourceVersion=0';
    await expect
      .poll(async () => JSON.stringify(await api.request('GET', list)), { timeout: 20_000 })
      .toContain('"late"');
    await scene.etcd.member.kill();
    await rm(scene.host.path('var/lib/etcd/member'), { recursive: true });

    const { document } = await plan(scene);
    const { above, to } = document.plan.bump;
    const seen = above.find(({ whose }) => whose === 'the API server');
    expect(BigInt(seen?.revision ?? 0)).toBeGreaterThanOrEqual(made);
    expect(BigInt(to)).toBe(BigInt(seen!.revision) + 1_000_000_000n);

    await api.stop();
    const without = await plan(scene);
    expect(without.document.plan.bump.above.map(({ whose }) => whose)).toEqual(['the snapshot']);
  });
});
