// What is done on the host itself, as by ssh: its data are destroyed, and etcdkeep restores them.

import { readdirSync, readFileSync } from 'node:fs';
import { copyFile, cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runCli } from '../cli/run.ts';
import { EXECUTABLE } from '../executable/built.ts';
import type { CommandResult } from '../servers/command.ts';
import { demand, type Lab, succeeded, until } from './lab.ts';

/** Where an administrator puts the backup. */
const BACKUP = '/home/core/backup';
const RESTORES = 'var/lib/etcdkeep/restores';
const DATA = 'var/lib/etcd/member';

const RESTORE_TIMEOUT_MS = 15 * 60_000;

const ETCD_MANIFESTS = { openshift: 'etcd-pod.yaml', kubeadm: 'etcd.yaml' } as const;
const STOPPED = {
  openshift: '/home/core/assets/manifests-stopped',
  kubeadm: '/etc/kubernetes/manifests-stopped',
} as const;

/** In which state etcd is when its data are lost: it runs on with files that have no names any more, was stopped, or has crashed. */
export type Loss = 'running' | 'stopped' | 'crashed';

/** Puts the one file that is shipped where docs/install.md says. */
export async function installExecutable({ node }: Lab): Promise<void> {
  await copyFile(EXECUTABLE, node.path('usr/local/bin/etcdkeep'));
}

/** Brings files of the laptop's backup to the host, and nothing else is there. */
export async function bringBackup(
  { node, backups }: Lab,
  wanted: (name: string) => boolean,
): Promise<void> {
  const there = node.path(BACKUP);
  await rm(there, { recursive: true, force: true });
  await mkdir(there, { recursive: true });
  for (const name of readdirSync(backups).filter(wanted)) {
    await cp(join(backups, name), join(there, name));
  }
}

/** The data directory is gone, as with its disk. */
export async function destroy(lab: Lab, loss: Loss): Promise<void> {
  if (loss === 'stopped') await onHost(lab, stopScript(lab));
  await onHost(lab, `rm -rf /${DATA}`);
  if (loss !== 'crashed') return;
  await onHost(lab, 'kill -KILL $(pgrep -x etcd)');
  await until('without a ready API', lab, async () =>
    (await lab.node.api.isReady()) ? 'it is ready' : undefined,
  );
}

/** Stops etcd as OpenShift's disable-etcd.sh does: the manifest is moved away, and the container waited for. */
function stopScript({ layout }: Lab): string {
  const manifest = `/etc/kubernetes/manifests/${ETCD_MANIFESTS[layout]}`;
  return `mkdir -p ${STOPPED[layout]}
    mv ${manifest} ${STOPPED[layout]}/
    while [ -n "$(crictl ps --label io.kubernetes.container.name=etcd -q)" ]; do sleep 0.2; done`;
}

/** `etcdkeep restore` in whole. @returns what it printed */
export async function restore(lab: Lab, what: readonly string[]): Promise<string> {
  const line = ['etcdkeep', 'restore', ...what];
  const outcome = await lab.node.run(line, { timeoutMs: RESTORE_TIMEOUT_MS });
  return succeeded(line.join(' '), outcome) + outcome.stderr;
}

export const FROM_BACKUP = ['--yes', BACKUP] as const;

/** A step of a restore, and whether it was begun or done: as its journal says. */
export type Moment = readonly [step: string, state: 'begun' | 'done'];

/** Kills a restore as soon as its journal says that it is there. Throws if the next thing was done by then. */
export async function killRestore(lab: Lab, at: Moment, next: Moment): Promise<void> {
  const known = stamps(lab);
  const { code } = await runAndKill(lab, at);
  demand(code === 137, `the restore that was to be killed ended with ${code}`);
  const [stamp, ...others] = stamps(lab).filter((one) => !known.includes(one));
  demand(stamp !== undefined && others.length === 0, `new restores: ${[stamp, ...others].join()}`);
  const journal = readFileSync(lab.node.path(RESTORES, stamp!, 'journal'), 'utf8');
  demand(journal.includes(entry(at)), `it was killed before ${at.join(' ')}`);
  demand(!journal.includes(entry(next)), `it was killed too late, after ${next.join(' ')}`);
}

