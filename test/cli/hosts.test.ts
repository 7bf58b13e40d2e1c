// Hosts that are not what a backup needs: no control plane, or one with something missing or broken.
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/base/error-codes.ts';
import type { OpenshiftHost } from '../fixtures/openshift-host.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { EXPIRED } from '../servers/pki.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { directoryForTest, hostForTest, usedDirectory } from './scene.ts';
import { untouched } from './untouched.ts';

const VERSION = '3.6.16';

describeWithEtcd(VERSION, 'backup of a host', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });

  const remove = (path: string): Promise<void> => rm(path, { recursive: true });
  const peer = (host: OpenshiftHost, extension: string): string =>
    join(host.etcdCerts, `secrets/etcd-all-certs/etcd-peer-${host.nodeName}.${extension}`);

  it.each<[string, (host: OpenshiftHost) => Promise<void>, ErrorCode, RegExp, number?]>([
    [
      'without manifests',
      (host) => remove(host.path('etc/kubernetes/manifests')),
      'not-a-control-plane-host',
      /there is no \/.*\/manifests$/,
    ],
    [
      'that is a worker',
      (host) => remove(host.etcdCerts),
      'not-a-control-plane-host',
      /neither OpenShift's .*\/etcd-certs nor kubeadm's .*\/etcd\.yaml is there$/,
    ],
    ['without an etcd.env', (host) => remove(host.etcdEnv), 'etcd-env-invalid', /is not there$/],
    [
      'whose etcd.env names no certificate',
      (host) => host.changeEtcdEnv({ ETCDCTL_CERT: undefined }),
      'etcd-env-invalid',
      /ETCDCTL_CERT is not set$/,
    ],
    [
      'whose etcd.env is no shell script',
      (host) => writeFile(host.etcdEnv, 'export A="\n'),
      'etcd-env-invalid',
      /in line 1: /,
    ],
    [
      'whose certificate is gone',
      (host) => remove(peer(host, 'crt')),
      'certificate-missing',
      /^the client certificate that etcd\.env names/,
    ],
    [
      'whose key is gone',
      (host) => remove(peer(host, 'key')),
      'certificate-missing',
      /^the client key that etcd\.env names/,
    ],
    [
      'whose certificate has expired',
      async (host) => {
        const { cert, key } = await etcd().authority!.issue('old', {
          commonName: 'old',
          ...EXPIRED,
        });
        await copyFile(cert, peer(host, 'crt'));
        await copyFile(key, peer(host, 'key'));
      },
      'certificate-expired',
      /^this host's etcd client certificate expired 1 day ago$/,
      3,
    ],
    [
      'that runs no scheduler',
      (host) => host.removeManifest('kube-scheduler'),
      'static-pod-missing',
      /kube-scheduler-pod/,
    ],
    [
      'whose manifest names no revision',
      (host) => writeFile(host.manifest('etcd'), 'kind: Pod\n'),
      'static-pod-revision-missing',
      /the manifest of etcd-pod names no revision$/,
    ],
    [
      'whose revision is gone',
      (host) => remove(host.resources('kube-apiserver')),
      'static-pod-revision-missing',
      /^revision 14 of kube-apiserver-pod/,
    ],
    [
      'whose encryption-config is none',
      (host) =>
        writeFile(host.encryptionConfig, '{"kind":"EncryptionConfiguration","secret":"Zm9v"}'),
      'encryption-config-invalid',
      /^cannot use the encryption-config/,
    ],
  ])('%s', async (_, spoil, code, message, exitCode) => {
    const host = await hostForTest(etcd());
    await spoil(host);
    const directory = await usedDirectory();
    const outcome = await untouched(directory, () =>
      runCli(['backup', '--root', host.root, directory]),
    );
    const failure = expectFailure(outcome, code, exitCode);
    expect(failure.message).toMatch(message);
    expect(failure.aftermath).toMatch(/^Nothing was written; the earlier backup in /);
    expect(outcome.stdout).toBe('');
  });

  it('that is no host at all takes away the directory that it made', async () => {
    const parent = directoryForTest();
    await mkdir(join(parent, 'kept'));
    const outcome = await untouched(parent, () =>
      runCli(['backup', '--root', join(parent, 'kept'), join(parent, 'a/b/c')]),
    );
    expect(expectFailure(outcome, 'not-a-control-plane-host').aftermath).toBe(
      'Nothing was written.',
    );
  });

  describe('that is well', () => {
    it.each([
      [
        'without encryption',
        { encrypted: false },
        /^keys {8}\S+ holds the cluster's private keys/m,
      ],
      ['with manifests in one line of JSON', { format: 'json' }, /^encryption {2}on/m],
    ] as const)('%s', async (_, options, told) => {
      const host = await hostForTest(etcd(), options);
      const outcome = await runCli(['backup', '--root', `${host.root}/`, directoryForTest()]);
      expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
      expect(outcome.stderr).toMatch(told);
    });
  });
});
