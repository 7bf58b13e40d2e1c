// What a host can see of a restored cluster, asked of a real API server: above all whether what it lists is still there.
import { rename, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { missingOnHost } from '../../src/backup/restore/recovery.ts';
import { type RestoreStatus, statusOf } from '../../src/backup/restore/status.ts';
import { Host } from '../../src/controlplane/host.ts';
import { type ApiServer, startApiServer } from '../servers/api-server.ts';
import { describeWithApiServer } from '../servers/for-vitest.ts';
import { type Scene, sceneForSuite } from './host-scene.ts';

describeWithApiServer('the status of a restore', () => {
  const scene = sceneForSuite('openshift');
  let started: ApiServer | undefined;
  const api = (): ApiServer => started!;
  beforeAll(async () => {
    started = await startApiServer(scene().cluster);
    await writeFile(
      scene().path(
        '/etc/kubernetes/static-pod-resources/kube-apiserver-certs/secrets/node-kubeconfigs/localhost.kubeconfig',
      ),
      api().kubeconfig(),
    );
  }, 60_000);
  afterAll(() => started?.stop());

  const look = (one: Scene = scene()) =>
    statusOf(new Host(one.root, 'openshift'), undefined, {
      now: () => new Date(),
      signal: new AbortController().signal,
    });

  it('of none', async () => {
    await expect(look()).rejects.toMatchObject({ code: 'restore-not-found' });
  });

  it('lists agree with etcd after a restore of ours, and what cannot be asked is unknown', async () => {
    const stamp = scene().nextStamp();
    await api().request('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'in-the-backup' },
    });
    const snapshot = `${scene().work}/with-namespaces.db`;
    await scene().cluster.member.etcdctl(['snapshot', 'save', snapshot]);
    await api().request('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'made-since' },
    });
    const plan = await scene().plan(stamp, {}, snapshot);
    expect(await scene().carryOut(plan)).toMatchObject({ code: 0, stderr: '' });
    // Each kind has a cache of its own: while one is filled anew, the API server answers 429 for that kind.
    let status = await look();
    await scene().waitUntil('listed', async () => {
      status = await look();
      const { lists, nodes, heartbeats, pendingRequests } = status.api;
      const all = [lists, nodes, heartbeats, pendingRequests];
      return all.every((one) => 'seen' in one) && listOf(status).length === 0;
    });
    expect(status.phase).toBe('served');
    expect(status.etcd).toMatchObject({
      seen: {
        version: '3.6.16',
        members: [{ name: scene().nodeName, isLearner: false }],
        alarms: 0,
      },
    });
    expect(status.api.lists).toMatchObject({ seen: { stale: [] } });
    expect(status.api.nodes).toEqual({ seen: [] });
    expect(status.api.pendingRequests).toEqual({ seen: [] });
    expect(status.api.heartbeats).toEqual({ seen: { heard: 0, silent: [] } });
    expect(status.api.operators).toHaveProperty('unknown');
    // There is neither an operator nor a node here.
    expect(missingOnHost(status).map(({ what }) => what)).toEqual(['operators', 'nodes']);
    expect(status.kept.map(({ kind }) => kind)).toContain('data');
    expect(status.kept.every(({ bytes }) => bytes > 0)).toBe(true);
  });

  it('an API server that lists what is gone is found out', async () => {
    await api().request('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'ghost' },
    });
    await scene().waitUntil('listed', async () => listOf(await look()).length === 0);
    // What a restore without a bump leaves behind.
    await scene().pods.stop();
    const { peerUrl } = scene().cluster.member;
    const made = await scene().cluster.member.etcdutl([
      'snapshot',
      'restore',
      `${scene().work}/with-namespaces.db`,
      `--name=${scene().nodeName}`,
      `--initial-cluster=${scene().nodeName}=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--data-dir=${scene().work}/plain`,
    ]);
    expect(made.code, made.stderr).toBe(0);
    await rm(scene().path('/var/lib/etcd/member'), { recursive: true });
    await rename(`${scene().work}/plain/member`, scene().path('/var/lib/etcd/member'));
    scene().watchManifests();
    await scene().waitUntilHealthy();
    await scene().waitUntil('found out', async () =>
      listOf(await look()).some((name) => name.endsWith('/ghost')),
    );
  });

  it('of a host whose API server and etcd are gone: unknown, with the reason', async () => {
    await api().stop();
    await scene().pods.stop();
    const { etcd, api: seen } = await look();
    expect(etcd).toEqual({ unknown: expect.stringMatching(/connection refused/) as string });
    expect(seen.lists).toHaveProperty('unknown');
    expect(seen.nodes).toEqual({
      unknown: expect.stringMatching(/cannot ask the API server/) as string,
    });
  });
});

/** What the lists and etcd do not agree on. */
function listOf({ api: { lists } }: RestoreStatus): readonly string[] {
  return 'seen' in lists ? lists.seen.stale : [];
}
