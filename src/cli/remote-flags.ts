// Flags of the commands that reach a control-plane host from a workstation: kubectl's own, and ours.

import type { RemoteRequest } from '../backup/remote/take-from-node.ts';
import { EtcdkeepError } from '../base/errors.ts';
import type { CheckFlags } from './check-flags.ts';
import type { TransferFlags } from './common-flags.ts';
import type { CommandContext } from './context.ts';
import { ETCD_FLAGS, type EtcdFlags } from './etcd-flags.ts';
import type { HostFlags } from './host-flags.ts';
import { parseDuration } from './parse.ts';

/** How the API is reached. */
export interface ApiFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly as?: string;
  readonly asGroup?: readonly string[];
  readonly requestTimeout: number;
}

/** How a host is reached. */
export interface ReachFlags extends ApiFlags {
  readonly node?: string;
  readonly ssh?: string;
  readonly executable?: string;
  readonly image?: string;
  readonly toNamespace?: string;
}

export interface LeaveFlag {
  readonly leaveOnNode?: string;
}

export interface RemoteFlags extends ReachFlags, LeaveFlag {
  readonly destDir?: string;
}

const text = <const P extends string>(placeholder: P, brief: string) =>
  ({ kind: 'parsed', parse: String, optional: true, placeholder, brief }) as const;

/** kubectl's own. */
export const API_FLAGS = {
  kubeconfig: text('file', 'as of kubectl'),
  context: text('name', 'as of kubectl'),
  as: text('user', 'as of kubectl: act for this user'),
  asGroup: {
    kind: 'parsed',
    parse: String,
    optional: true,
    variadic: true,
    placeholder: 'group',
    brief: 'as of kubectl: and for this group; more than once',
  },
  requestTimeout: {
    kind: 'parsed',
    parse: parseDuration,
    default: '30s',
    placeholder: 'duration',
    brief: 'as of kubectl: for each request of the API',
  },
} as const;

export const REACH_FLAGS = {
  node: text('name', 'reach this control-plane node through the API; auto: the best one'),
  ssh: text('user@host', 'reach it by ssh, where there is no API'),
  executable: text('file', "etcdkeep's executable that is sent to the host"),
  image: text('name', "the debug pod's image, if not that of the node's etcd"),
  toNamespace: text('name', "the debug pod's namespace, if not that of etcd"),
  ...API_FLAGS,
} as const;

export const LEAVE_FLAG = {
  leaveOnNode: text('dir', 'with --node or --ssh: leave the backup there, on the host'),
} as const;

export const REMOTE_FLAGS = {
  ...REACH_FLAGS,
  destDir: text('dir', 'with --node or --ssh: the directory here for the backup'),
  ...LEAVE_FLAG,
} as const;

/** Whether the host is reached from here. */
export function isRemote({ node, ssh }: ReachFlags): boolean {
  return node !== undefined || ssh !== undefined;
}

/** What says something only where the host is reached through the API; and by ssh as well. */
const OF_API = ['image', 'toNamespace', 'kubeconfig', 'context', 'as', 'asGroup'] as const;
const OF_REMOTE = [...OF_API, 'executable'] as const;

/**
 * Refuses what would be left out in silence.
 * @throws EtcdkeepError `usage`
 */
export function demandMeaning(flags: ReachFlags & HostFlags): void {
  const ofHost = ['root', ...(Object.keys(ETCD_FLAGS) as (keyof EtcdFlags)[])] as const;
  const refuse = (names: readonly (keyof typeof flags)[], why: string): void => {
    const name = names.find((one) => flags[one] !== undefined);
    if (name !== undefined) throw usage(`${flagOf(name)} says nothing ${why}`);
  };
  if (!isRemote(flags)) refuse(OF_REMOTE, 'without --node or --ssh');
  else refuse(ofHost, 'with --node or --ssh: the host knows its own etcd');
  if (flags.ssh !== undefined) refuse(OF_API, 'with --ssh');
  if (flags.as === undefined) refuse(['asGroup'], 'without --as');
}