function runAndKill({ node }: Lab, at: Moment): Promise<CommandResult> {
  // Without a pipe or a subshell: the process that is killed is the restore.
  const script = `shopt -s nullglob
    known=(/${RESTORES}/*/journal)
    etcdkeep restore ${FROM_BACKUP.join(' ')} >/var/log/killed-restore.log 2>&1 &
    while kill -0 $! 2>/dev/null; do
      journals=(/${RESTORES}/*/journal)
      if [ \${#journals[@]} -gt \${#known[@]} ] && [[ $(<"\${journals[-1]}") == *'${entry(at)}'* ]]; then kill -KILL $!; break; fi
      sleep 0.005
    done
    wait $!`;
  return node.run(['bash', '-c', script], { timeoutMs: RESTORE_TIMEOUT_MS });
}

function entry([step, state]: Moment): string {
  return `"step":"${step}","state":"${state}"`;
}

function stamps({ node }: Lab): string[] {
  try {
    return readdirSync(node.path(RESTORES)).sort();
  } catch (reason) {
    if ((reason as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw reason;
  }
}

export interface StatusDocument {
  readonly phase: string;
  readonly etcd: { readonly seen?: { readonly revision: string }; readonly unknown?: string };
  readonly lists: {
    readonly seen?: { readonly compared: number; readonly stale: readonly string[] };
    readonly unknown?: string;
  };
  readonly nodes: {
    readonly seen?: readonly { readonly name: string; readonly isReady: boolean }[];
    readonly unknown?: string;
  };
}

/** `etcdkeep restore --status` of the newest restore. */
export async function restoreStatus({ node }: Lab): Promise<StatusDocument> {
  const line = ['etcdkeep', 'restore', '--status', '--output', 'json'];
  const { code, stdout, stderr } = await node.run(line);
  // 5: something is missing yet, and the document says what.
  demand(code === 0 || code === 5, `${line.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
  return JSON.parse(stdout) as StatusDocument;
}

/** The same from the laptop, which has the API alone. */
export async function clusterStatus({ node }: Lab): Promise<Pick<StatusDocument, 'lists'>> {
  const line = ['restore', '--status', '--kubeconfig', node.kubeconfig, '--output', 'json'];
  const { code, stdout, stderr } = await runCli(line);
  demand(code === 0 || code === 5, `${line.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
  return JSON.parse(stdout) as StatusDocument;
}

/** Up to where the newest restore raised the revision. */
export function plannedRevision(lab: Lab): bigint {
  const text = readFileSync(lab.node.path(RESTORES, stamps(lab).at(-1)!, 'plan.json'), 'utf8');
  return BigInt((JSON.parse(text) as { readonly bump: { readonly to: string } }).bump.to);
}

/** What is done by hand where nobody thinks of revisions: only etcd is stopped, and started on what the snapshot holds. */
export async function restoreWithoutBump(lab: Lab): Promise<void> {
  const { layout, node } = lab;
  const url = `https://${node.address}:2380`;
  const manifest = ETCD_MANIFESTS[layout];
  await onHost(
    lab,
    `${stopScript(lab)}
    rm -rf /${DATA} /var/lib/etcd/by-hand
    etcdkeep snapshot restore ${BACKUP}/snapshot_*.db --data-dir /var/lib/etcd/by-hand --name ${node.nodeName} \
      --initial-cluster ${node.nodeName}=${url} --initial-advertise-peer-urls ${url}
    mv /var/lib/etcd/by-hand/member /${DATA}
    rmdir /var/lib/etcd/by-hand
    mv ${STOPPED[layout]}/${manifest} /etc/kubernetes/${manifest}
    mv /etc/kubernetes/${manifest} /etc/kubernetes/manifests/${manifest}`,
  );
}

/** How many containers of a name run on the host, whatever the API says. */
export async function containersOf({ node }: Lab, name: string): Promise<number> {
  const line = ['crictl', 'ps', '--label', `io.kubernetes.container.name=${name}`, '-q'];
  return succeeded(line.join(' '), await node.run(line))
    .split('\n')
    .filter(Boolean).length;
}

/** What a failure is looked into with. */
export async function evidence({ node }: Lab): Promise<string> {
  const script = `crictl ps -a; tail -n 30 /${RESTORES}/*/journal | cut -c -200; cat /var/log/killed-restore.log 2>/dev/null
    grep -E '^[EW]' /var/log/kubelet.log | tail -n 20 | cut -c -300`;
  const { stdout, stderr } = await node.run(['bash', '-c', script]);
  return `${stdout}${stderr}`;
}

async function onHost({ node }: Lab, script: string): Promise<void> {
  succeeded(script, await node.run(['bash', '-euc', script], { timeoutMs: RESTORE_TIMEOUT_MS }));
}
