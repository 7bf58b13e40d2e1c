// npm run build: what is installed, in dist/. For each architecture an executable, an image, and what each is made of.
//
//   npm run build [-- --arch amd64] [--no-image] [--out DIR]

import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { zstdCompressSync } from 'node:zlib';
import { formatBytes } from '../../src/base/units.ts';
import { temporaryDirectory } from '../../test/servers/directories.ts';
import { ARCHITECTURES, type Architecture, isArchitecture } from './architectures.ts';
import { bundleEtcdkeep, bundleStart } from './bundle.ts';
import { downloadPackages } from './debian.ts';
import { makeExecutable, nodeFlags } from './executable.ts';
import { makeImage } from './image.ts';
import { ownEntries, PACKAGES, systemEntries } from './image-root.ts';
import { licensesOf } from './licenses.ts';
import { findRuntime } from './runtime.ts';
import { type Contents, makeSbom } from './sbom.ts';

const home = fileURLToPath(new URL('../..', import.meta.url));
const { values } = parseArgs({
  options: {
    arch: { type: 'string', multiple: true, default: [...ARCHITECTURES] },
    out: { type: 'string', default: join(home, 'dist') },
    'no-image': { type: 'boolean', default: false },
  },
});
if (!values.arch.every(isArchitecture)) {
  console.error(`--arch is one of ${ARCHITECTURES.join(', ')}`);
  process.exit(2);
}
const { version } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as {
  version: string;
};
const { scripts, packages } = await bundleEtcdkeep(home);
const parts = { start: await bundleStart(home), assets: scripts, flags: await nodeFlags(home) };
await mkdir(values.out, { recursive: true });
for (const architecture of values.arch) await build(architecture);

async function build(architecture: Architecture): Promise<void> {
  const runtime = await findRuntime(home, architecture, temporaryDirectory());
  if (process.version !== `v${runtime.version}`) {
    throw new Error(`built by Node ${process.version}, and Node ${runtime.version} goes into it`);
  }
  const contents: Contents = { home, version, architecture, packages, runtime };
  const executable = await makeExecutable(runtime.program, parts, temporaryDirectory());
  const licenses = await licensesOf(home, packages, runtime);
  const name = `etcdkeep-linux-${architecture}`;
  const bytes = await readFile(executable);
  await put(name, bytes, 0o755);
  await put(`${name}.cdx.json`, await makeSbom(contents));
  await put(`${name}.LICENSES`, licenses);
  console.log(`${' '.repeat(8)}${formatBytes(zstdCompressSync(bytes).length)} as zstd`);
  if (values['no-image']) return;
  const system = await downloadPackages(architecture, PACKAGES, temporaryDirectory());
  const layers = [systemEntries(architecture, system), ownEntries(bytes, licenses)];
  const image = `etcdkeep-image-linux-${architecture}`;
  await put(`${image}.tar`, await makeImage({ architecture, version, layers }));
  await put(`${image}.cdx.json`, await makeSbom(contents, system));
}

async function put(name: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const path = join(values.out, name);
  // A new file: the old one may be running.
  await rm(path, { force: true });
  await writeFile(path, content);
  await chmod(path, mode);
  const digest = createHash('sha256').update(content).digest('hex');
  console.log(`${digest}  ${name}, ${formatBytes(Buffer.byteLength(content))}`);
}
