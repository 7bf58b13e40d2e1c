// etcdkeep restore --status: how far a restored cluster has recovered, seen from one of its hosts or through its API.

import type { Missing } from '../backup/restore/recovery.ts';
import { EtcdkeepError } from '../base/errors.ts';
import type { Host } from '../controlplane/host.ts';
import type { OutputFlags } from './common-flags.ts';
import type { CommandContext } from './context.ts';
import { ETCD_FLAGS, type EtcdFlags } from './etcd-flags.ts';
import { parseDuration } from './parse.ts';
import { API_FLAGS, type ApiFlags, flagOf, openApi } from './remote-flags.ts';
import {
  clusterDocument,
  concludeStatus,
  missingTeller,
  showClusterStatus,
  showRestoreStatus,
  statusDocument,
} from './restore-status-screen.ts';
import { type Screen, withScreen } from './screen.ts';

export interface StatusFlags extends ApiFlags {
  readonly root?: string;
  readonly watch?: boolean;
  readonly timeout?: number;
}

type Flags = StatusFlags & EtcdFlags & OutputFlags;

export const STATUS_FLAGS = {
  watch: {
    kind: 'boolean',
    optional: true,
    brief: 'with --status: look again until the cluster has recovered; on a terminal it does',
  },
  timeout: {
    kind: 'parsed',
    parse: parseDuration,
    optional: true,
    placeholder: 'duration',
    brief: 'with --status: the same for no longer than this',
  },
  ...API_FLAGS,
} as const;

const LOOK_INTERVAL_MS = 5000;

/** What names a cluster from elsewhere. */
const OF_API = ['kubeconfig', 'context', 'as', 'asGroup'] as const;
const OF_HOST = ['root', ...(Object.keys(ETCD_FLAGS) as (keyof EtcdFlags)[])] as const;

/**
 * Refuses what would be left out in silence.
 * @param stamp of --status; undefined without it
 * @throws EtcdkeepError `usage`
 */
export function demandStatus(flags: StatusFlags & EtcdFlags, stamp: string | undefined): void {
  const given = <T extends keyof typeof flags>(names: readonly T[]): T | undefined =>
    names.find((one) => flags[one] !== undefined);
  const refuse = (name: string | undefined, why: string): void => {
    if (name !== undefined) throw usage(`${flagOf(name)} says nothing ${why}`);
  };
  if (stamp === undefined) {
    refuse(given([...OF_API, 'watch', 'timeout']), 'without --status');
    return;
  }
  if (flags.as === undefined) refuse(given(['asGroup']), 'without --as');
  if (flags.timeout !== undefined && flags.watch === false) {
    throw usage('--timeout and --no-watch contradict each other');
  }
  const ofApi = given(OF_API);
  if (ofApi === undefined) return;
  refuse(given(OF_HOST), `with ${flagOf(ofApi)}: the API is asked then`);
  if (stamp !== '') throw ofNoHost();
}

/** Shows it. Ends with `cluster-not-recovered` until nothing is missing. */
export async function showStatus(
  context: CommandContext,
  flags: Flags,
  stamp: string,
): Promise<void> {
  const error = await withScreen(context, flags, async (screen) => {
    if (OF_API.some((one) => flags[one] !== undefined)) {
      return await showFromElsewhere(context, flags, screen);
    }
    const host = await hostHere(context, flags);
    if (host !== undefined) return await showOnHost(context, flags, { screen, host, stamp });
    if (stamp !== '') throw ofNoHost();
    return await showFromElsewhere(context, flags, screen);
  });
  if (error !== undefined) throw error;
}

/** Undefined if this is none, and there is a kubeconfig to go by. */
async function hostHere({ uid, process }: CommandContext, flags: Flags): Promise<Host | undefined> {
  const { requireRoot } = await import('../backup/check.ts');
  const { findRestoredHost } = await import('../backup/restore/own-host.ts');
  const isHost = OF_HOST.some((one) => flags[one] !== undefined);
  if (isHost) requireRoot(uid, 'checked');
  try {
    const host = await findRestoredHost(flags.root);
    requireRoot(uid, 'checked');
    return host;
  } catch (reason) {
    const isNone = reason instanceof EtcdkeepError && reason.code === 'not-a-control-plane-host';
    if (!isNone || isHost) throw reason;
    const { findApiAccess } = await import('../kubernetes/kubeconfig-files.ts');
    const { env } = process;
    await findApiAccess({ kubeconfig: undefined, context: undefined, env }).catch(
      (missing: unknown) => {
        if (!(missing instanceof EtcdkeepError) || missing.code !== 'kubeconfig-missing') {
          throw missing;
        }
        throw new EtcdkeepError('not-a-control-plane-host', reason.message, {
          ...reason.position,
          advice: 'run it on the host that was restored, or name a kubeconfig with --kubeconfig',
        });
      },
    );
    return undefined;
  }
}

async function showOnHost(
  context: CommandContext,
  flags: Flags,
  { screen, host, stamp }: { readonly screen: Screen; readonly host: Host; readonly stamp: string },
): Promise<EtcdkeepError | undefined> {
  const { statusOf } = await import('../backup/restore/status.ts');
  const { missingOnHost } = await import('../backup/restore/recovery.ts');
  const look = () => statusOf(host, stamp === '' ? undefined : stamp, context);
  const { status, missing } = await followed(context, flags, {
    screen,
    look,
    judge: missingOnHost,
  });
  showRestoreStatus(screen, status);
  return concludeStatus(screen, missing, statusDocument(status));
}

async function showFromElsewhere(
  context: CommandContext,
  flags: Flags,
  screen: Screen,
): Promise<EtcdkeepError | undefined> {
  const { askCluster } = await import('../backup/restore/cluster-status.ts');
  const { missingInCluster } = await import('../backup/restore/recovery.ts');
  using closing = new DisposableStack();
  const api = await openApi(flags, context);
  closing.defer(() => api.close());
  const { status, missing } = await followed(context, flags, {
    screen,
    look: () => askCluster(api, context.now),
    judge: missingInCluster,
  });
  showClusterStatus(screen, status);
  return concludeStatus(screen, missing, clusterDocument(status));
}

async function followed<T>(
  { process, signal }: CommandContext,
  { watch, timeout, output }: Flags,
  parts: {
    readonly screen: Screen;
    readonly look: () => Promise<T>;
    readonly judge: (status: T) => readonly Missing[];
  },
) {
  const { follow } = await import('../backup/restore/follow.ts');
  const { screen, look, judge } = parts;
  // A program that wants a document, and whoever reads a pipe, want it now.
  const isWatched = process.stdout.isTTY && output === 'text';
  screen.progress.start('looking');
  const found = await follow(look, judge, {
    isFollowed: watch ?? (timeout !== undefined || isWatched),
    timeoutMs: timeout,
    intervalMs: LOOK_INTERVAL_MS,
    signal,
    report: missingTeller(screen),
    clock: () => performance.now(),
  });
  screen.progress.start('');
  return found;
}

function ofNoHost(): EtcdkeepError {
  return usage(
    '--status takes no stamp from elsewhere',
    'only the host that was restored knows it',
  );
}

function usage(why: string, advice?: string): EtcdkeepError {
  return new EtcdkeepError('usage', why, advice === undefined ? {} : { advice });
}
