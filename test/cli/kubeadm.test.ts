// A host that kubeadm set up: the same command, the same two files and record, its own archive.
import { lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CheckResult } from '../../src/backup/checks/result.ts';
import type { ErrorCode } from '../../src/base/error-codes.ts';
import type { BackupRecord } from '../../src/record/schema.ts';
import { stampOfFile } from '../../src/record/stamp.ts';
import { checkBackup } from '../demo/check-backup.ts';
import { READ_KEY } from '../fixtures/encryption.ts';
import {
  createKubeadmHost,
  KUBEADM_PODS,
  KUBEADM_VERSIONS,
  type KubeadmHost,
  type KubeadmOptions,
} from '../fixtures/kubeadm-host.ts';
import { runCommand } from '../servers/command.ts';
import { binariesOf, type EtcdCluster } from '../servers/etcd.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { directoryForTest, fill, usedDirectory } from './scene.ts';
import { untouched } from './untouched.ts';

const VERSION = '3.6.16';

async function kubeadmHost(etcd: EtcdCluster, options?: KubeadmOptions) {
  const host = await createKubeadmHost(etcd, options);
  onTestFinished(() => host.remove());
  return host;
}

/** Takes a backup, and returns its record and the paths in its archive. */
async function backUp(host: KubeadmHost, directory = directoryForTest()) {
  const { code, stdout, stderr } = await runCli(['backup', `--root=${host.root}`, directory]);
  expect(code, stderr).toBe(0);
  const stamp = stampOfFile(
    (await readdir(directory)).find((name) => name.startsWith('backup_'))!,
  )!;
  const record = JSON.parse(
    await readFile(join(directory, `backup_${stamp}.json`), 'utf8'),
  ) as BackupRecord;
  const archive = join(directory, `static_kuberesources_${stamp}.tar.gz`);
  const { stdout: listing } = await runCommand('tar', ['-tzf', archive]);
  return { stdout, stderr, record, archive, directory, paths: listing.trim().split('\n') };
}

