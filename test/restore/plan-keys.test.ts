// Encryption keys and static resources: what the snapshot's values need, what this host has, and what comes back.
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { expectFailure } from '../cli/failure.ts';
import { runCli } from '../cli/run.ts';
import { encryptAescbc, encryptionConfig, READ_KEY, WRITE_KEY } from '../fixtures/encryption.ts';
import type { EtcdCluster } from '../servers/etcd.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { kubeadmScene, openshiftScene, plan, VERSION } from './plan-scene.ts';

const NEW_KEY = { name: '9', secret: READ_KEY.secret };
const API_MANIFEST = '/etc/kubernetes/manifests/kube-apiserver-pod.yaml';
const RESOURCES = '/etc/kubernetes/static-pod-resources';

/** A secret under each of these keys, and a route that another API server has encrypted with a key of its own. */
const secrets =
  (...keys: (typeof WRITE_KEY)[]) =>
  async ({ gateway }: EtcdCluster): Promise<void> => {
    for (const [index, key] of keys.entries()) {
      const value = encryptAescbc(key, Buffer.from('k8s\0secret'), Buffer.alloc(16, 1));
      await gateway.put(`/kubernetes.io/secrets/default/s${index}`, value);
      await gateway.put(`/openshift.io/routes/default/r${index}`, `k8s:enc:aescbc:v1:77:${index}`);
    }
    // Gone before the backup: no key of its is needed.
    await gateway.put('/kubernetes.io/secrets/default/old', 'k8s:enc:aescbc:v1:1:x');
    await gateway.delete('/kubernetes.io/secrets/default/old');
  };

