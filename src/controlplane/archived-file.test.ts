import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type HandMadeMember, tarGzOf } from '../../test/fixtures/tar.ts';
import { readArchivedText } from './archived-file.ts';
import { temporaryDirectory } from './host.fixture.ts';

const MEMBERS: readonly HandMadeMember[] = [
  { path: 'etc/kubernetes/manifests/', type: '5' },
  { path: 'etc/kubernetes/manifests/etcd.yaml', body: 'kind: Pod\n' },
  { path: 'etc/kubernetes/manifests/etcd.yaml.old', body: 'old\n' },
  { path: './etc/kubernetes/pki/ca.crt', body: 'dotted\n' },
  { path: 'twice', body: 'first\n' },
  { path: 'twice', body: 'second, which tar(1) leaves\n' },
  { path: 'empty', body: '' },
  { path: 'large', body: 'x'.repeat((1 << 20) + 1) },
];

async function archiveOf(bytes: Buffer): Promise<string> {
  const path = join(await temporaryDirectory(), 'a.tar.gz');
  writeFileSync(path, bytes);
  return path;
}

describe('a file in an archive', () => {
  it.each([
    ['etc/kubernetes/manifests/etcd.yaml', 'kind: Pod\n'],
    ['etc/kubernetes/pki/ca.crt', 'dotted\n'],
    ['twice', 'second, which tar(1) leaves\n'],
    ['empty', ''],
    ['etc/kubernetes/manifests/', undefined],
    ['large', undefined],
    ['missing', undefined],
  ])('%s', async (member, text) => {
    const path = await archiveOf(tarGzOf(...MEMBERS));
    expect(await readArchivedText(path, member)).toBe(text);
  });

  it.each([
    ['cut', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
    ['no archive', () => Buffer.from('nothing of the kind')],
  ])('that is %s is an error', async (_, change) => {
    const path = await archiveOf(change(tarGzOf(...MEMBERS)));
    await expect(readArchivedText(path, 'twice')).rejects.toMatchObject({ code: 'file-failed' });
  });
});
