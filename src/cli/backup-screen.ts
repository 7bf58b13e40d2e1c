// How a backup looks. The lines on stdout are those of the documented procedure, in its wording;
// each is printed when it has become true.

import { join } from 'node:path';
import { NEEDED } from '../backup/checks/catalog.ts';
import type { BackupEvent } from '../backup/events.ts';
import type { Backup } from '../backup/take.ts';
import type { LayoutName } from '../controlplane/host.ts';
import { checkLine, checkSummary } from './check-screen.ts';
import type { Screen } from './screen.ts';
import { drawTransfer, statusLine, tellProof } from './snapshot-screen.ts';
import { VERSION } from './version.ts';

/** Layouts in words. */
export const LAYOUT_WORDS: Readonly<Record<LayoutName, string>> = {
  openshift: 'OpenShift layout',
  kubeadm: 'kubeadm layout',
};

/** Checks that advise to take the backup on another host. */
const BEHIND: readonly string[] = ['lag', 'learner', 'hashes-agree'];

export class BackupScreen {
  readonly #screen: Screen;
  readonly #podLabel: (pod: string) => string;
  readonly #saidPods = new Set<string>();

  /** @param podLabel how a static pod is called in the line that it is found; by its name if left out */
  constructor(
    screen: Screen,
    { podLabel = (pod) => pod }: { readonly podLabel?: (pod: string) => string } = {},
  ) {
    this.#screen = screen;
    this.#podLabel = podLabel;
  }

  draw(event: BackupEvent): void {
    const screen = this.#screen;
    switch (event.kind) {
      case 'host-found':
        tellHost(screen, event);
        break;
      case 'checks-made':
        this.#drawChecks(event);
        break;
      case 'static-pod-found':
        this.#drawPod(event);
        break;
      case 'snapshot-started':
        // Where the script prints the version of the etcdctl that it pulled.
        screen.answer(`etcdkeep version: ${VERSION}`);
        screen.answer(`etcd version: ${event.member.version}`);
        drawTransfer(screen, event);
        break;
      case 'archive-started':
        screen.progress.start('archive');
        break;
      case 'archive-outdated':
        screen.warn('the static resources changed while they were archived; archiving them again');
        break;
      case 'warning':
        screen.warn(event.words);
        break;
      default:
        drawTransfer(screen, event);
    }
  }

  #drawPod({ pod, path }: Extract<BackupEvent, { kind: 'static-pod-found' }>): void {
    if (this.#saidPods.has(path)) return;
    this.#saidPods.add(path);
    this.#screen.answer(`found latest ${this.#podLabel(pod)}: ${path}`);
  }

  /** Those that passed are counted, the others are shown. */
  #drawChecks({ checks, skipped }: Extract<BackupEvent, { kind: 'checks-made' }>): void {
    const screen = this.#screen;
    screen.tell('checks', checkSummary(checks, skipped.length));
    for (const check of checks)
      if (check.result !== 'passed') screen.line(checkLine(check, NEEDED));
  }

  /** The last lines, when the backup is complete. */
  finish({ target, files, snapshot, record }: Backup): void {
    const screen = this.#screen;
    const { directory } = target;
    const places = [...new Set([directory, target.resources])].join(' and ');
    const { storageVersion } = snapshot.status;
    screen.answer(`Snapshot saved at ${join(directory, files.snapshot)}`);
    if (storageVersion !== undefined) screen.answer(`Server version ${storageVersion}`);
    screen.answer(statusLine(snapshot));
    screen.answer(`snapshot db and kube resources are successfully saved to ${places}`);
    screen.blank();
    tellProof(screen, snapshot);
    tellKeys(screen, record.resources);
    screen.tell('next', `etcdkeep verify ${directory}      proves it again, from its files alone`);
    // Where the member is behind, the backup of another host is the better one.
    if (record.checks.some(({ name, result }) => BEHIND.includes(name) && result === 'failed'))
      return;
    screen.tell(
      'cluster',
      'this is its backup: none of another host is needed, and files of two do not mix',
    );
  }
}

/** Which host it is, and what of its settings is used. */
export function tellHost(
  screen: Screen,
  host: { readonly name: string; readonly layout: LayoutName; readonly proxy: string | undefined },
): void {
  screen.tell('host', `${host.name} · ${LAYOUT_WORDS[host.layout]}`);
  if (host.proxy !== undefined) screen.tell('proxy', `${host.proxy}; etcd is reached without it`);
}

/** The archive holds the encryption keys, and the cluster's private keys even without any. */
function tellKeys(screen: Screen, resources: Backup['record']['resources']): void {
  const { file, directory, encryption } = resources;
  const path = directory === undefined ? file : join(directory, file);
  if (!encryption.on) {
    screen.tell('keys', `${path} holds the cluster's private keys: keep it as safe as they are`);
    return;
  }
  const names = encryption.keyNames.map((name) => `"${name}"`).join(', ');
  const noun = encryption.keyNames.length === 1 ? 'key' : 'keys';
  screen.tell('encryption', `on (${encryption.providers.join(', ')}, ${noun} ${names}): ${path}`);
  screen.tellMore(
    directory === undefined
      ? 'holds what opens the snapshot and lies beside it. Keep them apart: --static-resources-dir DIR'
      : 'holds what opens the snapshot, and lies apart from it. A restore needs both.',
  );
}