/** As it is typed. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** @throws EtcdkeepError `usage` */
export function demandOnePlace(flags: RemoteFlags, directory: string | undefined): void {
  const { node, ssh, destDir, leaveOnNode } = flags;
  if (!isRemote(flags)) {
    if (destDir === undefined && leaveOnNode === undefined && directory !== undefined) return;
    throw usage(
      'name the directory for the backup',
      'etcdkeep backup DIR, on the host itself; or --node NAME --dest-dir DIR',
    );
  }
  if (node !== undefined && ssh !== undefined) throw oneWay();
  if (directory !== undefined) throw noDirectory('name the directory here with --dest-dir');
  if ((destDir === undefined) === (leaveOnNode === undefined)) {
    throw usage('name one place: --dest-dir DIR here, or --leave-on-node DIR on the host');
  }
}

/** The same of a check, which needs none. @throws EtcdkeepError `usage` */
export function demandOnePlaceToCheck(
  flags: ReachFlags & LeaveFlag,
  directory: string | undefined,
): void {
  const { node, ssh, leaveOnNode } = flags;
  if (node !== undefined && ssh !== undefined) throw oneWay();
  if (isRemote(flags) && directory !== undefined) {
    throw noDirectory('name a directory on the host with --leave-on-node');
  }
  if (!isRemote(flags) && leaveOnNode !== undefined) {
    throw usage('--leave-on-node says nothing without --node or --ssh');
  }
}

/** @throws EtcdkeepError `kubeconfig-missing`, `kubeconfig-invalid`, `proxy-invalid`, `file-failed` */
export async function openApi(flags: ApiFlags, context: CommandContext) {
  const { findApiAccess } = await import('../kubernetes/kubeconfig-files.ts');
  const { ApiClient } = await import('../kubernetes/api-client.ts');
  const { proxyFor, proxyFromEnvironment } = await import('../base/proxy-rules.ts');
  const { env, stderr } = context.process;
  const { kubeconfig, context: name, as: user, asGroup: groups = [] } = flags;
  const found = await findApiAccess({ kubeconfig, context: name, env });
  const access =
    user === undefined ? found : { ...found, impersonate: { user, groups, uid: undefined } };
  const settings = proxyFromEnvironment(env);
  return new ApiClient(access, {
    proxy: access.proxy ?? (settings && proxyFor(access.server, settings)),
    timeoutMs: flags.requestTimeout,
    signal: context.signal,
    plugin: { env, isTerminal: stderr.isTTY && context.ask !== undefined },
  });
}

/** The flags of `backup` that are the run's on the host. */
export function hostFlags(
  flags: CheckFlags & TransferFlags & { readonly force: boolean },
): RemoteRequest['flags'] {
  const { force, idleTimeout, rateLimit } = flags;
  return [
    ...(force ? ['--force'] : []),
    ...hostCheckFlags(flags),
    `--idle-timeout=${idleTimeout}ms`,
    ...(rateLimit === undefined ? [] : [`--rate-limit=${rateLimit}`]),
  ];
}

/** Those of `check`. */
export function hostCheckFlags({
  strict,
  hashCheck,
  skipCheck = [],
}: CheckFlags): RemoteRequest['flags'] {
  return [
    ...(strict ? ['--strict'] : []),
    ...(hashCheck ? [] : ['--no-hash-check']),
    ...skipCheck.map((each) => `--skip-check=${each}`),
  ];
}

function oneWay(): EtcdkeepError {
  return usage('--node and --ssh exclude each other');
}

function noDirectory(advice: string): EtcdkeepError {
  return usage('a host that is reached from here has no DIR', advice);
}

function usage(why: string, advice?: string): EtcdkeepError {
  return new EtcdkeepError('usage', why, advice === undefined ? {} : { advice });
}
