// The list of what is inside: held against the binary, the lock file and the image.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loaderQuestion } from '../../src/base/system-needs.ts';
import { directoryForTest } from '../cli/scene.ts';
import { EXECUTABLE, IMAGE } from './built.ts';
import { openImage, runInside, unpackImage } from './image.ts';

interface Component {
  readonly name: string;
  readonly version: string;
  readonly purl?: string;
  readonly components?: readonly Component[];
}

function componentsOf(path: string): readonly Component[] {
  const text = readFileSync(path, 'utf8');
  const document = JSON.parse(text) as { bomFormat: string; components: Component[] };
  expect(document.bomFormat).toBe('CycloneDX');
  expect(text).not.toMatch(/serialNumber|timestamp|https?:\/\//);
  return document.components;
}

const names = (components: readonly Component[]): string[] => components.map(({ name }) => name);

describe('what is inside', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    dependencies: Record<string, string>;
  };

  it('the executable: every dependency at its pinned version, and Node with what is linked into it', () => {
    const components = componentsOf(`${EXECUTABLE}.cdx.json`);
    const [node, ...packages] = components.toReversed();
    expect(Object.fromEntries(packages.map(({ name, version }) => [name, version]))).toEqual(
      dependencies,
    );
    expect(node!.version).toBe(process.versions.node);
    const openssl = node!.components!.find(({ name }) => name === 'openssl')!;
    // The executable says so itself: OpenSSL's version is a text in it.
    expect(
      readFileSync(EXECUTABLE).includes(`OpenSSL ${openssl.version.replace(/\+.*/, '')}`),
    ).toBe(true);
  });

  it('the image: as well the packages of the distribution, at the versions that they are of', async () => {
    const ofExecutable = componentsOf(`${EXECUTABLE}.cdx.json`);
    const ofImage = componentsOf(IMAGE.replace(/\.tar$/, '.cdx.json'));
    const debian = ofImage.slice(ofExecutable.length);
    expect(names(debian)).toEqual([
      'busybox-static',
      'ca-certificates',
      expect.stringMatching(/^gcc-\d+-base$/),
      'libc6',
      'libgcc-s1',
      'libstdc++6',
    ]);
    const root = directoryForTest();
    unpackImage(openImage(directoryForTest()), root);
    const machine = process.arch === 'x64' ? 'x86_64' : 'aarch64';
    const { stdout } = await runInside(root, [loaderQuestion(machine, '')![0]!, '--version']);
    const libc = debian.find(({ name }) => name === 'libc6')!;
    expect(stdout).toContain(libc.version);
    for (const { name } of debian) {
      expect(readFileSync(join(root, 'usr/share/doc', name, 'copyright'), 'utf8')).not.toBe('');
    }
  });
});
