// The Node that goes into an executable: the one that package-lock.json pins, for whatever machine. npm installs only the
// one that runs here; another one is fetched as npm would, and held against the same checksum.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Architecture, NAMES, ownArchitecture } from './architectures.ts';
import { run } from './run.ts';

export interface Runtime {
  readonly name: string;
  readonly version: string;
  readonly program: Buffer;
  /** The terms of Node and of all that it is made of. */
  readonly license: string;
}

export interface LockedPackage {
  readonly version: string;
  /** As `sha512-<base64>`. */
  readonly integrity: string;
  readonly license: string;
}

/** What package-lock.json says of a package. */
export async function lockedPackage(home: string, name: string): Promise<LockedPackage> {
  const lock = JSON.parse(await readFile(join(home, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const found = lock.packages[`node_modules/${name}`];
  if (found === undefined) throw new Error(`package-lock.json has no ${name}`);
  return found;
}

/** @param scratch an empty directory */
export async function findRuntime(
  home: string,
  architecture: Architecture,
  scratch: string,
): Promise<Runtime> {
  const name = NAMES[architecture].runtimePackage;
  const locked = await lockedPackage(home, name);
  const directory =
    architecture === ownArchitecture()
      ? join(home, 'node_modules', name)
      : await unpackRuntime(name, locked, scratch);
  return {
    name,
    version: locked.version,
    program: await readFile(join(directory, 'bin/node')),
    license: await readFile(join(directory, 'LICENSE'), 'utf8'),
  };
}

async function unpackRuntime(
  name: string,
  { version, integrity }: LockedPackage,
  scratch: string,
): Promise<string> {
  await run('npm', ['pack', '--silent', `${name}@${version}`], { cwd: scratch });
  const [archive] = await readdir(scratch);
  const bytes = await readFile(join(scratch, archive!));
  const digest = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  if (digest !== integrity)
    throw new Error(`${name}@${version} is not what package-lock.json pins`);
  await run('tar', ['-xzf', archive!, 'package/bin/node', 'package/LICENSE'], { cwd: scratch });
  return join(scratch, 'package');
}
