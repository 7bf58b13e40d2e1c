import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type HandMadeMember, paxRecord, tarGzOf } from '../../test/fixtures/tar.ts';
import { EtcdkeepError } from '../base/errors.ts';
import { extractMembers } from './archive-extraction.ts';

function directoryForTest(): string {
  const root = mkdtempSync(join(tmpdir(), 'etcdkeep-test-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** Everything below a directory: modes, owners, contents. */
function listing(root: string): Record<string, string> {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    names.map((name) => {
      const path = join(root, name);
      const found = lstatSync(path);
      const owner = `${found.uid}:${found.gid}`;
      if (found.isSymbolicLink()) return [name, `link to ${readlinkSync(path)}, ${owner}`];
      const mode = (found.mode & 0o7777).toString(8);
      const body = found.isFile() ? readFileSync(path, 'utf8') : '';
      return [name, `${mode} ${owner} ${body}`];
    }),
  );
}

async function extract(archive: Buffer, member: string): Promise<{ root: string; to: string }> {
  const root = directoryForTest();
  const path = join(root, 'archive.tar.gz');
  writeFileSync(path, archive);
  mkdirSync(join(root, 'place'));
  const to = join(root, 'place/extracted');
  await extractMembers(path, [{ member, to }], new AbortController().signal);
  return { root, to };
}

const isRoot = process.geteuid?.() === 0;

describe('extractMembers', () => {
  it.skipIf(!isRoot)('gives what tar(1) gives, of the members that are wanted alone', async () => {
    const root = directoryForTest();
    const tree = join(root, 'tree/static-pod-resources');
    for (const name of ['etcd-pod-7/secrets', 'etcd-pod-7/empty', 'etcd-pod-71', 'other']) {
      mkdirSync(join(tree, name), { recursive: true });
    }
    writeFileSync(join(tree, 'etcd-pod-7/secrets/key'), 'secret', { mode: 0o600 });
    writeFileSync(join(tree, 'etcd-pod-7/large'), 'x'.repeat(300_000), { mode: 0o644 });
    writeFileSync(join(tree, 'etcd-pod-7/nothing'), '');
    writeFileSync(join(tree, 'etcd-pod-71/no'), 'not this one');
    writeFileSync(join(tree, 'other/no'), 'nor this');
    symlinkSync('../other/no', join(tree, 'etcd-pod-7/link'));
    chmodSync(join(tree, 'etcd-pod-7/secrets'), 0o500);
    const archive = join(root, 'archive.tar.gz');
    execFileSync('tar', [
      '-C',
      join(root, 'tree'),
      '--owner=123',
      '--group=4567890',
      '-czf',
      archive,
      'static-pod-resources',
    ]);
    const byTar = join(root, 'tar');
    mkdirSync(byTar);
    execFileSync('tar', ['-C', byTar, '-xpzf', archive]);
    const { to } = await extract(readFileSync(archive), 'static-pod-resources/etcd-pod-7');
    expect(listing(to)).toEqual(listing(join(byTar, 'static-pod-resources/etcd-pod-7')));
    expect(listing(to)['secrets/key']).toBe('600 123:4567890 secret');
  });

  it('a file alone', async () => {
    const { to } = await extract(
      tarGzOf({ path: './etc/a', body: 'A' }, { path: 'etc/ab', body: 'B' }),
      'etc/a',
    );
    expect(readFileSync(to, 'utf8')).toBe('A');
  });

  it('what is wanted with its directory and by itself goes to both places', async () => {
    const root = directoryForTest();
    writeFileSync(join(root, 'archive'), tarGzOf({ path: 'pod/pod.yaml', body: 'kind: Pod' }));
    const wanted = [
      { member: 'pod', to: join(root, 'directory') },
      { member: 'pod/pod.yaml', to: join(root, 'file') },
    ];
    await extractMembers(join(root, 'archive'), wanted, new AbortController().signal);
    expect(readFileSync(join(root, 'directory/pod.yaml'), 'utf8')).toBe('kind: Pod');
    expect(readFileSync(join(root, 'file'), 'utf8')).toBe('kind: Pod');
  });

  it('directories that the archive does not name are made', async () => {
    const { to } = await extract(tarGzOf({ path: 'pod/a/b/c', body: 'C' }), 'pod');
    expect(readFileSync(join(to, 'a/b/c'), 'utf8')).toBe('C');
  });

  it.each<[string, HandMadeMember[], RegExp]>([
    ['without the member', [{ path: 'another' }], /it has no pod$/],
    ['a way up', [{ path: 'pod/a/../../../x' }], /empty parts or dots/],
    [
      'a way up behind a long name',
      [{ path: 'l', type: 'L', body: 'pod/../x\0' }, { path: 's' }],
      /empty parts or dots/,
    ],
    [
      'through a link',
      [{ path: 'pod/l', type: '2', link: '/' }, { path: 'pod/l/x' }],
      /lies in what is no directory/,
    ],
    [
      'through the member itself',
      [{ path: 'pod', type: '2', link: '/' }, { path: 'pod/x' }],
      /lies in what is no directory/,
    ],
    [
      'a file in the place of a directory',
      [{ path: 'pod/a' }, { path: 'pod/a', type: '5' }],
      /is in it twice/,
    ],
    [
      'a link in the place of a file',
      [{ path: 'pod/a' }, { path: 'pod/a', type: '2', link: '/' }],
      /is in it twice/,
    ],
    ['a hard link', [{ path: 'pod/a', type: '1', link: '/etc/passwd' }], /is a hard-link/],
    ['a device', [{ path: 'pod/a', type: '3' }], /is a character-device/],
  ])('%s is refused, and nothing is written elsewhere', async (_, members, message) => {
    const root = directoryForTest();
    const path = join(root, 'archive.tar.gz');
    writeFileSync(path, tarGzOf(...members));
    mkdirSync(join(root, 'place'));
    const extracting = extractMembers(
      path,
      [{ member: 'pod', to: join(root, 'place/pod') }],
      new AbortController().signal,
    );
    await expect(extracting).rejects.toMatchObject({
      code: 'archive-unusable',
      message: expect.stringMatching(message) as string,
    });
    expect(readdirSync(root).sort()).toEqual(['archive.tar.gz', 'place']);
    expect(readdirSync(join(root, 'place')).filter((name) => name !== 'pod')).toEqual([]);
  });

  it('owners of a pax header count', async () => {
    const members = [
      {
        path: 'p',
        type: 'x',
        body: paxRecord('uid', `${process.geteuid!()}`) + paxRecord('gid', `${process.getegid!()}`),
      },
      { path: 'pod' },
    ];
    const { to } = await extract(tarGzOf(...members), 'pod');
    expect(lstatSync(to).uid).toBe(process.geteuid!());
  });

  it('an archive that is cut off is unusable', async () => {
    const whole = tarGzOf({ path: 'pod', body: 'x'.repeat(5000) });
    await expect(extract(whole.subarray(0, whole.length - 20), 'pod')).rejects.toMatchObject({
      code: 'archive-unusable',
    });
  });

  it('whatever the archive says, nothing is made but what was asked for', async () => {
    const part = fc.constantFrom('pod', 'a', 'b', '..', '.', '', 'x');
    const member = fc.record({
      path: fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/') || 'x'),
      type: fc.constantFrom('0', '1', '2', '5', '6'),
      link: fc.constantFrom('/', '..', 'a', '../../x', 'pod/a'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(member, { maxLength: 6 }), async (members) => {
        const root = mkdtempSync(join(tmpdir(), 'etcdkeep-test-'));
        try {
          writeFileSync(join(root, 'archive'), tarGzOf(...members));
          mkdirSync(join(root, 'place'));
          const to = join(root, 'place/pod');
          try {
            await extractMembers(
              join(root, 'archive'),
              [{ member: 'pod', to }],
              new AbortController().signal,
            );
            expect(lstatSync(to)).toBeDefined();
          } catch (reason) {
            if (!(reason instanceof EtcdkeepError)) throw reason;
            expect(reason.code).toBe('archive-unusable');
          }
          expect(readdirSync(root).sort()).toEqual(['archive', 'place']);
          expect(readdirSync(join(root, 'place')).filter((name) => name !== 'pod')).toEqual([]);
        } finally {
          rmSync(root, { recursive: true, force: true });
        }
      }),
      { numRuns: 300 },
    );
  });
});
