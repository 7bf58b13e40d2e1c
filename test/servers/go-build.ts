// etcd built from its published Go modules, as upstream releases them: no cgo, no paths, stripped.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fillCache, releaseDirectory } from './cache.ts';
import { lastLine, runCommand } from './command.ts';
import { removeTemporaryDirectory, temporaryDirectory } from './directories.ts';
import type { Part } from './parts.ts';
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
        await build(scratch, { main: module, version }, join(directory, name));
      }
    });
  } finally {
    removeTemporaryDirectory(scratch);
  }
}

/** What a program is built from. */
export interface GoSource {
  readonly module: string;
  /** The package. */
  readonly main: string;
  readonly version: string;
  readonly tags?: readonly string[];
}

/** A program of any published module. */
export function goProgram(name: string, source: GoSource): Part {
  const made = madeWithGo(async (scratch, directory) => {
    await requireModules(scratch, [source.module], source.version);
    await build(scratch, source, join(directory, name));
  });
  return { name, version: source.version, ...made };
}

/** How a part is made with Go. @param make is given a scratch directory as well, which is removed afterwards */
export function madeWithGo(
  make: (scratch: string, directory: string) => Promise<void>,
): Pick<Part, 'make' | 'maker'> {
  return {
    maker: 'a build of its Go modules',
    make: async (directory) => {
      if (!canBuild()) throw new Error('there is no go to build it with');
      const scratch = temporaryDirectory();
      try {
        await make(scratch, directory);
      } finally {
        removeTemporaryDirectory(scratch);
      }
    },
  };
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
  { main, version, tags = [] }: Omit<GoSource, 'module'>,
  output: string,
): Promise<void> {
  // -mod=mod lets go add the indirect requirements and go.sum by itself.
  const flags = ['-mod=mod', '-trimpath', '-tags', tags.join(','), '-ldflags', '-s -w'];
  const { code, stderr } = await runCommand('go', ['build', ...flags, '-o', output, main], {
    cwd: scratch,
    env: { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false', GOWORK: 'off' },
    timeoutMs: BUILD_TIMEOUT_MS,
  });
  if (code !== 0) throw new Error(`go build ${main} v${version} failed: ${lastLine(stderr)}`);
}