describeWithEtcd(VERSION, 'backup of a kubeadm host', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual', names: ['cp-1'] });

  it('is whole, and says what it found', async () => {
    await fill(etcd(), 1 << 20);
    const host = await kubeadmHost(etcd());
    const { stdout, stderr, record, directory } = await backUp(host);
    const manifest = (pod: string): string => `/etc/kubernetes/manifests/${pod}.yaml`;
    expect(stdout.split('\n').slice(0, 4)).toEqual(
      KUBEADM_PODS.map((pod) => `found latest ${pod}: ${manifest(pod)}`),
    );
    expect(stderr).toMatch(/^host {8}cp-1 · kubeadm layout$/m);
    expect(stderr).toMatch(/^keys {8}static_kuberesources_.* holds the cluster's private keys: /m);
    expect(record.host).toEqual({ name: 'cp-1', layout: 'kubeadm' });
    expect(record.resources.pods).toEqual(
      KUBEADM_PODS.map((name) => ({ name, path: manifest(name) })),
    );
    expect(record.member.endpoint).toBe(etcd().endpoint);
    await checkBackup(directory, await binariesOf(VERSION), () => undefined);
  });

  it('archives the manifests, the PKI and the kubeconfigs, and they come back as they were', async () => {
    const host = await kubeadmHost(etcd());
    const { archive, record } = await backUp(host);
    const target = directoryForTest();
    await runCommand('tar', ['-C', target, '-xpzf', archive]);
    const trees = ['manifests', 'pki', 'controller-manager.conf', 'scheduler.conf'];
    expect((await readdir(join(target, 'etc/kubernetes'))).sort()).toEqual(trees.sort());
    for (const tree of trees) {
      const [mine, theirs] = [target, host.root].map((root) => join(root, 'etc/kubernetes', tree));
      const { code, stdout } = await runCommand('diff', ['-r', mine!, theirs!]);
      expect([code, stdout]).toEqual([0, '']);
    }
    for (const { path, mode } of record.resources.members) {
      const { mode: real } = await lstat(join(host.root, path));
      expect([path, mode]).toEqual([path, (real & 0o7777).toString(8).padStart(4, '0')]);
    }
  });

  it.each(KUBEADM_VERSIONS)(
    'of %s, with encryption on, holds the file with the keys and what else the API server mounts',
    async (version) => {
      const host = await kubeadmHost(etcd(), { version, encrypted: true });
      // Mounted too, and not of the cluster's making: the first by every pod, the second by 1.29's.
      for (const mounted of [
        'etc/ca-certificates',
        'usr/libexec/kubernetes/kubelet-plugins/volume/exec',
      ]) {
        await mkdir(host.path(mounted), { recursive: true });
      }
      const { paths, record, stdout, stderr } = await backUp(host);
      expect(paths).toContain('etc/kubernetes/enc/enc.yaml');
      expect(paths).toContain('etc/kubernetes/audit/policy.yaml');
      expect(paths.filter((path) => !path.startsWith('etc/kubernetes/'))).toEqual([]);
      expect(record.resources.encryption).toEqual({
        on: true,
        providers: ['secretbox'],
        keyNames: ['key1'],
      });
      expect(stderr).toMatch(/^encryption {2}on \(secretbox, key "key1"\): /m);
      const secret = READ_KEY.secret.toString('base64');
      expect(JSON.stringify([record, stdout, stderr])).not.toContain(secret);
    },
  );

  it('whose PKI and encryption-config lie elsewhere takes them from there', async () => {
    const host = await kubeadmHost(etcd(), { encrypted: true });
    await mkdir(host.path('srv/keys'), { recursive: true });
    await rename(host.path('etc/kubernetes/pki'), host.path('srv/pki'));
    await rename(host.path('etc/kubernetes/enc/enc.yaml'), host.path('srv/keys/enc.yaml'));
    await writeFile(host.path('srv/keys/other'), '');
    for (const pod of KUBEADM_PODS) {
      if (pod === 'kube-scheduler') continue;
      await host.changeManifest(pod, (text) =>
        text
          .replaceAll('/etc/kubernetes/pki', '/srv/pki')
          .replaceAll('path: /etc/kubernetes/enc\n', 'path: /srv/keys\n'),
      );
    }
    const { paths } = await backUp(host);
    expect(paths).toContain('srv/pki/etcd/ca.crt');
    expect(paths).toContain('srv/pki/sa.key');
    expect(paths.filter((path) => path.startsWith('srv/keys'))).toEqual(['srv/keys/enc.yaml']);
  });

  it('whose PKI is a link archives what it points to as well', async () => {
    const host = await kubeadmHost(etcd());
    await mkdir(host.path('srv'));
    await rename(host.path('etc/kubernetes/pki'), host.path('srv/pki'));
    await symlink('../../srv/pki', host.path('etc/kubernetes/pki'));
    const { paths } = await backUp(host);
    expect(paths).toContain('etc/kubernetes/pki');
    expect(paths).toContain('srv/pki/ca.key');
  });

  it('is not asked what only OpenShift has', async () => {
    const host = await kubeadmHost(etcd());
    const { stdout } = await runCli(['check', '--output=json', `--root=${host.root}`]);
    const { checks } = JSON.parse(stdout) as { checks: CheckResult[] };
    const names = checks.map(({ name }) => name);
    expect(names).toContain('certificates');
    for (const name of ['rollout', 'cluster-age', 'operators-progressing']) {
      expect(names).not.toContain(name);
    }
  });

  it('whose etcd runs elsewhere is told what to do there', async () => {
    const host = await kubeadmHost(etcd());
    await host.removeManifest('etcd');
    const outcome = await runCli(['check', `--root=${host.root}`]);
    const { rows } = expectFailure(outcome, 'not-a-control-plane-host');
    expect(rows.get('do')).toContain('etcdkeep snapshot save');
  });

  describe('is refused, and nothing is written', () => {
    it.each<[string, (host: KubeadmHost) => Promise<void>, ErrorCode, RegExp]>([
      [
        'whose etcd runs elsewhere',
        (host) => host.removeManifest('etcd'),
        'not-a-control-plane-host',
        /nor kubeadm's .*etcd\.yaml is there$/,
      ],
      [
        'without an API server',
        (host) => host.removeManifest('kube-apiserver'),
        'static-pod-missing',
        /runs no kube-apiserver/,
      ],
      [
        'whose manifest is no YAML',
        (host) => host.changeManifest('etcd', (text) => `${text}\t- x: [`),
        'manifest-invalid',
        /it is not YAML/,
      ],
      [
        'whose manifest is no pod',
        (host) => host.changeManifest('etcd', (text) => text.replace('kind: Pod', 'kind: Job')),
        'manifest-invalid',
        /at kind: /,
      ],
      [
        'whose etcd has no client URL',
        (host) =>
          host.changeManifest('etcd', (text) => text.replace(/.*--advertise-client.*\n/, '')),
        'manifest-invalid',
        /it has no --advertise-client-urls$/,
      ],
      [
        'whose API server mounts no PKI',
        (host) =>
          host.changeManifest('kube-apiserver', (text) =>
            text.replace('mountPath: /etc/kubernetes/pki', 'mountPath: /pki'),
          ),
        'manifest-invalid',
        /apiserver-etcd-client\.crt is in no volume of the host$/,
      ],
      [
        'whose client certificate is gone',
        (host) => rm(host.path('etc/kubernetes/pki/apiserver-etcd-client.crt')),
        'certificate-missing',
        /^the client certificate that \/etc\/kubernetes\/manifests\/kube-apiserver\.yaml names/,
      ],
      [
        'whose encryption-config is gone',
        (host) => rm(host.path('etc/kubernetes/enc/enc.yaml')),
        'encryption-config-invalid',
        /it is not on this host$/,
      ],
      [
        'whose encryption-config is broken',
        (host) => writeFile(host.path('etc/kubernetes/enc/enc.yaml'), 'a: [\n'),
        'encryption-config-invalid',
        /it is not YAML/,
      ],
    ])('%s', async (_, spoil, code, message) => {
      const host = await kubeadmHost(etcd(), { encrypted: true });
      await spoil(host);
      const directory = await usedDirectory();
      const outcome = await untouched(directory, () =>
        runCli(['backup', `--root=${host.root}`, directory]),
      );
      expect(expectFailure(outcome, code).message).toMatch(message);
    });
  });
});
