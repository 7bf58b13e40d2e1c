// Packages of the distribution that this machine takes its own from, for whatever architecture. Nothing is installed and
// nothing of the machine's own lists is touched: they are downloaded, and opened in memory.

import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ParsedTarEntryWithData, unpackTar } from 'modern-tar';
import type { Architecture } from './architectures.ts';
import { run } from './run.ts';

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** `all` for what is the same on every machine. */
  readonly architecture: string;
  /** Of the package's file, in hex. */
  readonly sha256: string;
  /** What it would install. */
  readonly entries: readonly ParsedTarEntryWithData[];
}

/**
 * Downloads the newest versions that the distribution has, and what else holds their terms.
 * @param scratch an empty directory
 * @throws Error where there is no apt, or a package cannot be had
 */
export async function downloadPackages(
  architecture: Architecture,
  names: readonly string[],
  scratch: string,
): Promise<DebianPackage[]> {
  for (const directory of ['state/lists/partial', 'cache/archives/partial', 'packages']) {
    await mkdir(join(scratch, directory), { recursive: true });
  }
  await writeFile(join(scratch, 'status'), '');
  const config = join(scratch, 'apt.conf');
  await writeFile(
    config,
    `APT::Architecture "${architecture}";
APT::Architectures { "${architecture}"; };
APT::Sandbox::User "root";
Dir::State "${scratch}/state";
Dir::State::Status "${scratch}/status";
Dir::Cache "${scratch}/cache";
`,
  );
  const options = { cwd: join(scratch, 'packages'), env: { ...process.env, APT_CONFIG: config } };
  const open = async (): Promise<DebianPackage[]> => {
    const files = (await readdir(options.cwd)).sort();
    return await Promise.all(files.map((file) => openPackage(join(options.cwd, file))));
  };
  await run('apt-get', ['update', '-qq'], options);
  await run('apt-get', ['download', '-qq', ...names], options);
  const elsewhere = termsElsewhere(await open());
  if (elsewhere.length > 0) await run('apt-get', ['download', '-qq', ...elsewhere], options);
  return await open();
}

/** Packages of one source may leave their terms to one of them, to whose directory their own is a link: gcc's do. */
function termsElsewhere(packages: readonly DebianPackage[]): string[] {
  const links = packages.flatMap(({ entries }) =>
    entries.filter(
      ({ header }) => header.type === 'symlink' && /^\.\/usr\/share\/doc\/[^/]+$/.test(header.name),
    ),
  );
  return [...new Set(links.map(({ header }) => header.linkname!))];
}

async function openPackage(path: string): Promise<DebianPackage> {
  const fields = await run('dpkg-deb', ['--show', '--showformat', FORMAT, path]);
  const [name, version, architecture] = fields.toString().split('\n') as [string, string, string];
  return {
    name,
    version,
    architecture,
    sha256: createHash('sha256')
      .update(await readFile(path))
      .digest('hex'),
    entries: await unpackTar(await run('dpkg-deb', ['--fsys-tarfile', path])),
  };
}

const FORMAT = '${Package}\\n${Version}\\n${Architecture}\\n';
