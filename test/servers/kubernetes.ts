// kube-apiserver, for tests: found in the cache or on the PATH, or built from Kubernetes' published Go
// modules, which takes some minutes once.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../src/base/errors.ts';
import { cacheDirectory, fillCache, isExecutable, reasonFile, rememberReason } from './cache.ts';
import { lastLine, runCommand } from './command.ts';
import { removeTemporaryDirectory, temporaryDirectory } from './directories.ts';
import { canBuild } from './go-build.ts';
import { findOnPath } from './processes.ts';

export const KUBERNETES_VERSION = '1.36.3';

const NAME = `kube-apiserver-${KUBERNETES_VERSION}`;
const MODULE = 'k8s.io/kubernetes';
const PROGRAM = `${MODULE}/cmd/kube-apiserver`;

/** Far beyond the six minutes that it takes on two cores. */
const BUILD_TIMEOUT_MS = 40 * 60_000;

/** The program, or one sentence that says why it cannot be had. */
export type FoundApiServer =
  | { readonly program: string; readonly source: string }
  | { readonly reason: string };

/** The program, if it is there already. Takes milliseconds and makes nothing. */
export async function findApiServer(): Promise<FoundApiServer> {
  if (await isExecutable(cached())) return { program: cached(), source: 'the cache' };
  const installed = findOnPath('kube-apiserver');
  if (installed !== undefined) {
    const { stdout } = await runCommand(installed, ['--version'], { timeoutMs: 10_000 });
    if (stdout.trim() === `Kubernetes v${KUBERNETES_VERSION}`) {
      return { program: installed, source: 'the PATH' };
    }
  }
  const reason = await readFile(reasonFile(NAME), 'utf8').catch(() => undefined);
  return { reason: reason?.trim() ?? 'it was not prepared (test/servers/prepare.ts)' };
}

/** The program, built if need be. */
export async function prepareApiServer(): Promise<FoundApiServer> {
  const found = await findApiServer();
  if ('program' in found) return found;
  const reason = canBuild()
    ? await build().then(() => undefined, messageOf)
    : 'there is no go to build it with';
  await rememberReason(NAME, reason);
  if (reason !== undefined) return { reason };
  return { program: cached(), source: 'a build of its Go modules' };
}

function cached(): string {
  return join(cacheDirectory(), NAME, 'kube-apiserver');
}

async function build(): Promise<void> {
  const scratch = temporaryDirectory();
  try {
    await writeFile(join(scratch, 'go.mod'), await scratchModule(scratch));
    await go(scratch, ['get', `${PROGRAM}@v${KUBERNETES_VERSION}`]);
    const [major, minor] = KUBERNETES_VERSION.split('.');
    const version = 'k8s.io/component-base/version';
    // Without these it calls itself v0.0.0.
    const ldflags = [
      '-s -w',
      `-X ${version}.gitVersion=v${KUBERNETES_VERSION}`,
      `-X ${version}.gitMajor=${major} -X ${version}.gitMinor=${minor}`,
    ].join(' ');
    await fillCache(join(cacheDirectory(), NAME), async (directory) => {
      const output = join(directory, 'kube-apiserver');
      await go(scratch, ['build', '-trimpath', '-ldflags', ldflags, '-o', output, PROGRAM]);
    });
  } finally {
    removeTemporaryDirectory(scratch);
  }
}

/** Kubernetes' go.mod asks for its own parts at v0.0.0, which exist under v0.<minor>.<patch> alone. */
async function scratchModule(scratch: string): Promise<string> {
  const { stdout } = await go(scratch, [
    'mod',
    'download',
    '-json',
    `${MODULE}@v${KUBERNETES_VERSION}`,
  ]);
  const { GoMod } = JSON.parse(stdout) as { GoMod: string };
  const parts = [...(await readFile(GoMod, 'utf8')).matchAll(/^\t(\S+) v0\.0\.0$/gm)];
  const version = KUBERNETES_VERSION.replace(/^1/, 'v0');
  return [
    'module etcdkeep.test/servers',
    'go 1.26',
    `require ${MODULE} v${KUBERNETES_VERSION}`,
    ...parts.map(([, part]) => `replace ${part!} => ${part!} ${version}`),
    '',
  ].join('\n\n');
}

async function go(scratch: string, args: readonly string[]) {
  const result = await runCommand('go', args, {
    cwd: scratch,
    env: { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false', GOWORK: 'off' },
    timeoutMs: BUILD_TIMEOUT_MS,
  });
  if (result.code !== 0) throw new Error(`go ${args[0]!} failed: ${lastLine(result.stderr)}`);
  return result;
}
