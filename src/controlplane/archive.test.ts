import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFile,
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { writeArchive } from './archive.ts';
import { makeHost, put, RESOURCES, temporaryDirectory } from './host.fixture.ts';
import type { Host } from './host.ts';
import { lookAtStaticResources } from './static-resources.ts';

const ETCD_POD = `${RESOURCES}/etcd-pod-3`;
const QUIET = new AbortController().signal;

const tar = (...options: string[]): string =>
  execFileSync('tar', options, { encoding: 'utf8', maxBuffer: 64 << 20 });

/** GNU tar's list, with names as they are and not escaped. */
const listed = (file: string): string[] =>
  tar('-tzf', file, '--quoting-style=literal', '--show-stored-names').split('\n').slice(0, -1);

async function archive(
  host: Host,
): Promise<{ file: string; made: Awaited<ReturnType<typeof writeArchive>> }> {
  const { entries } = await lookAtStaticResources(host);
  const file = join(await temporaryDirectory(), 'static_kuberesources.tar.gz');
  return { file, made: await writeArchive(host, entries, file, QUIET) };
}

/** Everything below a directory: path, mode, owner, time and contents. */
async function treeOf(root: string): Promise<unknown[]> {
  const names = await readdir(root, { recursive: true });
  return Promise.all(
    names.sort().map(async (name) => {
      const path = join(root, name);
      const found = await lstat(path);
      const contents = found.isFile()
        ? await readFile(path, 'hex')
        : found.isSymbolicLink()
          ? await readlink(path)
          : '';
      const { mode, uid, gid, mtimeMs } = found;
      return {
        name,
        mode: mode.toString(8),
        uid,
        gid,
        second: Math.floor(mtimeMs / 1000),
        contents,
      };
    }),
  );
}

/** Extracts the archive with GNU tar and compares what it makes with what is on the host. */
async function expectToComeBack(host: Host): Promise<void> {
  const { file } = await archive(host);
  const target = await temporaryDirectory();
  tar('-xpzf', file, '-C', target, 'static-pod-resources');
  const path = 'static-pod-resources/etcd-pod-3';
  expect(await treeOf(join(target, path))).toEqual(
    await treeOf(host.realPath(`/etc/kubernetes/${path}`)),
  );
}

