import { execFileSync } from 'node:child_process';
import { constants, existsSync } from 'node:fs';
import {
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  createFile,
  makeStagingDirectory,
  moveFile,
  readSmallFile,
  removeStagingDirectory,
  stagingOwner,
  syncDirectory,
  writeFileAtomically,
  writeFileDurably,
} from './durable-files.ts';
import { processLabel } from './process-label.ts';

async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'etcdkeep-test-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A file system of its own, with room for one page. */
async function fullFileSystem(): Promise<string> {
  const path = await temporaryDirectory();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', path]);
  onTestFinished(() => void execFileSync('umount', [path]));
  return path;
}

async function withoutUmask(): Promise<void> {
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));
  return Promise.resolve();
}

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o7777;

describe('readSmallFile', () => {
  it('a file within the bound is read whole', async () => {
    const path = join(await temporaryDirectory(), 'file');
    await writeFile(path, '12345');
    expect((await readSmallFile(path, 'read it', 5)).toString()).toBe('12345');
  });

  it('an empty file', async () => {
    const path = join(await temporaryDirectory(), 'file');
    await writeFile(path, '');
    expect(await readSmallFile(path, 'read it', 5)).toHaveLength(0);
  });

  it.each<[situation: string, make: (path: string) => unknown, why: string]>([
    ['longer than the bound', (path) => writeFile(path, '123456'), 'it is larger than 5 bytes'],
    ['so long that memory would not do', makeSparse, 'it is larger than 5 bytes'],
    ['a directory', (path) => mkdir(path), 'it is not a file'],
    ['a pipe that nobody writes to', (path) => execFileSync('mkfifo', [path]), 'it is not a file'],
    ['not there', () => undefined, 'there is no such file or directory'],
    ['a link in a circle', (path) => symlink(path, path), 'ELOOP'],
  ])('%s', async (_situation, make, why) => {
    const path = join(await temporaryDirectory(), 'file');
    await make(path);
    await expect(readSmallFile(path, 'read it', 5)).rejects.toMatchObject({
      code: 'file-failed',
      message: expect.stringContaining(`cannot read it: ${why}`) as string,
      position: { path },
    });
  });

  async function makeSparse(path: string): Promise<void> {
    await writeFile(path, '');
    await truncate(path, 2 ** 40);
  }
});

describe('createFile', () => {
  it('readable by its owner alone, whatever the umask', async () => {
    await withoutUmask();
    const path = join(await temporaryDirectory(), 'file');
    await (await createFile(path)).close();
    expect(await modeOf(path)).toBe(0o600);
  });

  it('a dangling link is not written through', async () => {
    const directory = await temporaryDirectory();
    await symlink(join(directory, 'elsewhere'), join(directory, 'file'));
    await expect(createFile(join(directory, 'file'))).rejects.toMatchObject({
      code: 'target-exists',
      message: 'cannot create file: a file of that name exists',
    });
    expect(existsSync(join(directory, 'elsewhere'))).toBe(false);
  });

  it('the directory is not there', async () => {
    const path = join(await temporaryDirectory(), 'no', 'file');
    await expect(createFile(path)).rejects.toMatchObject({ code: 'target-unwritable' });
  });
});

