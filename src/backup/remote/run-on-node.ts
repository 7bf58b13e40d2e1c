// What a node is told to do of itself: take a backup, or make the checks alone. What it reports is reported on.

import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { type NodeShell, nodeCommandFailed } from '../../controlplane/node-shell.ts';
import type { CheckedHost } from '../check.ts';
import type { Report } from '../events.ts';
import { decodeMessage, type NodeBackup, type NodeMessage, receivedError } from './messages.ts';

export interface NodeRunRequest {
  readonly shell: NodeShell;
  /** The node's name. */
  readonly name: string;
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
export async function backUpOnNode(request: NodeRunRequest): Promise<NodeBackup> {
  const { message, code, stderr } = await runOnNode(request, 'backup');
  if (message?.kind === 'done') return message.backup;
  throw nodeCommandFailed('take a backup', code, stderr);
}

/** Makes the checks. @throws EtcdkeepError as `backUpOnNode` */
export async function checkOnNode(request: NodeRunRequest): Promise<CheckedHost> {
  const { message, code, stderr } = await runOnNode(request, 'check');
  if (message?.kind === 'checked') return message.host;
  throw nodeCommandFailed('make the checks', code, stderr);
}

/** @returns the last message of a run that ended well */
async function runOnNode(
  { shell, name, executable, directory, flags, report }: NodeRunRequest,
  verb: 'backup' | 'check',
): Promise<{ message: NodeMessage | undefined; code: number; stderr: string }> {
  const command = [executable, 'node-agent', verb, ...flags, '--', directory];
  const running = await shell.run(command, { hasStdin: true });
  let last: NodeMessage | undefined;
  const listen = async (): Promise<void> => {
    for await (const line of createInterface({ input: running.stdout })) {
      const message = decodeMessage(line);
      if (message?.kind === 'event') report(message.event);
      else last = message ?? last;
    }
  };
  const [stderr, code] = await Promise.all([text(running.stderr), running.exit, listen()]);
  if (last?.kind === 'failed') throw receivedError(last.error, name);
  return { message: code === 0 ? last : undefined, code, stderr };
}
