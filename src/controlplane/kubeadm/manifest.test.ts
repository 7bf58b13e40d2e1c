import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EtcdkeepError } from '../../base/errors.ts';
import { Host } from '../host.ts';
import { PodManifest } from './manifest.ts';

const PATH = '/etc/kubernetes/manifests/etcd.yaml';
const read = (text: string): PodManifest =>
  new PodManifest(new Host('/host', 'kubeadm'), PATH, text);

const pod = (words: readonly string[]): string => `
apiVersion: v1
kind: Pod
spec:
  containers:
  - command: ${JSON.stringify(words)}
    volumeMounts:
    - {mountPath: /pki, name: pki}
    - {mountPath: /pki/etcd/, name: etcd}
    - {mountPath: /scratch, name: scratch}
  volumes:
  - {name: pki, hostPath: {path: /srv/pki/, type: Directory}}
  - {name: etcd, hostPath: {path: /srv/etcd-pki}}
  - {name: scratch, emptyDir: {}}
`;

describe('PodManifest', () => {
  it.each([
    [['etcd', '--name=cp-1'], 'cp-1'],
    [['etcd', '--name', 'cp-1'], 'cp-1'],
    [['etcd', '--name=a=b'], 'a=b'],
    [['etcd', '--name=cp-0', '--name=cp-1'], 'cp-1'],
    [['etcd', '--name='], ''],
    [['etcd', '--names=x', '--name-of=y'], undefined],
    [['etcd', '--name'], undefined],
  ])('of %j says --name is %j', (words, value) => {
    expect(read(pod(words)).flag('name')).toBe(value);
  });

  it('has no use without a flag that is needed', () => {
    expect(() => read(pod(['etcd', '--name='])).demand('name')).toThrow('it has no --name');
  });

  it.each([
    ['/pki/ca.crt', '/srv/pki/ca.crt', '/srv/pki'],
    ['/pki/etcd/ca.crt', '/srv/etcd-pki/ca.crt', '/srv/etcd-pki'],
    ['/pki/etcd', '/srv/etcd-pki', '/srv/etcd-pki'],
    ['/pki', '/srv/pki', '/srv/pki'],
  ])('maps %s of the container to %s of the host', (inside, outside, mount) => {
    const manifest = read(pod([]));
    expect([manifest.onHost(inside), manifest.mountOf(inside)]).toEqual([outside, mount]);
  });

  it.each(['/pkiother', '/scratch/x', '/var/lib/etcd'])('knows no place for %s', (path) => {
    expect(() => read(pod([])).onHost(path)).toThrow(`${path} is in no volume of the host`);
  });

  it('is one, or an error that names the file, whatever the text', () => {
    const values = fc.oneof(fc.string(), fc.json(), fc.constant(pod([]).slice(0, -40)));
    fc.assert(
      fc.property(values, (text) => {
        try {
          read(text);
        } catch (reason) {
          expect(reason).toBeInstanceOf(EtcdkeepError);
          expect(reason).toMatchObject({
            code: 'manifest-invalid',
            position: { path: `/host${PATH}` },
          });
        }
      }),
    );
  });
});
