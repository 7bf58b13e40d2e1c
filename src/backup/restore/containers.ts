// The containers of the host, as its runtime's crictl knows them.

import type { Host } from '../../controlplane/host.ts';
import { findHostCommand, runHostCommand } from '../../controlplane/host-command.ts';

/** The runtime answers at once, or not at all. */
const TIMEOUT_MS = 10_000;

const LOG_LINES = 20;

/**
 * Which of some containers run.
 * @param names of the containers in their pods, as the CRI knows them
 * @returns undefined where nobody can tell: there is no crictl, or its runtime does not answer
 */
export async function runningContainers(
  host: Host,
  names: readonly string[],
): Promise<readonly string[] | undefined> {
  const crictl = await findHostCommand(host, 'crictl');
  if (crictl === undefined) return undefined;
  const running: string[] = [];
  for (const name of names) {
    // As the host's own scripts ask (cluster-etcd-operator, bindata/etcd/etcd-common-tools).
    const label = `io.kubernetes.container.name=${name}`;
    const { code, stdout } = await runHostCommand(
      crictl,
      ['ps', '--label', label, '-q'],
      TIMEOUT_MS,
    );
    if (code !== 0) return undefined;
    if (stdout.trim() !== '') running.push(name);
  }
  return running;
}

/** The end of the log of the newest container of that name, also of one that has ended; nothing where it cannot be had. */
export async function endOfLog(host: Host, name: string): Promise<readonly string[]> {
  const crictl = await findHostCommand(host, 'crictl');
  if (crictl === undefined) return [];
  const label = `io.kubernetes.container.name=${name}`;
  const listed = await runHostCommand(
    crictl,
    ['ps', '-a', '--latest', '--label', label, '-q'],
    TIMEOUT_MS,
  );
  const id = listed.stdout.trim().split('\n')[0]!;
  if (listed.code !== 0 || id === '') return [];
  const { stdout, stderr } = await runHostCommand(
    crictl,
    ['logs', '--tail', `${LOG_LINES}`, id],
    TIMEOUT_MS,
  );
  return `${stdout}${stderr}`.trimEnd().split('\n').slice(-LOG_LINES);
}
