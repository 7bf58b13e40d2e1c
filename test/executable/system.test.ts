// Systems that have what the executable needs, and systems that lack one thing: the loader's own words, and what we make of
// them. Each is the root of our image, with one thing taken away.
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { lackingNeeds, loaderQuestion } from '../../src/base/system-needs.ts';
import { VERSION } from '../../src/cli/version.ts';
import { directoryForTest } from '../cli/scene.ts';
import type { CommandResult } from '../servers/command.ts';
import { temporaryDirectory } from '../servers/directories.ts';
import { EXECUTABLE, HOME } from './built.ts';
import { openImage, runInside, unpackImage } from './image.ts';

const MACHINE = process.arch === 'x64' ? 'x86_64' : 'aarch64';
const LIBRARIES = `usr/lib/${MACHINE}-linux-gnu`;

describe('a system', () => {
  const complete = join(temporaryDirectory(), 'root');
  beforeAll(() => {
    unpackImage(openImage(temporaryDirectory()), complete);
    cpSync(EXECUTABLE, join(complete, 'etcdkeep'));
  });

  /** What the loader says of the executable there, and what comes of running it; by chroot's own words where neither can start. */
  async function tried(root: string): Promise<{ asked: CommandResult; run: CommandResult }> {
    return {
      asked: await runInside(root, loaderQuestion(MACHINE, '/etcdkeep')!),
      run: await runInside(root, ['/etcdkeep', '--version']),
    };
  }

  function without(change: (root: string) => void): string {
    const root = join(directoryForTest(), 'root');
    cpSync(complete, root, { recursive: true, verbatimSymlinks: true });
    change(root);
    return root;
  }

  it('has all of it, and nothing else: no HOME, no /proc, no Node', async () => {
    const { asked, run } = await tried(complete);
    expect(lackingNeeds(asked)).toEqual([]);
    expect(run).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
    expect(lackingNeeds(run)).toEqual([]);
  });

  it('has no C++ library', async () => {
    const { asked, run } = await tried(
      without((root) => rmSync(join(root, LIBRARIES, 'libstdc++.so.6'))),
    );
    expect(run.code).toBe(127);
    expect(lackingNeeds(run)).toEqual(['libstdc++.so.6']);
    expect(lackingNeeds(asked)).toEqual(['libstdc++.so.6']);
  });

  it('has a glibc before 2.28', async () => {
    // One that does not know the version: its name is another one's.
    const { asked, run } = await tried(
      without((root) => {
        const path = join(root, LIBRARIES, 'libc.so.6');
        const bytes = readFileSync(path);
        bytes.write('GLIBC_2.xx', bytes.indexOf('GLIBC_2.28\0'), 'latin1');
        writeFileSync(path, bytes);
      }),
    );
    expect(run.code).toBe(1);
    expect(lackingNeeds(run)[0]).toMatch(/^GLIBC_2\.28 in \S+libc\.so\.6$/);
    expect(lackingNeeds(asked)[0]).toMatch(/^GLIBC_2\.28 in \S+libc\.so\.6$/);
  });

  it('has no glibc at all', async () => {
    const { asked, run } = await tried(
      without((root) => rmSync(join(root, LIBRARIES), { recursive: true })),
    );
    expect(run.code).toBe(127);
    expect(lackingNeeds(run)).toEqual(['the dynamic loader of glibc']);
    expect(lackingNeeds(asked)).toEqual(['the dynamic loader of glibc']);
  });
});

describe('what docs/install.md says is needed', () => {
  it('is what the executable asks for', () => {
    const text = readFileSync(join(HOME, 'docs/install.md'), 'utf8');
    const versions = readFileSync(EXECUTABLE)
      .toString('latin1')
      .matchAll(/(?<=\0)GLIBC_2\.(\d+)(?=[\d.]*\0)/g);
    const newest = Math.max(...[...versions].map(([, minor]) => Number(minor)));
    expect(text).toContain(`glibc 2.${newest} or later`);
  });
});
