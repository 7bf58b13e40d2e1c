import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { ETCD_ENV_TEXT, makeHost, NODE_NAME } from '../host.fixture.ts';
import { ETCD_ENV, parseEtcdEnv, readEtcdEnv } from './etcd-env.ts';

const parse = (text: string) => parseEtcdEnv(text, '/etcd.env');

describe('parseEtcdEnv', () => {
  it('three nodes, as the etcd operator writes them', () => {
    const certs = '/etc/kubernetes/static-pod-certs/secrets/etcd-all-certs';
    expect(parse(ETCD_ENV_TEXT)).toEqual({
      cacert: '/etc/kubernetes/static-pod-certs/configmaps/etcd-all-bundles/server-ca-bundle.crt',
      cert: `${certs}/etcd-peer-${NODE_NAME}.crt`,
      key: `${certs}/etcd-peer-${NODE_NAME}.key`,
      dataDirectory: '/var/lib/etcd',
      nodes: [
        { safeName: 'ip_10_0_1_2_ec2_internal', name: NODE_NAME, urlHost: '10.0.1.2' },
        { safeName: 'master_1', name: 'master-1', urlHost: '[fd00::3]' },
        { safeName: 'master_2', name: 'master-2', urlHost: '10.0.1.4' },
      ],
    });
  });

  it('an IPv6 address without brackets gets them', () => {
    const text = ETCD_ENV_TEXT.replace('IP="10.0.1.4"', 'IP="fd00::4"');
    expect(parse(text).nodes[2]!.urlHost).toBe('[fd00::4]');
  });

  it.each<[situation: string, change: (text: string) => string, message: string]>([
    [
      'no certificate is named',
      (text) => text.replace(/^export ETCDCTL_CERT=.*\n/m, ''),
      'cannot use etcd.env: ETCDCTL_CERT is not set',
    ],
    [
      'a certificate without a directory',
      (text) => text.replace(/ETCDCTL_KEY=.*/, 'ETCDCTL_KEY=peer.key'),
      'cannot use etcd.env: ETCDCTL_KEY is not an absolute path',
    ],
    [
      'a node without an address',
      (text) => text.replace(/^export NODE_master_2_IP=.*\n/m, ''),
      'cannot use etcd.env: no address stands for node master-2',
    ],
    [
      'an address that is none',
      (text) => text.replace('10.0.1.4', '10.0.1.4:2379/x'),
      'cannot use etcd.env: the address of a node is neither an address nor a host name',
    ],
    [
      'no node at all',
      (text) => text.replace(/^export NODE_.*\n/gm, ''),
      'cannot use etcd.env: it names no node',
    ],
    [
      'a line that a shell would run',
      (text) => `A=1\nrm -rf /\n${text}`,
      'cannot use etcd.env: in line 2: it is not an assignment',
    ],
  ])('%s', (_situation, change, message) => {
    const expected = { code: 'etcd-env-invalid', message, position: { path: '/etcd.env' } };
    expect(() => parse(change(ETCD_ENV_TEXT))).toThrow(expect.objectContaining(expected) as Error);
  });
});

describe('readEtcdEnv', () => {
  it('the file is not there', async () => {
    const { host } = await makeHost();
    await rm(host.realPath(ETCD_ENV));
    await expect(readEtcdEnv(host)).rejects.toMatchObject({
      code: 'etcd-env-invalid',
      message: 'cannot use etcd.env: the file is not there',
      position: { path: host.realPath(ETCD_ENV) },
    });
  });
});
