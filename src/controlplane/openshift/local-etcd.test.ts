import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { ETCD_ENV_TEXT, makeHost, NODE_NAME, put, RESOURCES } from '../host.fixture.ts';
import type { Host } from '../host.ts';
import { ETCD_ENV } from './etcd-env.ts';
import { findOpenshiftEtcd } from './local-etcd.ts';

const MANIFEST = '/etc/kubernetes/manifests/etcd-pod.yaml';
const IN_POD = '/etc/kubernetes/static-pod-certs';
const ON_HOST = `${RESOURCES}/etcd-certs`;
const BUNDLE = 'configmaps/etcd-all-bundles/server-ca-bundle.crt';
const PEER = `secrets/etcd-all-certs/etcd-peer-${NODE_NAME}`;

/** A host whose etcd.env names certificates that tell of no node. */
async function makeNamelessHost(): Promise<Host> {
  const { host } = await makeHost();
  await put(host, ETCD_ENV, ETCD_ENV_TEXT.replaceAll(`peer-${NODE_NAME}`, 'client'));
  await put(host, `${ON_HOST}/secrets/etcd-all-certs/etcd-client.crt`, '');
  await put(host, `${ON_HOST}/secrets/etcd-all-certs/etcd-client.key`, '');
  return host;
}

describe('findOpenshiftEtcd', () => {
  it('the peer certificate names the node; certificates lie in the second place', async () => {
    const { host } = await makeHost();
    expect(await findOpenshiftEtcd(host, 'master-1')).toMatchObject({
      name: NODE_NAME,
      endpoint: 'https://10.0.1.2:2379',
      cacert: `${ON_HOST}/${BUNDLE}`,
      cert: `${ON_HOST}/${PEER}.crt`,
      key: `${ON_HOST}/${PEER}.key`,
      dataDirectory: '/var/lib/etcd',
    });
  });

  it('each certificate has two places of its own, and the first comes first', async () => {
    const { host } = await makeHost();
    await put(host, `${IN_POD}/${PEER}.crt`, '');
    expect(await findOpenshiftEtcd(host, '')).toMatchObject({
      cacert: `${ON_HOST}/${BUNDLE}`,
      cert: `${IN_POD}/${PEER}.crt`,
      key: `${ON_HOST}/${PEER}.key`,
    });
  });

  it.each([
    ['the CA bundle', BUNDLE],
    ['the client certificate', `${PEER}.crt`],
    ['the client key', `${PEER}.key`],
  ])('%s is in neither place: both are named', async (what, path) => {
    const { host } = await makeHost();
    await rm(host.realPath(`${ON_HOST}/${path}`));
    await expect(findOpenshiftEtcd(host, '')).rejects.toMatchObject({
      code: 'certificate-missing',
      message: `${what} that etcd.env names is not on this host`,
      facts: [
        ['not a file', host.realPath(`${IN_POD}/${path}`)],
        ['not a file', host.realPath(`${ON_HOST}/${path}`)],
      ],
    });
  });

  it('the certificate names no node: the script in the manifest expands its variables', async () => {
    const host = await makeNamelessHost();
    const script = 'etcd --name=${NODE_master_1_ETCD_NAME} --x=https://${NODE_master_1_IP}:2380';
    await put(host, MANIFEST, `env: NODE_master_2_ETCD_NAME\ncommand: ${script}\n`);
    expect(await findOpenshiftEtcd(host, 'master-2')).toMatchObject({
      name: 'master-1',
      endpoint: 'https://[fd00::3]:2379',
    });
  });

  it.each([
    ['the manifest expands the variables of two nodes', '${NODE_a_ETCD_NAME} ${NODE_b_ETCD_NAME}'],
    ['the manifest expands those of a node that etcd.env does not have', '${NODE_a_ETCD_NAME}'],
    ['the manifest expands none', ''],
    ['there is no manifest', undefined],
  ])('%s: the name of the machine decides', async (_situation, manifest) => {
    const host = await makeNamelessHost();
    if (manifest === undefined) await rm(host.realPath(MANIFEST));
    else await put(host, MANIFEST, manifest);
    expect(await findOpenshiftEtcd(host, 'master-2')).toMatchObject({ name: 'master-2' });
  });

  it('nothing tells which node it is: what is known is shown', async () => {
    const host = await makeNamelessHost();
    await expect(findOpenshiftEtcd(host, 'localhost')).rejects.toMatchObject({
      code: 'etcd-env-invalid',
      message: 'cannot use etcd.env: it does not tell which of its nodes is this host',
      facts: [
        ['nodes', `${NODE_NAME} master-1 master-2`],
        ['certificate', `${IN_POD}/secrets/etcd-all-certs/etcd-client.crt`],
        ['host name', 'localhost'],
      ],
    });
  });
});
