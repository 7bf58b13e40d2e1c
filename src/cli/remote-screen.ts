// How a backup looks that is taken from a workstation: the lines of the host's own, with what is told of the way there and back.

import type { NodeState } from '../backup/remote/check-node.ts';
import { memberWords } from '../backup/remote/choose-node.ts';
import type { RemoteEvent } from '../backup/remote/events.ts';
import type { RemoteBackup } from '../backup/remote/take-from-node.ts';
import { formatBytes } from '../base/units.ts';
import { BackupScreen, LAYOUT_WORDS } from './backup-screen.ts';
import type { Screen } from './screen.ts';

/** The nodes of the control plane, a line each. */
export function answerNodes(screen: Screen, nodes: readonly NodeState[]): void {
  const width = Math.max(...nodes.map(({ name }) => name.length));
  for (const { name, node, member, freeBytes } of nodes) {
    const facts = [
      ...(node === undefined ? [] : [node.isReady ? 'ready' : 'not ready']),
      member === undefined ? 'no member known' : `its member ${memberWords(member)}`,
      ...(freeBytes === undefined ? [] : [`${formatBytes(freeBytes)} free`]),
      ...(node?.hasDiskPressure === true ? ['short of disk space'] : []),
    ];
    screen.answer(`  ${name.padEnd(width)}  ${facts.join(' · ')}`);
  }
}

/** The same for a program. */
export function nodesDocument(nodes: readonly NodeState[]): object[] {
  return nodes.map(({ name, node, member, freeBytes }) => ({
    name,
    ready: node?.isReady,
    diskPressure: node?.hasDiskPressure,
    freeBytes,
    member:
      member === undefined
        ? undefined
        : {
            serves: member.silent === undefined,
            reason: member.silent,
            leader: member.isLeader,
            learner: member.isLearner,
            lag: member.lag,
            alarms: member.alarms,
            databaseBytes: member.databaseBytes,
          },
  }));
}

export class RemoteScreen {
  readonly #screen: Screen;
  readonly #backup: BackupScreen;
  #isFetching = false;
  #isVerifying = false;

  constructor(screen: Screen) {
    this.#screen = screen;
    this.#backup = new BackupScreen(screen);
  }

  draw(event: RemoteEvent): void {
    const screen = this.#screen;
    switch (event.kind) {
      case 'node-chosen':
        screen.tell('node', `${event.node} · ${LAYOUT_WORDS[event.layout]}; ${event.why}`);
        break;
      case 'cluster-proxy':
        screen.tell('proxy', `${event.words}; nothing of a backup goes through it`);
        break;
      case 'reaching-node':
        screen.progress.start('reaching');
        break;
      case 'node-reached':
        screen.tell('through', event.way);
        screen.progress.start('sending');
        break;
      case 'executable-sent':
        screen.tell(
          'sent',
          `etcdkeep itself, ${formatBytes(event.bytes)}; it is removed at the end`,
        );
        screen.progress.start('checking');
        break;
      case 'fetching':
        if (!this.#isFetching) screen.progress.start('home');
        this.#isFetching = true;
        screen.progress.advance(event.bytes, event.totalBytes);
        break;
      case 'connection-lost':
        screen.warn(`${event.why}; going on where it was`);
        break;
      case 'verifying':
        if (!this.#isVerifying) screen.progress.start('verify');
        this.#isVerifying = true;
        screen.progress.advance(event.bytes, event.totalBytes);
        break;
      case 'leaving-node':
        screen.progress.start('cleaning up');
        break;
      case 'host-found':
        // Said already, of the node.
        break;
      default:
        this.#backup.draw(event);
    }
  }

  /** The last lines. */
  finish(result: RemoteBackup): void {
    if (result.kind === 'home') {
      this.#backup.finish(result.backup);
      return;
    }
    const { directory, backup } = result;
    const { directory: apart } = backup.record.resources;
    this.#backup.finish({ ...backup, target: { directory, resources: apart ?? directory } });
  }
}