describeWithEtcd(VERSION, 'encryption keys, before a restore', () => {
  it('that this host has are all that is needed', async () => {
    const fill = secrets(WRITE_KEY, READ_KEY, WRITE_KEY);
    const scene = await openshiftScene({ encrypted: true, fill });
    const outcome = await plan(scene);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.document.encryptionKeys).toMatchObject([
      { name: '2', values: 1, provider: 'aescbc', example: '/kubernetes.io/secrets/default/s1' },
      { name: '3', values: 2 },
    ]);
    expect(outcome.document.plan.encryptionKeys).toEqual(['2', '3']);
    expect(outcome.check('encryption-keys').evidence).toBe(
      'aescbc key "2", aescbc key "3": this host\'s configuration has each',
    );
    expect(outcome.stdout).not.toContain(WRITE_KEY.secret.toString('base64'));
  });

  it('that nobody has refuse', async () => {
    const scene = await openshiftScene({ encrypted: true, fill: secrets(WRITE_KEY, NEW_KEY) });
    const outcome = await plan(scene);
    const failure = expectFailure(outcome, 'check-failed', 3);
    expect(failure.rows.get('do')).toContain('--skip-check encryption-keys goes on: what was');
    expect(outcome.check('encryption-keys').evidence).toBe(
      'aescbc key "9" ("/kubernetes.io/secrets/default/s1") is neither on this host nor in the archive',
    );
    expect((await plan(scene, '--skip-check=encryption-keys')).code).toBe(0);
  });

  it("that this host's newer revision lacks come back with the archive's, and its manifest", async () => {
    const scene = await openshiftScene({ encrypted: true, fill: secrets(WRITE_KEY) });
    const { host } = scene;
    const before = host.revisions['kube-apiserver'];
    await host.rollOut('kube-apiserver');
    await writeFile(host.encryptionConfig, encryptionConfig([NEW_KEY]));
    await rm(host.resources('kube-apiserver', before), { recursive: true });
    const outcome = await plan(scene);
    expect(outcome.code, outcome.stderr).toBe(0);
    const member = `static-pod-resources/kube-apiserver-pod-${before}`;
    expect(outcome.document.plan.resources.filter(({ action }) => action !== 'leave')).toEqual([
      {
        path: `${RESOURCES}/kube-apiserver-pod-${before}`,
        kind: 'directory',
        member,
        state: 'missing',
        action: 'place',
      },
      {
        path: API_MANIFEST,
        kind: 'file',
        member: `${member}/kube-apiserver-pod.yaml`,
        state: 'differs',
        action: 'replace',
      },
    ]);
    expect(outcome.check('encryption-keys').evidence).toMatch(
      /^aescbc key "3": not in this host's configuration; the archive's comes back/,
    );
  });

  it("that this host's newer revision still has leave the manifest as it is", async () => {
    const scene = await openshiftScene({ encrypted: true, fill: secrets(WRITE_KEY) });
    await scene.host.rollOut('kube-apiserver');
    await writeFile(scene.host.encryptionConfig, encryptionConfig([NEW_KEY, WRITE_KEY]));
    const { document } = await plan(scene);
    expect(document.plan.resources.filter(({ action }) => action !== 'leave')).toEqual([]);
  });

  it('with kubeadm: the file that lacks one is replaced, and nothing else', async () => {
    const name = 'key1';
    const fill = async ({ gateway }: EtcdCluster): Promise<void> => {
      await gateway.put('/registry/secrets/default/s', `k8s:enc:secretbox:v1:${name}:x`);
    };
    const scene = await kubeadmScene({ encrypted: true, fill });
    expect((await plan(scene)).code).toBe(0);
    const config = scene.host.path('etc/kubernetes/enc/enc.yaml');
    await writeFile(config, (await readFile(config, 'utf8')).replace(name, 'key2'));
    await writeFile(scene.host.path('etc/kubernetes/pki/apiserver.crt'), 'renewed\n');
    const outcome = await plan(scene);
    expect(outcome.code, outcome.stderr).toBe(0);
    const differing = outcome.document.plan.resources.filter(({ state }) => state !== 'same');
    expect(differing.map(({ path, action }) => [path, action])).toEqual([
      ['/etc/kubernetes/enc/enc.yaml', 'replace'],
      ['/etc/kubernetes/pki/apiserver.crt', 'leave'],
    ]);
    expect(outcome.check('static-resources')).toEqual({
      result: 'failed',
      evidence:
        'left as they are, and other than in the archive: /etc/kubernetes/pki/apiserver.crt',
    });
  });
});

