// Programs of Kubernetes, built from its published Go modules: some minutes for the first one, less for those after it.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastLine, runCommand } from './command.ts';
import { madeWithGo } from './go-build.ts';
import { type FoundPart, findPart, type Part, preparePart } from './parts.ts';

export const KUBERNETES_VERSION = '1.36.3';

export type KubernetesProgram =
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-scheduler'
  | 'kubectl'
  | 'kubelet';

const MODULE = 'k8s.io/kubernetes';

/** Far beyond the six minutes that it takes on two cores. */
const BUILD_TIMEOUT_MS = 40 * 60_000;

/** One of its programs. */
export function kubernetesProgram(name: KubernetesProgram): Part {
  const made = madeWithGo((scratch, directory) => build(scratch, name, join(directory, name)));
  return { name, version: KUBERNETES_VERSION, ...made };
}

const API_SERVER: Part = {
  ...kubernetesProgram('kube-apiserver'),
  isThis: async (installed) => {
    const { stdout } = await runCommand(installed, ['--version'], { timeoutMs: 10_000 });
    return stdout.trim() === `Kubernetes v${KUBERNETES_VERSION}`;
  },
};

/** kube-apiserver, if it is there already. */
export function findApiServer(): Promise<FoundPart> {
  return findPart(API_SERVER);
}

/** kube-apiserver, built if need be. */
export function prepareApiServer(): Promise<FoundPart> {
  return preparePart(API_SERVER);
}

async function build(scratch: string, name: KubernetesProgram, output: string): Promise<void> {
  const program = `${MODULE}/cmd/${name}`;
  await writeFile(join(scratch, 'go.mod'), await scratchModule(scratch));
  await go(scratch, ['get', `${program}@v${KUBERNETES_VERSION}`]);
  const [major, minor] = KUBERNETES_VERSION.split('.');
  const version = 'k8s.io/component-base/version';
  // Without these it calls itself v0.0.0.
  const ldflags = [
    '-s -w',
    `-X ${version}.gitVersion=v${KUBERNETES_VERSION}`,
    `-X ${version}.gitMajor=${major} -X ${version}.gitMinor=${minor}`,
  ].join(' ');
  await go(scratch, ['build', '-trimpath', '-ldflags', ldflags, '-o', output, program]);
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
