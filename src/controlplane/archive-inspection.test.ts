import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tarGzOf } from '../../test/fixtures/tar.ts';
import {
  CONFIG,
  ETCD,
  inspect,
  inspectWith,
  membersOf,
  NOW,
  PODS,
  rulesOf,
  SECRET,
  SOUND,
} from './archive-inspection.fixture.ts';
import { inspectArchive } from './archive-inspection.ts';
import { temporaryDirectory } from './host.fixture.ts';

describe('a sound archive', () => {
  const archive = tarGzOf(...membersOf(SOUND));

  it('has no finding, and is told in full', async () => {
    const found = await inspect(archive);
    expect(found.findings).toEqual([]);
    expect(found).toMatchObject({
      layout: 'openshift',
      bytes: archive.length,
      sha256: createHash('sha256').update(archive).digest('hex'),
      pods: Object.entries(PODS).map(([name, revision]) => ({
        name,
        revision,
        path: `/etc/kubernetes/static-pod-resources/${name}-${revision}`,
      })),
      earliestEnd: { subject: 'CN=peer', validTo: new Date('2027-03-01T00:00:00Z') },
    });
    expect(found.members).toHaveLength(Object.keys(SOUND).length);
    expect(found.members.find(({ path }) => path === CONFIG)).toEqual({
      path: CONFIG,
      kind: 'file',
      bytes: SOUND[CONFIG]!.length,
      mode: '0600',
      sha256: createHash('sha256').update(SOUND[CONFIG]!).digest('hex'),
      linkTarget: undefined,
    });
  });

  it('certificates: every one, and which are in use', async () => {
    const { certificates } = await inspect(archive);
    expect(
      certificates.map(({ subject, isAuthority, isInUse }) => [subject, isAuthority, isInUse]),
    ).toEqual([
      ['CN=new signer', true, false],
      ['CN=old signer', true, false],
      ['CN=peer', false, true],
      ['CN=localhost', false, true],
    ]);
  });

  it('encryption keys by name, and no secret anywhere', async () => {
    const found = await inspect(archive);
    expect(found.encryption).toMatchObject({ path: CONFIG, config: { on: true } });
    expect(found.encryption!.config.resources[0]!.keys.map(({ name }) => name)).toEqual(['3', '2']);
    const said = JSON.stringify(found);
    expect(said).not.toContain(SECRET);
    expect(said).not.toContain('PRIVATE KEY');
  });

  it('that tar(1) makes, as cluster-backup.sh calls it, in each of its formats', async () => {
    const root = await temporaryDirectory();
    for (const [path, body] of Object.entries(SOUND)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), body, { mode: 0o600 });
    }
    const dirs = Object.entries(PODS).map(([name, n]) => `static-pod-resources/${name}-${n}`);
    for (const format of ['gnu', 'oldgnu', 'pax', 'ustar']) {
      const path = join(root, `${format}.tar.gz`);
      execFileSync('tar', ['-cpzf', path, `--format=${format}`, '-C', root, ...dirs]);
      const found = await inspectArchive({ path, now: NOW });
      expect(found.findings).toEqual([]);
      const files = found.members.filter(({ kind }) => kind === 'file').map(({ path }) => path);
      expect(files.toSorted()).toEqual(Object.keys(SOUND).toSorted());
    }
    execFileSync('tar', [
      '-cpzf',
      join(root, 'dotted.tar.gz'),
      '-C',
      root,
      './static-pod-resources',
    ]);
    const dotted = await inspectArchive({ path: join(root, 'dotted.tar.gz'), now: NOW });
    expect(rulesOf(dotted)).toEqual(['path-odd']);
    expect(dotted.pods).toHaveLength(4);
  });

  it('is not touched, and nothing appears beside it', async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, 'a.tar.gz');
    writeFileSync(path, archive, { mode: 0o400 });
    await inspectArchive({ path, now: NOW });
    expect(await readdir(directory)).toEqual(['a.tar.gz']);
    expect(readFileSync(path).equals(archive)).toBe(true);
  });
});

describe('what an OpenShift host needs', () => {
  const without = (start: string) =>
    inspect(
      tarGzOf(
        ...membersOf(SOUND).filter(
          ({ path, prefix = '' }) => !`${prefix}${String(path)}`.startsWith(start),
        ),
      ),
    );

  it.each(Object.entries(PODS))('%s is not there', async (name, revision) => {
    const found = await without(`static-pod-resources/${name}-${revision}`);
    expect(found.findings).toMatchObject([{ rule: 'pod-missing', message: `there is no ${name}` }]);
    expect(found.pods.map((pod) => pod.name)).toEqual(
      Object.keys(PODS).filter((other) => other !== name),
    );
  });

  it('a revision without its manifest', async () => {
    expect((await without(`${ETCD}/etcd-pod.yaml`)).findings).toMatchObject([
      { rule: 'pod-missing', message: 'revision 3 of etcd-pod has no manifest' },
    ]);
  });

  it('two revisions of one pod: both are told, and the keys of the newer', async () => {
    const newer = 'static-pod-resources/kube-apiserver-pod-15';
    const found = await inspectWith({ path: `${newer}/kube-apiserver-pod.yaml`, body: 'x' });
    expect(found.pods.slice(0, 2).map(({ revision }) => revision)).toEqual([14, 15]);
    expect(found.encryption).toBeUndefined();
  });

  it('an encryption-config that does not parse: its text is in no finding', async () => {
    const tree = {
      ...SOUND,
      [CONFIG]: `{"kind": "EncryptionConfiguration", "secret": "${SECRET}"`,
    };
    const found = await inspect(tarGzOf(...membersOf(tree)));
    expect(rulesOf(found)).toEqual(['encryption-config-unreadable']);
    expect(JSON.stringify(found)).not.toContain(SECRET);
  });

  it('something else altogether', async () => {
    expect(rulesOf(await inspect(tarGzOf({ path: 'photos/cat.jpg', body: 'x' })))).toEqual([
      'layout-unknown',
    ]);
  });
});
