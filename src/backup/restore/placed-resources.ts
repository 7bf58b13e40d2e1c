// What of an archive of static resources is to be put back on the host: compared by contents, decided by the layout.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { readSmallFile } from '../../base/durable-files.ts';
import { EtcdkeepError } from '../../base/errors.ts';
import type { ArchiveInspection } from '../../controlplane/archive-inspection.ts';
import type { InspectedMember } from '../../controlplane/archive-members.ts';
import { type Host, MANIFESTS } from '../../controlplane/host.ts';
import { entryPath, listTrees, type TreeEntry } from '../../controlplane/resource-tree.ts';
import { failed, type Outcome, passed } from '../checks/result.ts';
import type { EtcdManifest } from './etcd-manifest.ts';
import type { PlacedResource } from './plan.ts';

/** More than any file of a control plane's. */
const MAX_FILE_BYTES = 1 << 30;

export interface PlacingRequest {
  readonly host: Host;
  readonly archive: ArchiveInspection;
  readonly manifest: EtcdManifest;
}

/** How each resource of the archive compares with the host; what is done is what is done if no key is missing. */
export function compareResources(request: PlacingRequest): Promise<PlacedResource[]> {
  return request.host.layout === 'openshift' ? compareRevisions(request) : compareFiles(request);
}

/**
 * The same, where the API server has to be given the archive's encryption-config: its manifest as well, which names it.
 * @param configPath of the encryption-config in the archive
 */
export function takingConfig(
  resources: readonly PlacedResource[],
  { host, archive }: PlacingRequest,
  configPath: string,
): PlacedResource[] {
  if (host.layout === 'openshift') {
    const revision = /^(static-pod-resources\/kube-apiserver-pod-\d+)\//.exec(configPath)![1]!;
    const member = `${revision}/kube-apiserver-pod.yaml`;
    const others = resources.filter(({ path }) => path !== `${MANIFESTS}/kube-apiserver-pod.yaml`);
    const path = `${MANIFESTS}/kube-apiserver-pod.yaml`;
    return [...others, { path, kind: 'file', member, state: 'differs', action: 'replace' }];
  }
  const replaced = [`/${configPath}`, `${MANIFESTS}/kube-apiserver.yaml`];
  return resources.map((one) =>
    replaced.includes(one.path) && one.state === 'differs' && isInArchive(archive, one.member)
      ? { ...one, action: 'replace' as const }
      : one,
  );
}

/** On OpenShift a revision never changes: one that differs is damaged, or another cluster's. */
export function checkStaticResources(host: Host, resources: readonly PlacedResource[]): Outcome {
  const left = resources.filter(({ state, action }) => state === 'differs' && action === 'leave');
  const count = (action: PlacedResource['action']): number =>
    resources.filter((one) => one.action === action).length;
  if (left.length > 0) {
    const named = left.slice(0, 3).map(({ path }) => path);
    const more = left.length > named.length ? ` and ${left.length - named.length} more` : '';
    return failed(`left as they are, and other than in the archive: ${named.join(', ')}${more}`);
  }
  if (resources.length === 0) return passed('those of this host stay as they are');
  const what = host.layout === 'openshift' ? 'revisions and manifests' : 'files';
  return passed(
    `${resources.length} ${what}: ${count('place')} to come back, ${count('replace')} to be replaced, ${count('leave')} to stay`,
  );
}

async function compareRevisions({ host, archive }: PlacingRequest) {
  const resources: PlacedResource[] = [];
  for (const { name, revision, path } of archive.pods) {
    const member = `static-pod-resources/${name}-${revision!}`;
    const state = await stateOfDirectory(host, archive, path, member);
    resources.push({ path, kind: 'directory', member, state, action: REVISION_ACTIONS[state] });
    // That of etcd appears at the start, out of the directory of its revision.
    if (name === 'etcd-pod' || (await host.isFile(`${MANIFESTS}/${name}.yaml`))) continue;
    resources.push(placedManifest(`${MANIFESTS}/${name}.yaml`, `${member}/${name}.yaml`));
  }
  return resources;
}

const REVISION_ACTIONS = { missing: 'place', differs: 'replace', same: 'leave' } as const;

function placedManifest(path: string, member: string): PlacedResource {
  return { path, kind: 'file', member, state: 'missing', action: 'place' };
}

/** Files that differ are left: certificates are renewed every year, and those of today are the ones that are valid. */
async function compareFiles({ host, archive, manifest }: PlacingRequest) {
  const resources: PlacedResource[] = [];
  const etcd = manifest.path.slice(1);
  for (const member of archive.members) {
    if (member.kind === 'directory' || !isPlainPath(member.path)) continue;
    if (member.path === etcd) {
      if (manifest.state === 'archived') resources.push(placedManifest(manifest.stopped, etcd));
      continue;
    }
    const path = `/${member.path}`;
    const [found] = await entriesAt(host, path);
    const state =
      found === undefined ? 'missing' : (await isSame(host, member, found)) ? 'same' : 'differs';
    const action = state === 'missing' ? 'place' : 'leave';
    resources.push({ path, kind: 'file', member: member.path, state, action });
  }
  return resources;
}

async function stateOfDirectory(
  host: Host,
  archive: ArchiveInspection,
  path: string,
  directory: string,
): Promise<PlacedResource['state']> {
  const here = (await entriesAt(host, path)).filter(({ type }) => type !== 'directory');
  if (here.length === 0) return 'missing';
  const inArchive = archive.members.filter(
    (member) => member.path.startsWith(`${directory}/`) && member.kind !== 'directory',
  );
  if (here.length !== inArchive.length) return 'differs';
  const byPath = new Map(here.map((entry) => [entry.path, entry]));
  for (const member of inArchive) {
    const entry = byPath.get(member.path);
    if (entry === undefined || !(await isSame(host, member, entry))) return 'differs';
  }
  return 'same';
}

async function isSame(host: Host, member: InspectedMember, entry: TreeEntry): Promise<boolean> {
  if (entry.type === 'symlink') return member.linkTarget === entry.target;
  if (member.sha256 === undefined || member.bytes !== entry.sizeBytes) return false;
  const path = entryPath(host, entry.path);
  const bytes = await readSmallFile(path, `read ${entry.path}`, MAX_FILE_BYTES);
  return createHash('sha256').update(bytes).digest('hex') === member.sha256;
}

/** What is at a path of the host; nothing where there is none. */
async function entriesAt(host: Host, path: string): Promise<readonly TreeEntry[]> {
  try {
    return await listTrees(host, [path]);
  } catch (reason) {
    if (reason instanceof EtcdkeepError && reason.code === 'resources-changing') return [];
    throw reason;
  }
}

function isInArchive(archive: ArchiveInspection, path: string): boolean {
  return archive.members.some((member) => member.path === path && member.sha256 !== undefined);
}

/** An archive may name anything: nothing is put outside of the host's root, or under a name that no screen can show. */
function isPlainPath(path: string): boolean {
  return !path.startsWith('/') && join('/', path) === `/${path}` && !/\p{C}/u.test(path);
}