describeWithEtcd(VERSION, 'static resources, before a restore', () => {
  const changes = (outcome: Awaited<ReturnType<typeof plan>>): string[][] =>
    outcome.document.plan.resources
      .filter(({ action }) => action !== 'leave')
      .map(({ path, state, action }) => [path, state, action]);

  it('that are missing come back, and those that differ are replaced', async () => {
    const scene = await openshiftScene();
    const { host } = scene;
    await rm(host.resources('kube-scheduler'), { recursive: true });
    await writeFile(`${host.resources('etcd')}/etcd-pod.yaml`, 'damaged\n');
    await writeFile(`${host.resources('kube-controller-manager')}/more`, '');
    const outcome = await plan(scene);
    expect(changes(outcome)).toEqual([
      [`${RESOURCES}/kube-controller-manager-pod-9`, 'differs', 'replace'],
      [`${RESOURCES}/kube-scheduler-pod-6`, 'missing', 'place'],
      [`${RESOURCES}/etcd-pod-7`, 'differs', 'replace'],
    ]);
    expect(outcome.check('static-resources').evidence).toBe(
      '4 revisions and manifests: 1 to come back, 2 to be replaced, 1 to stay',
    );
  });

  it('manifests that are gone come back as well; that of etcd only at the start', async () => {
    const scene = await openshiftScene();
    const { host } = scene;
    await scene.etcd.member.kill();
    for (const pod of ['etcd', 'kube-scheduler'] as const) await host.removeManifest(pod);
    const outcome = await plan(scene);
    expect(changes(outcome)).toEqual([
      ['/etc/kubernetes/manifests/kube-scheduler-pod.yaml', 'missing', 'place'],
    ]);
    const source = `${RESOURCES}/etcd-pod-7/etcd-pod.yaml`;
    expect(outcome.document.plan.etcd).toMatchObject({
      manifest: '/etc/kubernetes/manifests/etcd-pod.yaml',
      source,
      stopped: '/home/core/assets/manifests-stopped',
    });
    expect(outcome.stderr).toContain(`etcd-pod.yaml: ${source} will be used`);
    await rm(host.resources('etcd'), { recursive: true });
    const archived = await plan(scene);
    expect(archived.document.plan.etcd.source).toBe(source);
    expect(archived.stderr).toContain(`the archive's comes back: ${source}`);
    expect(changes(archived)).toContainEqual([`${RESOURCES}/etcd-pod-7`, 'missing', 'place']);
  });

  describe('a manifest of etcd that was moved away by hand', () => {
    it('is used where disable-etcd.sh puts it; without any it ends with what is missing', async () => {
      const scene = await openshiftScene();
      const { host } = scene;
      await scene.etcd.member.kill();
      await mkdir(host.path('home/core/assets/manifests-stopped'), { recursive: true });
      const stopped = '/home/core/assets/manifests-stopped/etcd-pod.yaml';
      await rename(host.manifest('etcd'), host.path(stopped));
      const outcome = await plan(scene);
      expect(outcome.code, outcome.stderr).toBe(0);
      expect(outcome.document.plan.etcd.source).toBe(stopped);
      expect(changes(outcome)).toEqual([]);
      // The pod of a restore by the vendor's script is none to go on with.
      await writeFile(host.manifest('etcd'), 'kind: Pod\nmetadata: {name: restore-etcd}\n');
      expect((await plan(scene)).document.plan.etcd.source).toBe(stopped);
      await rm(host.path('etc/kubernetes/static-pod-resources/etcd-pod-5'), { recursive: true });
      await rm(host.path('etc/kubernetes/static-pod-resources/etcd-pod-6'), { recursive: true });
      await rm(host.resources('etcd'), { recursive: true });
      await rm(host.path(stopped));
      const kept = scene.host.path('var/lib/etcd/member-before-20260101-000000');
      await rename(scene.host.path('var/lib/etcd/member'), kept);
      const alone = await runCli(['restore', '--plan', `--root=${host.root}`, kept]);
      expectFailure(alone, 'static-pod-missing');
    });

    it('with kubeadm: in its own place, or out of the archive, or it ends with what is missing', async () => {
      const scene = await kubeadmScene();
      const { host, backup } = scene;
      await scene.etcd.member.kill();
      const stopped = '/etc/kubernetes/manifests-stopped/etcd.yaml';
      await mkdir(host.path('etc/kubernetes/manifests-stopped'));
      await rename(host.manifest('etcd'), host.path(stopped));
      const moved = await plan(scene);
      expect(moved.code, moved.stderr).toBe(0);
      expect([moved.document.plan.etcd.source, changes(moved)]).toEqual([stopped, []]);
      await rm(host.path(stopped));
      const archived = await plan(scene);
      expect(archived.document.plan.member).toMatchObject({
        name: 'cp-1',
        peerUrls: [scene.etcd.member.peerUrl],
        endpoint: scene.etcd.endpoint,
      });
      expect([archived.document.plan.etcd.source, changes(archived)]).toEqual([
        stopped,
        [[stopped, 'missing', 'place']],
      ]);
      const snapshot = (await readdir(backup)).find((name) => name.endsWith('.db'))!;
      await rename(`${backup}/${snapshot}`, `${backup}/alone.db`);
      const alone = await runCli([
        'restore',
        '--plan',
        `--root=${host.root}`,
        `${backup}/alone.db`,
      ]);
      expectFailure(alone, 'static-pod-missing');
    });
  });
});
