// etcd built from its published Go modules, as upstream releases them: no cgo, no paths, stripped.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fillCache, releaseDirectory } from './cache.ts';
import { lastLine, runCommand } from './command.ts';
import { removeTemporaryDirectory, temporaryDirectory } from './directories.ts';
import { findOnPath } from './processes.ts';

/** Program name and the module whose root is its main package. */
const MODULES = {
  etcd: 'go.etcd.io/etcd/server/v3',
  etcdctl: 'go.etcd.io/etcd/etcdctl/v3',
  etcdutl: 'go.etcd.io/etcd/etcdutl/v3',
};

/** Far beyond the minute that one program takes on two cores. */
const BUILD_TIMEOUT_MS = 15 * 60_000;

/** Whether there is a Go to build with. */
export function canBuild(): boolean {
  return findOnPath('go') !== undefined;
}

/** Builds one release into the cache. Throws an Error with the reason. */
export async function buildRelease(version: string): Promise<void> {
  const scratch = temporaryDirectory();
  try {
    await requireModules(scratch, Object.values(MODULES), version);
    await fillCache(releaseDirectory(version), async (directory) => {
      for (const [name, module] of Object.entries(MODULES)) {
        await build(scratch, module, join(directory, name), version);
      }
    });
  } finally {
    removeTemporaryDirectory(scratch);
  }
}

/**
 * Builds one program of any published module.
 * @param scratch an empty directory
 * @param program.main the package, where it is not the module's root
 */
export async function buildProgram(
  scratch: string,
  program: { readonly module: string; readonly main: string; readonly version: string },
  output: string,
): Promise<void> {
  const { module, main, version } = program;
  await requireModules(scratch, [module], version);
  await build(scratch, main, output, version);
}

/**
 * Makes a module that requires others, because `go install` refuses modules that have a replace directive.
 * Since go 1.17 a module's dependencies are the versions its own go.mod lists; without the line
 * go takes the newest that anything in the whole graph asks for, and 3.5 does not compile.
 */
async function requireModules(
  scratch: string,
  modules: readonly string[],
  version: string,
): Promise<void> {
  const requirements = modules.map((module) => `\t${module} v${version}`).join('\n');
  const text = `module etcdkeep.test/servers\n\ngo 1.17\n\nrequire (\n${requirements}\n)\n`;
  await writeFile(join(scratch, 'go.mod'), text);
}

async function build(
  scratch: string,
  module: string,
  output: string,
  version: string,
): Promise<void> {
  // -mod=mod lets go add the indirect requirements and go.sum by itself.
  const args = ['build', '-mod=mod', '-trimpath', '-ldflags', '-s -w', '-o', output, module];
  const { code, stderr } = await runCommand('go', args, {
    cwd: scratch,
    env: { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false', GOWORK: 'off' },
    timeoutMs: BUILD_TIMEOUT_MS,
  });
  if (code !== 0) {
    throw new Error(`go build ${module} v${version} failed: ${lastLine(stderr)}`);
  }
}
