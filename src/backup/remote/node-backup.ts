// A backup that a node takes of itself, told to from here: what it reports is reported on.

import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { EtcdkeepError } from '../../base/errors.ts';
import { type NodeShell, nodeCommandFailed } from '../../controlplane/node-shell.ts';
import type { Report } from '../events.ts';
import { decodeMessage, type NodeBackup, receivedError } from './messages.ts';

export interface NodeBackupRequest {
  readonly shell: NodeShell;
  readonly node: string;
  /** etcdkeep on the host. */
  readonly executable: string;
  /** Where the backup goes, on the host. */
  readonly directory: string;
  /** Flags of `etcdkeep backup`. */
  readonly flags: readonly string[];
  readonly report: Report;
}

/**
 * Takes it. The node's run ends with the connection.
 * @throws EtcdkeepError what the run on the node has thrown, with the name of the node; `exec-broken`, `exec-failed`,
 * `node-command-failed`; the shell's signal's reason
 */
export async function backUpOnNode(request: NodeBackupRequest): Promise<NodeBackup> {
  const { shell, node, executable, directory, flags, report } = request;
  const command = [executable, 'node-agent', 'backup', ...flags, '--', directory];
  const running = await shell.run(command, { hasStdin: true });
  let backup: NodeBackup | undefined;
  let failure: EtcdkeepError | undefined;
  const listen = async (): Promise<void> => {
    for await (const line of createInterface({ input: running.stdout })) {
      const message = decodeMessage(line);
      if (message?.kind === 'event') report(message.event);
      else if (message?.kind === 'done') ({ backup } = message);
      else if (message?.kind === 'failed') failure = receivedError(message.error, node);
    }
  };
  const [stderr, code] = await Promise.all([text(running.stderr), running.exit, listen()]);
  if (failure !== undefined) throw failure;
  if (code === 0 && backup !== undefined) return backup;
  throw nodeCommandFailed('take a backup', code, stderr);
}
