// Archives of whole hosts: those that a backup makes, and those of tar as cluster-backup.sh calls it.
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { compareArchive } from '../../src/controlplane/archive-comparison.ts';
import {
  type ArchiveInspection,
  inspectArchive,
} from '../../src/controlplane/archive-inspection.ts';
import { readRecord } from '../../src/record/record.ts';
import { runCli } from '../cli/run.ts';
import { directoryForTest, hostForTest } from '../cli/scene.ts';
import {
  createKubeadmHost,
  type KubeadmHost,
  type KubeadmOptions,
} from '../fixtures/kubeadm-host.ts';
import type { EtcdCluster } from '../servers/etcd.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';

const VERSION = '3.6.16';

const inspect = (path: string): Promise<ArchiveInspection> =>
  inspectArchive({ path, now: new Date() });

/** Takes a backup; its record and its archive. */
async function backUp(root: string) {
  const directory = directoryForTest();
  const { code, stderr } = await runCli(['backup', `--root=${root}`, directory]);
  expect(code, stderr).toBe(0);
  const names = await readdir(directory);
  const named = (start: string): string =>
    join(directory, names.find((name) => name.startsWith(start))!);
  const record = await readRecord(named('backup_'));
  return { record, archive: named('static_kuberesources_') };
}

/** The files of an archive as tar(1) extracts them. */
async function extracted(archive: string): Promise<string[]> {
  const directory = directoryForTest();
  execFileSync('tar', ['-xpzf', archive, '-C', directory]);
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files
    .map(({ parentPath, name }) => join(parentPath, name).slice(directory.length + 1))
    .toSorted();
}

const filesOf = ({ members }: ArchiveInspection): string[] =>
  members
    .filter(({ kind }) => kind === 'file')
    .map(({ path }) => path)
    .toSorted();

async function kubeadmHost(etcd: EtcdCluster, options?: KubeadmOptions): Promise<KubeadmHost> {
  const host = await createKubeadmHost(etcd, options);
  onTestFinished(() => host.remove());
  return host;
}

/** An archive made by hand of what is on a kubeadm host now. */
function tarHost(host: KubeadmHost): string {
  const archive = join(directoryForTest(), 'static_kuberesources.tar.gz');
  execFileSync('tar', ['-cpzf', archive, '-C', host.root, 'etc/kubernetes']);
  return archive;
}

describeWithEtcd(VERSION, 'the archive', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual', names: ['cp-1'] });

  it('of an OpenShift host is sound, and is what its record says', async () => {
    const host = await hostForTest(etcd());
    const { record, archive } = await backUp(host.root);
    const found = await inspect(archive);
    expect(found.findings).toEqual([]);
    expect(found.layout).toBe('openshift');
    expect(found.pods).toEqual(record.resources.pods);
    expect(found.encryption!.config.on).toBe(true);
    expect(filesOf(found)).toEqual(await extracted(archive));
    expect(compareArchive(found, record.resources)).toEqual({
      isSameFile: true,
      missing: [],
      extra: [],
      changed: [],
    });
    // Those of the servers that run end first.
    expect(found.earliestEnd!.path).toMatch(/\/(etcd-all-certs|etcd-client)\//);
    expect(found.certificates.length).toBeGreaterThan(10);
  });

  it('of an OpenShift host as cluster-backup.sh makes it', async () => {
    const host = await hostForTest(etcd());
    const archive = join(directoryForTest(), 'static_kuberesources.tar.gz');
    const directories = Object.entries(host.revisions).map(
      ([pod, n]) => `static-pod-resources/${pod}-pod-${n}`,
    );
    execFileSync('tar', ['-cpzf', archive, '-C', host.path('etc/kubernetes'), ...directories]);
    const found = await inspect(archive);
    expect(found.findings).toEqual([]);
    const pods = found.pods.map(({ name, revision }) => [name.replace(/-pod$/, ''), revision]);
    expect(Object.fromEntries(pods)).toEqual(host.revisions);
    expect(filesOf(found)).toEqual(await extracted(archive));
  });

  it.each<KubeadmOptions>([
    { version: '1.36.3', encrypted: true },
    { version: '1.29.15', encrypted: false },
  ])('of a kubeadm host is sound, and is what its record says: %j', async (options) => {
    const host = await kubeadmHost(etcd(), options);
    const { record, archive } = await backUp(host.root);
    const found = await inspect(archive);
    expect(found.findings).toEqual([]);
    expect(found.layout).toBe('kubeadm');
    expect(found.pods).toEqual(record.resources.pods);
    expect(found.encryption?.config.on).toBe(options.encrypted ? true : undefined);
    expect(compareArchive(found, record.resources)).toMatchObject({
      isSameFile: true,
      missing: [],
      extra: [],
    });
    // The kubeconfigs hold theirs inside.
    expect(found.certificates.map(({ path }) => path)).toContain('etc/kubernetes/scheduler.conf');
  });

  it('of a kubeadm host whose PKI is a link to elsewhere', async () => {
    const host = await kubeadmHost(etcd());
    await mkdir(host.path('srv'), { recursive: true });
    await rename(host.path('etc/kubernetes/pki'), host.path('srv/pki'));
    await symlink('/srv/pki', host.path('etc/kubernetes/pki'));
    const archive = join(directoryForTest(), 'static_kuberesources.tar.gz');
    execFileSync('tar', ['-cpzf', archive, '-C', host.root, 'etc/kubernetes', 'srv/pki']);
    expect((await inspect(archive)).findings).toEqual([]);
  });

  it('of a kubeadm host that lacks what its manifests name', async () => {
    const host = await kubeadmHost(etcd(), { encrypted: true });
    await rm(host.path('etc/kubernetes/pki/etcd/server.key'));
    await rm(host.path('etc/kubernetes/enc/enc.yaml'));
    await host.removeManifest('kube-scheduler');
    const { findings, encryption } = await inspect(tarHost(host));
    expect(findings.map(({ rule, message }) => `${rule}: ${message}`)).toEqual([
      'member-missing: /etc/kubernetes/enc/enc.yaml is not there, which /etc/kubernetes/manifests/kube-apiserver.yaml names with --encryption-provider-config',
      'pod-missing: there is no manifest of kube-scheduler',
      'member-missing: /etc/kubernetes/pki/etcd/server.key is not there, which /etc/kubernetes/manifests/etcd.yaml names with --key-file',
    ]);
    expect(encryption).toBeUndefined();
  });

  it('of a kubeadm host with a manifest that is none, and the key of another', async () => {
    const host = await kubeadmHost(etcd());
    await writeFile(host.manifest('etcd'), 'kind: [');
    const key = await readFile(host.path('etc/kubernetes/pki/ca.key'));
    await writeFile(host.path('etc/kubernetes/pki/apiserver.key'), key);
    const { findings } = await inspect(tarHost(host));
    expect(findings.map(({ rule, member }) => [rule, member])).toEqual([
      ['manifest-unreadable', 'etc/kubernetes/manifests/etcd.yaml'],
      ['key-mismatch', 'etc/kubernetes/pki/apiserver.key'],
    ]);
  });
});