describe('writeFileDurably', () => {
  it('writes all of it', async () => {
    const path = join(await temporaryDirectory(), 'file');
    await writeFileDurably(path, 'text');
    expect(await readFile(path, 'utf8')).toBe('text');
  });

  it('no space is left: nothing is left behind', async () => {
    const directory = await fullFileSystem();
    await expect(writeFileDurably(join(directory, 'file'), 'x'.repeat(9999))).rejects.toMatchObject(
      {
        code: 'disk-full',
        message: 'cannot write file: no space is left on the file system',
      },
    );
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('syncDirectory', () => {
  it('a directory that is not there', async () => {
    const path = join(await temporaryDirectory(), 'no');
    await expect(syncDirectory(path)).rejects.toMatchObject({ code: 'target-unwritable' });
  });

  it('one that cannot be synced is let be', async () => {
    // procfs has no sync of directories.
    const handle = await open('/proc', constants.O_RDONLY);
    onTestFinished(() => handle.close());
    await expect(handle.sync()).rejects.toMatchObject({ code: 'EINVAL' });
    await syncDirectory('/proc');
  });
});

const refusing = (code: string) => ({
  link: () => Promise.reject(Object.assign(new Error(code), { code })),
});

describe.each<[fileSystem: string, calls: Parameters<typeof moveFile>[3]]>([
  ['with hard links', undefined],
  // Mocked: ext4 and tmpfs have hard links, and exFAT or CIFS are not to be had everywhere.
  ['without hard links (EPERM)', refusing('EPERM')],
  ['without hard links (EOPNOTSUPP)', refusing('EOPNOTSUPP')],
])('moveFile, %s', (_fileSystem, calls) => {
  async function makeSource(): Promise<{ from: string; to: string; target: string }> {
    const target = await temporaryDirectory();
    await mkdir(join(target, 'from'));
    const from = join(target, 'from', 'file');
    await writeFile(from, 'new', { mode: 0o600 });
    return { from, to: join(target, 'file'), target };
  }

  it('the file is at its new name and no longer at the old', async () => {
    const { from, to } = await makeSource();
    const before = await stat(from);
    await moveFile(from, to, {}, calls);
    expect(await stat(to)).toMatchObject({ ino: before.ino, nlink: 1, size: 3 });
    expect(existsSync(from)).toBe(false);
  });

  it.each<[what: string, make: (path: string) => Promise<unknown>]>([
    ['a file', (path) => writeFile(path, 'old')],
    ['a directory', (path) => mkdir(path)],
    ['a dangling link', (path) => symlink('nowhere', path)],
  ])('%s is there: both stay as they are', async (_what, make) => {
    const { from, to, target } = await makeSource();
    await make(to);
    await expect(moveFile(from, to, {}, calls)).rejects.toMatchObject({
      code: 'target-exists',
      message: 'cannot move file into place: a file of that name exists',
      position: { path: to },
    });
    expect(await readFile(from, 'utf8')).toBe('new');
    expect(await readdir(target)).toEqual(['file', 'from']);
  });

  it('of many moves to one name one succeeds, and its file is the one that stays', async () => {
    const target = await temporaryDirectory();
    const to = join(target, 'file');
    const contents = Array.from({ length: 20 }, (_, index) => `${index}`);
    for (const text of contents) await writeFile(join(target, text), text);
    const moves = contents.map((text) => moveFile(join(target, text), to, {}, calls));
    const outcomes = await Promise.allSettled(moves);
    const winners = contents.filter((_, index) => outcomes[index]!.status === 'fulfilled');
    expect(winners).toEqual([await readFile(to, 'utf8')]);
    expect(await readdir(target)).toHaveLength(contents.length);
  });

  it('there is nothing to move: the name stays free', async () => {
    const { to, target } = await makeSource();
    await expect(moveFile(join(target, 'no'), to, {}, calls)).rejects.toMatchObject({
      code: 'target-unwritable',
    });
    expect(existsSync(to)).toBe(false);
  });

  it('what is there is replaced when asked to', async () => {
    const { from, to } = await makeSource();
    await writeFile(to, 'old');
    await moveFile(from, to, { replace: true }, calls);
    expect(await readFile(to, 'utf8')).toBe('new');
  });
});

describe('moveFile', () => {
  it('a hard link that is refused for another reason is an error', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a'), '');
    const moving = moveFile(join(directory, 'a'), join(directory, 'b'), {}, refusing('EIO'));
    await expect(moving).rejects.toMatchObject({ code: 'file-failed' });
    expect(await readdir(directory)).toEqual(['a']);
  });

  it('another file system: refused, never copied', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a'), '');
    const to = join(await fullFileSystem(), 'a');
    await expect(moveFile(join(directory, 'a'), to)).rejects.toMatchObject({ code: 'file-failed' });
    expect(existsSync(to)).toBe(false);
  });
});

describe('staging directory', () => {
  it('hidden, inside the target, for its owner alone, another one each time', async () => {
    await withoutUmask();
    const target = await temporaryDirectory();
    const [one, two] = [await makeStagingDirectory(target), await makeStagingDirectory(target)];
    expect(await modeOf(one)).toBe(0o700);
    expect(await readdir(target)).toHaveLength(2);
    expect(stagingOwner(basename(one))).toBe(processLabel());
    expect(two).not.toBe(one);
  });

  it('removed with all that is in it, and again', async () => {
    const target = await temporaryDirectory();
    const staging = await makeStagingDirectory(target);
    await mkdir(join(staging, 'a'));
    await writeFile(join(staging, 'a', 'b'), '');
    await removeStagingDirectory(staging);
    await removeStagingDirectory(staging);
    expect(await readdir(target)).toEqual([]);
  });

  it('nothing else is ever removed', async () => {
    const target = await temporaryDirectory();
    await expect(removeStagingDirectory(target)).rejects.toMatchObject({ code: 'internal' });
    expect(existsSync(target)).toBe(true);
  });

  it('the target is not there', async () => {
    const target = join(await temporaryDirectory(), 'no');
    await expect(makeStagingDirectory(target)).rejects.toMatchObject({
      code: 'target-unwritable',
      message: 'cannot make a directory for unfinished files: there is no such file or directory',
      position: { path: target },
    });
  });
});

describe('writeFileAtomically', () => {
  it('a reader sees the old text or the new, never a part', async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, 'file');
    const texts = ['a', 'b', 'c'].map((letter) => letter.repeat(1 << 20));
    await writeFileAtomically(path, texts[0]!);
    const stop = new AbortController();
    const reading = (async () => {
      const seen = new Set<string>();
      while (!stop.signal.aborted) seen.add(await readFile(path, 'utf8'));
      return seen;
    })();
    for (const text of [...texts, ...texts]) {
      await writeFileAtomically(path, text, { replace: true });
    }
    stop.abort();
    for (const text of await reading) expect(texts.includes(text)).toBe(true);
    expect(await modeOf(path)).toBe(0o600);
    expect(await readdir(directory)).toEqual(['file']);
  });

  it('has the mode that is asked for, whatever the umask', async () => {
    const path = join(await temporaryDirectory(), 'file');
    const before = process.umask(0o077);
    onTestFinished(() => void process.umask(before));
    await writeFileAtomically(path, 'text', { mode: 0o644 });
    expect(await modeOf(path)).toBe(0o644);
  });

  it('no space is left: the old text stays, and nothing else', async () => {
    const directory = await fullFileSystem();
    const path = join(directory, 'file');
    await writeFileAtomically(path, 'old');
    const writing = writeFileAtomically(path, 'x'.repeat(9999), { replace: true });
    await expect(writing).rejects.toMatchObject({ code: 'disk-full' });
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(directory)).toEqual(['file']);
  });

  it('not to be replaced: the old text stays, and nothing else', async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, 'file');
    await writeFileAtomically(path, 'old');
    await expect(writeFileAtomically(path, 'new')).rejects.toMatchObject({ code: 'target-exists' });
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(directory)).toEqual(['file']);
  });
});
