import { chmod, mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { NO_ENCRYPTION } from '../kubernetes/encryption-config.ts';
import { makeHost, put, RESOURCES } from './host.fixture.ts';
import type { Host } from './host.ts';
import { lookAtStaticResources } from './static-resources.ts';

const API_SERVER = `${RESOURCES}/kube-apiserver-pod-14`;
const CONFIG = `${API_SERVER}/configmaps/config/config.yaml`;
const ENCRYPTION = `${API_SERVER}/secrets/encryption-config`;

describe('lookAtStaticResources', () => {
  it('names the keys of the revision that runs', async () => {
    const { host } = await makeHost();
    const { encryption } = await lookAtStaticResources(host);
    expect(encryption.resources[0]).toEqual({
      resource: 'configmaps',
      writeKey: { provider: 'aescbc', name: '3' },
      keys: [
        { provider: 'aescbc', name: '3' },
        { provider: 'aescbc', name: '2' },
      ],
    });
  });

  it('no encryption-config: nothing was ever encrypted', async () => {
    const { host } = await makeHost();
    await rm(host.realPath(ENCRYPTION), { recursive: true });
    expect((await lookAtStaticResources(host)).encryption).toBe(NO_ENCRYPTION);
  });

  it('an encryption-config that cannot be understood', async () => {
    const { host } = await makeHost();
    await put(host, `${ENCRYPTION}/encryption-config`, '{}');
    await expect(lookAtStaticResources(host)).rejects.toMatchObject({
      code: 'encryption-config-invalid',
      position: { path: host.realPath(`${ENCRYPTION}/encryption-config`) },
    });
  });

  it('two looks at the same host have the same fingerprint', async () => {
    const { host } = await makeHost();
    const [first, second] = [await lookAtStaticResources(host), await lookAtStaticResources(host)];
    expect(second).toEqual(first);
  });

  it.each<[change: string, make: (host: Host) => Promise<void>]>([
    ['a file grows', (host) => writeFile(host.realPath(CONFIG), 'more', { flag: 'a' })],
    ['a file is touched', (host) => utimes(host.realPath(CONFIG), 1, 1)],
    ['a mode changes', (host) => chmod(host.realPath(CONFIG), 0o644)],
    ['a file appears', (host) => put(host, `${API_SERVER}/new`, '')],
    ['a file goes away', (host) => rm(host.realPath(CONFIG))],
    [
      'a file is replaced by one of the same size and time',
      async (host) => {
        await put(host, '/other', '# kube-apiserver-pox\n');
        await utimes(host.realPath(CONFIG), 1, 1);
        await utimes(host.realPath('/other'), 1, 1);
        await rename(host.realPath('/other'), host.realPath(CONFIG));
      },
    ],
    [
      'the manifest names another revision',
      async (host) => {
        await mkdir(host.realPath(`${RESOURCES}/etcd-pod-4`));
        const manifest = `path: ${RESOURCES}/etcd-pod-4`;
        await put(host, '/etc/kubernetes/manifests/etcd-pod.yaml', manifest);
      },
    ],
  ])('%s: another fingerprint', async (_change, make) => {
    const { host } = await makeHost();
    const before = await lookAtStaticResources(host);
    await make(host);
    expect((await lookAtStaticResources(host)).fingerprint).not.toBe(before.fingerprint);
  });

  it('what lies beside the four revisions does not matter', async () => {
    const { host } = await makeHost();
    const before = await lookAtStaticResources(host);
    await put(host, `${RESOURCES}/kube-apiserver-pod-15/new`, '');
    expect((await lookAtStaticResources(host)).fingerprint).toBe(before.fingerprint);
  });
});