describe('writeArchive', () => {
  it('GNU tar lists exactly the four revisions, in order', async () => {
    const { host } = await makeHost();
    await put(host, `${RESOURCES}/etcd-pod-2/etcd-pod.yaml`, 'an older revision');
    const { file } = await archive(host);
    const revision = (name: string, more: readonly string[] = []): string[] => [
      `static-pod-resources/${name}/`,
      `static-pod-resources/${name}/configmaps/`,
      `static-pod-resources/${name}/configmaps/config/`,
      `static-pod-resources/${name}/configmaps/config/config.yaml`,
      `static-pod-resources/${name}/${name.replace(/-\d+$/, '')}.yaml`,
      `static-pod-resources/${name}/secrets/`,
      ...more.map((path) => `static-pod-resources/${name}/secrets/${path}`),
      `static-pod-resources/${name}/secrets/serving-cert/`,
      `static-pod-resources/${name}/secrets/serving-cert/tls.key`,
    ];
    expect(listed(file)).toEqual([
      ...revision('kube-apiserver-pod-14', [
        'encryption-config/',
        'encryption-config/encryption-config',
      ]),
      ...revision('kube-controller-manager-pod-5'),
      ...revision('kube-scheduler-pod-7'),
      ...revision('etcd-pod-3'),
    ]);
  });

  it('members and digests are those of the files, and of the archive', async () => {
    const { host } = await makeHost();
    await chmod(host.realPath(`${ETCD_POD}/etcd-pod.yaml`), 0o755);
    const { file, made } = await archive(host);
    const bytes = await readFile(file);
    expect(made.bytes).toBe(bytes.length);
    expect(made.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(made.members).toHaveLength(13);
    const yaml = await readFile(host.realPath(`${ETCD_POD}/etcd-pod.yaml`));
    expect(made.members.find(({ path }) => path.endsWith('/etcd-pod.yaml'))).toEqual({
      path: 'static-pod-resources/etcd-pod-3/etcd-pod.yaml',
      bytes: yaml.length,
      mode: '0755',
      sha256: createHash('sha256').update(yaml).digest('hex'),
    });
    expect(made.members.map(({ path }) => path)).toEqual(
      listed(file).filter((name) => !name.endsWith('/')),
    );
  });

  it('extracted by GNU tar, all is as it was: modes, owners, times, links, empty directories', async () => {
    const { host } = await makeHost();
    const at = (name: string): string => host.realPath(`${ETCD_POD}/${name}`);
    await put(host, `${ETCD_POD}/script.sh`, '#!/bin/sh\n', 0o755);
    await put(host, `${ETCD_POD}/empty`, '');
    await put(host, `${ETCD_POD}/owned`, 'x');
    await chown(at('owned'), 3_000_000, 4_294_967_294);
    await chmod(at('owned'), 0o4640);
    await utimes(at('owned'), 0, 1_234_567_890.75);
    await put(host, `${ETCD_POD}/big`, 'a'.repeat(3 << 20));
    await mkdir(at('nothing-in-it'), { mode: 0o700 });
    await symlink('../etcd-pod.yaml', at('link'));
    await symlink(`/nowhere/${'long/'.repeat(40)}`, at('dangling'));
    await utimes(at('configmaps'), 0, 1_000_000_000);
    await expectToComeBack(host);
  });

  it('names of any kind come back', async () => {
    const { host } = await makeHost();
    const names = [' ', 'a b', 'é-日本-\u{1f511}', 'two\nlines', '-rf', '\\n', 'q"\'`$*', '..a'];
    for (const name of names) await put(host, `${ETCD_POD}/z/${name}`, name);
    await expectToComeBack(host);
    const { made } = await archive(host);
    const path = 'static-pod-resources/etcd-pod-3/z/two\nlines';
    expect(made.members.map((member) => member.path)).toContain(path);
  });

  // Around the ends of the header's fields (a name of 100 bytes, a prefix of 155), and far past both.
  it.each(['a', 'é'])('paths of every length come back, made of %s', async (character) => {
    const { host } = await makeHost();
    for (let length = 90; length <= 270; length += 1) {
      const start = `${ETCD_POD.slice('/etc/kubernetes/'.length)}/${length}/`;
      const letters = character.repeat(Math.floor((length - start.length) / character.length));
      const path =
        start + letters.replace(new RegExp(`(.{${20 + (length % 41)}}.)(?=.)`, 'g'), '$1/');
      await put(host, `/etc/kubernetes/${path.slice(0, length)}x`, path);
    }
    await put(host, `${ETCD_POD}/${'n'.repeat(255)}`, '');
    await put(host, `${ETCD_POD}/${`${character.repeat(100)}/`.repeat(18)}x`, '');
    await expectToComeBack(host);
  });

  it('a directory whose path fills the name field to its last byte', async () => {
    const { host } = await makeHost();
    const directories: string[] = [];
    for (let length = 90; length <= 165; length += 1) {
      const start = 'static-pod-resources/etcd-pod-3/';
      const name = 'd'.repeat(length - start.length);
      directories.push(`${start}${name}/`);
      await mkdir(host.realPath(`${ETCD_POD}/${name}`));
    }
    const { file } = await archive(host);
    expect(listed(file)).toEqual(expect.arrayContaining(directories));
  });

  it('the same files give the same bytes', async () => {
    const { host } = await makeHost();
    const [first, second] = [await archive(host), await archive(host)];
    expect(second.made).toEqual(first.made);
    // RFC 1952 section 2.3: bytes 4 to 7 are the time.
    expect((await readFile(first.file)).readUInt32LE(4)).toBe(0);
  });

  it('readable by nobody else, whatever the umask', async () => {
    const before = process.umask(0);
    onTestFinished(() => void process.umask(before));
    const { host } = await makeHost();
    const { file } = await archive(host);
    expect((await stat(file)).mode & 0o7777).toBe(0o600);
  });

  it('a file of that name exists: it stays as it is', async () => {
    const { host } = await makeHost();
    const { entries } = await lookAtStaticResources(host);
    const file = join(await temporaryDirectory(), 'archive');
    await writeFile(file, 'precious');
    await expect(writeArchive(host, entries, file, QUIET)).rejects.toMatchObject({
      code: 'target-exists',
    });
    expect(await readFile(file, 'utf8')).toBe('precious');
  });
});

describe('writeArchive, while the resources change', () => {
  const FILE = `${ETCD_POD}/secrets/serving-cert/tls.key`;

  it.each<[change: string, make: (path: string) => Promise<void>]>([
    ['grows', (path) => appendFile(path, 'more')],
    ['shrinks', (path) => truncate(path, 3)],
    ['goes away', (path) => rm(path)],
    ['is written to', (path) => writeFile(path, '')],
    [
      'becomes a link',
      async (path) => {
        await rename(path, `${path}.old`);
        await symlink(`${path}.old`, path);
      },
    ],
    [
      'becomes a pipe',
      async (path) => {
        await rm(path);
        execFileSync('mkfifo', [path]);
      },
    ],
    [
      'becomes a directory',
      async (path) => {
        await rm(path);
        await mkdir(path);
      },
    ],
  ])('a file %s after it was listed', async (_change, make) => {
    const { host } = await makeHost();
    const { entries } = await lookAtStaticResources(host);
    await make(host.realPath(FILE));
    const file = join(await temporaryDirectory(), 'archive');
    await expect(writeArchive(host, entries, file, QUIET)).rejects.toMatchObject({
      code: 'resources-changing',
      message:
        'static-pod-resources/etcd-pod-3/secrets/serving-cert/tls.key changed while it was archived',
      retryable: true,
    });
  });

  it.each<[change: string, make: (path: string) => Promise<void>]>([
    ['grows', (path) => appendFile(path, 'more')],
    ['shrinks', (path) => truncate(path, 20 << 20)],
  ])('a file %s while it is read', async (_change, make) => {
    const { host } = await makeHost();
    const big = `${ETCD_POD}/big`;
    await put(host, big, '');
    await truncate(host.realPath(big), 64 << 20);
    const { entries } = await lookAtStaticResources(host);
    const file = join(await temporaryDirectory(), 'archive');
    const writing = writeArchive(host, entries, file, QUIET);
    // The archive grows only when the big file is under way: what comes before it is small.
    while ((await stat(file).catch(() => ({ size: 0 }))).size < 10_000) await breathe();
    await make(host.realPath(big));
    await expect(writing).rejects.toMatchObject({ code: 'resources-changing' });
  });

  it('a directory goes away while it is listed', async () => {
    const { host } = await makeHost();
    const { entries } = await lookAtStaticResources(host);
    await rm(host.realPath(ETCD_POD), { recursive: true });
    const file = join(await temporaryDirectory(), 'archive');
    await expect(writeArchive(host, entries, file, QUIET)).rejects.toMatchObject({
      code: 'resources-changing',
    });
  });
});

describe('writeArchive, when it cannot go on', () => {
  /** Text that does not compress, so that the archive is as large as it is. */
  async function makeLargeHost(): Promise<Host> {
    const { host } = await makeHost();
    const block = createHash('shake256', { outputLength: 8 << 20 })
      .update('')
      .digest('base64');
    for (const name of ['1', '2', '3']) await put(host, `${ETCD_POD}/large-${name}`, block);
    return host;
  }

  it('no space is left', async () => {
    const host = await makeLargeHost();
    const { entries } = await lookAtStaticResources(host);
    const small = await temporaryDirectory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
    try {
      const file = join(small, 'archive');
      await expect(writeArchive(host, entries, file, QUIET)).rejects.toMatchObject({
        code: 'disk-full',
        message: 'cannot write archive: no space is left on the file system',
        retryable: true,
        position: { path: file },
      });
    } finally {
      // Fails while a file on it is still open.
      execFileSync('umount', [small]);
    }
  });

  it('stopped in the middle: its reason comes out, and all files are closed', async () => {
    const host = await makeLargeHost();
    const { entries } = await lookAtStaticResources(host);
    const target = await temporaryDirectory();
    const file = join(target, 'archive');
    const stop = new AbortController();
    const writing = writeArchive(host, entries, file, stop.signal);
    while ((await stat(file).catch(() => ({ size: 0 }))).size < 100_000) await breathe();
    const reason = new Error('enough');
    stop.abort(reason);
    await expect(writing).rejects.toBe(reason);
    expect(await openFilesBelow(target)).toEqual([]);
    expect(await openFilesBelow(host.root)).toEqual([]);
  });

  it('stopped before it began: nothing is written', async () => {
    const { host } = await makeHost();
    const { entries } = await lookAtStaticResources(host);
    const target = await temporaryDirectory();
    const reason = new Error('enough');
    const stopped = AbortSignal.abort(reason);
    await expect(writeArchive(host, entries, join(target, 'archive'), stopped)).rejects.toBe(
      reason,
    );
    expect(await readdir(target)).toEqual([]);
  });
});

const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function openFilesBelow(directory: string): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd');
  const targets = await Promise.all(
    descriptors.map((number) => readlink(`/proc/self/fd/${number}`).catch(() => '')),
  );
  return targets.filter((target) => target.startsWith(directory));
}
