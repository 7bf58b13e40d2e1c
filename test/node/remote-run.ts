// Backups of a node that are taken from here, and what of them may not stay.
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import type { CliRun } from '../cli/run.ts';
import type { ControlPlaneNode } from '../servers/node/node.ts';

const MANAGED = ['pods', '-A', '-l', 'app.kubernetes.io/managed-by=etcdkeep', '--no-headers'];

/** Where the directories of runs are on a node. */
export const NODE_DIRECTORIES = '/var/lib/etcdkeep/nodes';

/** Flags of a backup through the API of a node. */
export function through(node: ControlPlaneNode, ...flags: readonly string[]): string[] {
  const defaults = { '--node': node.nodeName, '--kubeconfig': node.kubeconfig };
  const others = Object.entries(defaults).filter(
    ([name]) => !flags.some((flag) => flag.startsWith(`${name}=`)),
  );
  return ['backup', ...others.flat(), ...flags];
}

/** What a run has left on the node: directories, and lines of pods. */
export async function leftOn(node: ControlPlaneNode): Promise<string[]> {
  const { stdout } = await node.kubectl(['get', ...MANAGED]);
  const ls = await node.run(['ls', NODE_DIRECTORIES]);
  return [...ls.stdout.split('\n'), ...stdout.split('\n')].filter((line) => line !== '');
}

/** Every file below a directory with its contents, to be compared with what it was. */
export function contentsOf(directory: string): Record<string, string> {
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile());
  const paths = files.map((file) => join(file.parentPath, file.name)).sort();
  return Object.fromEntries(paths.map((path) => [path, readFileSync(path, 'base64')]));
}

/** What `fill` puts into etcd. */
const FILLINGS = 16;
const FILLING_BYTES = 900_000;

/** Makes a backup of what takes a while to come: nothing of it can be packed. */
export async function fill(node: ControlPlaneNode): Promise<void> {
  for (let index = 0; index < FILLINGS; index += 1) {
    await node.api.request('POST', '/api/v1/namespaces/default/configmaps', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `filling-${index}` },
      binaryData: { bytes: randomBytes(FILLING_BYTES).toString('base64') },
    });
  }
}

/** Until a run has said something. */
export async function said(run: CliRun, words: string): Promise<void> {
  const check = (): void => {
    if (!run.stderr.includes(words)) throw new Error(`it has not said "${words}": ${run.stderr}`);
  };
  await vi.waitFor(check, { timeout: 60_000, interval: 20 });
}
