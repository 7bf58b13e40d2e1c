import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeHost, put, RESOURCES } from './host.fixture.ts';
import { listTrees } from './resource-tree.ts';

const ETCD_POD = `${RESOURCES}/etcd-pod-3`;

describe('listTrees', () => {
  it('a directory before what is in it, names in the order of their bytes', async () => {
    const { host } = await makeHost();
    const directory = `${RESOURCES}/one`;
    for (const name of ['b', 'B', 'a/z', 'a.b', 'é', '\u{1f511}', '\uffee']) {
      await put(host, `${directory}/${name}`, '');
    }
    const entries = await listTrees(host, [directory, `${RESOURCES}/etcd-certs/configmaps`]);
    expect(entries.map(({ path }) => path.slice('static-pod-resources/'.length))).toEqual([
      'one',
      'one/B',
      'one/a',
      'one/a/z',
      'one/a.b',
      'one/b',
      'one/é',
      'one/\uffee',
      'one/\u{1f511}',
      'etcd-certs/configmaps',
      'etcd-certs/configmaps/etcd-all-bundles',
      'etcd-certs/configmaps/etcd-all-bundles/server-ca-bundle.crt',
      'etcd-certs/configmaps/etcd-scripts',
      'etcd-certs/configmaps/etcd-scripts/etcd.env',
    ]);
  });

  it('links are listed with their text and not followed', async () => {
    const { host } = await makeHost();
    const directory = `${RESOURCES}/one`;
    await put(host, `${directory}/file`, 'four', 0o640);
    await chmod(host.realPath(`${directory}/file`), 0o2640);
    await symlink('..', host.realPath(`${directory}/up`));
    const [, file, link] = await listTrees(host, [directory]);
    expect(file).toMatchObject({ type: 'file', sizeBytes: 4, mode: 0o2640, uid: 0, gid: 0 });
    expect(link).toMatchObject({ type: 'symlink', sizeBytes: 0, target: '..' });
  });

  it('a directory is gone by the time it is listed', async () => {
    const { host } = await makeHost();
    await expect(listTrees(host, [`${RESOURCES}/etcd-pod-4`])).rejects.toMatchObject({
      code: 'resources-changing',
      message: 'static-pod-resources/etcd-pod-4 changed while it was archived',
    });
  });

  it('a socket', async () => {
    const { host } = await makeHost();
    const path = host.realPath(`${ETCD_POD}/s`);
    const server = createServer().listen(path);
    onTestFinished(() => void server.close());
    await new Promise((resolve) => connect(path).once('connect', resolve));
    await expect(listTrees(host, [ETCD_POD])).rejects.toMatchObject({
      code: 'file-failed',
      message: 'cannot archive a socket, a pipe or a device',
      position: { path },
    });
  });

  it('a name that is not UTF-8', async () => {
    const { host } = await makeHost();
    const directory = Buffer.from(`${host.realPath(ETCD_POD)}/`);
    await writeFile(Buffer.concat([directory, Buffer.from([0x66, 0xff])]), '');
    await expect(listTrees(host, [ETCD_POD])).rejects.toMatchObject({
      code: 'file-failed',
      message: 'cannot archive a name that is not UTF-8',
    });
  });

  it('directories without an end', async () => {
    const { host } = await makeHost();
    await mkdir(host.realPath(`${ETCD_POD}/${'d/'.repeat(70)}`), { recursive: true });
    await expect(listTrees(host, [ETCD_POD])).rejects.toMatchObject({
      code: 'file-failed',
      message: 'cannot archive directories without an end',
    });
  });
});
